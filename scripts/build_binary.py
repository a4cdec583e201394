"""Build `longline` as one file that needs no Python: `python scripts/build_binary.py [FOLDER]` (dist/ by default).

It serves with SQLite, the LangGraph Server API and the built-in agent. A folder `plugins` beside the binary is put on
its path: `pip install --target plugins --no-deps PACKAGE` adds a third-party plugin.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENTRY = ROOT / "hosts/longline_hosts/binary.py"
DISTRIBUTION = "longline"
# Graphs and third-party plugins import what nobody here does: all of these come along whole.
WHOLE = ("langgraph", "langgraph_sdk", "langchain_core", "langchain", "langchain_openai", "starlette", "pydantic")
# Of the standard library: what needs a display or is there to develop Python itself.
NOT_NEEDED = ("tkinter", "turtle", "turtledemo", "idlelib", "lib2to3", "ensurepip", "test", "this", "antigravity")
# Brought in by optional imports of the above, and by nothing that runs here.
EXCLUDED = ("IPython", "PIL", "PyInstaller", "matplotlib", "mypy", "numpy", "pandas", "pytest", "_pytest", "torch", "transformers")  # fmt: skip
START_SECONDS = 60


def main() -> int:
    """Build, then say how large it is and how fast it starts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    binary = build(parser.parse_args().folder.absolute())
    print(f"{binary}: {binary.stat().st_size / 1e6:.0f} MB")
    for which in ("first", "second"):
        print(f"{which} start: /ok after {seconds_to_answer(binary):.1f} s")
    return 0


def build(folder: Path) -> Path:
    """The binary, made in a folder."""
    with tempfile.TemporaryDirectory(prefix="longline-build-") as work:
        command = [
            sys.executable, "-m", "PyInstaller", "--onefile", "--noconfirm", "--log-level", "WARN",
            "--name", "longline", "--distpath", str(folder), "--workpath", work, "--specpath", work,
            "--recursive-copy-metadata", DISTRIBUTION,
            *_each("--collect-submodules", ["longline", "longline_hosts", *_plugins(), *WHOLE]),
            *_each("--collect-data", _plugins()),
            *_each("--hidden-import", _standard_library()),
            *_each("--exclude-module", EXCLUDED),
            str(ENTRY),
        ]  # fmt: skip
        subprocess.run(command, check=True, cwd=work)
    return folder / ("longline.exe" if sys.platform == "win32" else "longline")


def seconds_to_answer(binary: Path) -> float:
    """From starting it in an empty folder to its first answer."""
    with tempfile.TemporaryDirectory(prefix="longline-start-") as folder:
        started = time.monotonic()
        process = subprocess.Popen(
            [str(binary), "dev", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            return _wait(process, started)
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait(process: "subprocess.Popen[str]", started: float) -> float:
    for line in process.stdout or ():
        url = re.search(r"http://[0-9.]+:\d+", line)
        if url is not None:
            urllib.request.urlopen(f"{url.group()}/ok", timeout=START_SECONDS).close()
            return time.monotonic() - started
    raise SystemExit(f"the binary ended with code {process.wait()} without serving")


def _plugins() -> list[str]:
    """The packages of the first-party plugins."""
    points = entry_points(group=DISTRIBUTION)
    return sorted({p.value for p in points if p.dist is not None and p.dist.name == DISTRIBUTION})


def _standard_library() -> list[str]:
    platform_only = {name for name in sys.stdlib_module_names if not _exists(name)}
    return sorted(sys.stdlib_module_names - set(NOT_NEEDED) - platform_only)


def _exists(name: str) -> bool:
    from importlib.util import find_spec

    return name in sys.builtin_module_names or find_spec(name) is not None


def _each(flag: str, values: "list[str] | tuple[str, ...]") -> list[str]:
    return [part for value in values for part in (flag, value)]


if __name__ == "__main__":
    if shutil.which("objdump") is None and sys.platform == "linux":
        print("PyInstaller needs objdump (package binutils)", file=sys.stderr)
    os.environ.pop("PYTHONPATH", None)
    sys.exit(main())
