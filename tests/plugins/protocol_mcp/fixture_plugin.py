"""Plugins of these tests, installed the way Python sees installed packages."""

from collections.abc import Sequence
from pathlib import Path

NAME = "mcp_conformance"
"""The plugin that offers what the conformance suite asks for."""
ODD = "odd_tools"
"""The plugin whose tools answer what they should not."""
_MODULES = {NAME: "longline_conformance", ODD: "longline_odd_tools"}
_FOLDERS = {NAME: Path(__file__).with_name("conformance"), ODD: Path(__file__).with_name("hostile") / "odd"}


def install(site: Path, *names: str) -> Sequence[Path]:
    """The folders that Python's path needs."""
    info = site / "longline_conformance-1.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: longline-conformance\nVersion: 1.0.0\n")
    (info / "entry_points.txt").write_text("[longline]\n" + "".join(f"{one} = {_MODULES[one]}\n" for one in names))
    return [site, *(_FOLDERS[one] for one in names)]
