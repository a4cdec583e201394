"""Third-party plugins for tests: installed the way Python sees installed packages, in a folder on its path."""

from collections.abc import Mapping
from pathlib import Path


def install(
    folder: Path, name: str, modules: Mapping[str, str], *, plugins: Mapping[str, str], extra: str = ""
) -> None:
    """A distribution with modules and plugins (name → module). `extra` is a line of its metadata."""
    folder.mkdir(exist_ok=True)
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
    info = folder / f"{name.replace('-', '_')}-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n{extra}")
    points = "".join(f"{plugin} = {module}\n" for plugin, module in plugins.items())
    (info / "entry_points.txt").write_text(f"[longline]\n{points}")
