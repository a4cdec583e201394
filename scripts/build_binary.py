"""Build `longline` as one file that needs no Python: `python scripts/build_binary.py [FOLDER]` (dist/ by default).

It serves with SQLite, the LangGraph Server API and the built-in agent, and whatever of the extras is installed where it
is built: A2A, MCP, Postgres, Supabase. A folder `plugins` beside the binary is put on
its path: `pip install --target plugins --no-deps PACKAGE` adds a third-party plugin.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import distributions, entry_points, requires
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENTRY = ROOT / "hosts/longline_hosts/binary.py"
DISTRIBUTION = "longline"
# Graphs and third-party plugins import what nobody here does: all of these come along whole.
WHOLE = ("langgraph", "langgraph_sdk", "langchain_core", "langchain", "langchain_openai", "starlette", "pydantic")
# Of the standard library: what needs a display or is there to develop Python itself.
NOT_NEEDED = (
    "distutils",
    "tkinter",
    "turtle",
    "turtledemo",
    "idlelib",
    "lib2to3",
    "ensurepip",
    "test",
    "this",
    "antigravity",
)
# Brought in by optional imports of the above, and by nothing that runs here.
EXCLUDED = (
    "IPython", "PIL", "PyInstaller", "_pytest", "matplotlib", "mypy", "numpy", "pandas", "pytest", "torch",
    "transformers",
)  # fmt: skip
START_SECONDS = 60


def main() -> int:
    """Build, then say how large it is and how fast it starts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    binary = build(parser.parse_args().folder.absolute())
    _say(f"{binary}: {binary.stat().st_size / 1e6:.0f} MB")
    for which in ("first", "second"):
        _say(f"{which} start: /ok after {seconds_to_answer(binary):.1f} s")
    return 0


def build(folder: Path) -> Path:
    """The binary, made in a folder."""
    modules, packages = _standard_library()
    with tempfile.TemporaryDirectory(prefix="longline-build-") as work:
        command = [
            sys.executable, "-m", "PyInstaller", "--onefile", "--noconfirm", "--log-level", "WARN",
            "--name", "longline", "--distpath", str(folder), "--workpath", work, "--specpath", work,
            "--recursive-copy-metadata", DISTRIBUTION,
            *_each("--copy-metadata", _extras()),
            *_each("--collect-submodules", ["longline", "longline_hosts", *_plugins(), *WHOLE, *packages]),
            *_each("--collect-data", _plugins()),
            *_each("--hidden-import", modules),
            *_each("--exclude-module", EXCLUDED),
            str(ENTRY),
        ]  # fmt: skip
        subprocess.run(command, check=True, cwd=work)  # noqa: S603  # a command of our own
    return folder / ("longline.exe" if sys.platform == "win32" else "longline")


def seconds_to_answer(binary: Path) -> float:
    """From starting it in an empty folder to its first answer."""
    with tempfile.TemporaryDirectory(prefix="longline-start-") as folder:
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  # the same
            [str(binary), "dev", "--port", "0"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
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
            urllib.request.urlopen(f"{url.group()}/ok", timeout=START_SECONDS).close()  # noqa: S310  # our own server
            return time.monotonic() - started
    sys.exit(f"the binary ended with code {process.wait()} without serving")


def _plugins() -> list[str]:
    """The packages of the first-party plugins."""
    points = entry_points(group=DISTRIBUTION)
    return sorted({p.value for p in points if p.dist is not None and p.dist.name == DISTRIBUTION})


def _extras() -> list[str]:
    """The distributions that the plugins' extras name, as far as they are here: `longline plugins` looks for them."""
    named = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requires(DISTRIBUTION) or ()}
    here = {distribution.name.lower().replace("_", "-") for distribution in distributions()}
    return sorted(named & here)


def _standard_library() -> tuple[list[str], list[str]]:
    """Its modules on this platform, and those of them that have modules below."""
    wanted = sorted(sys.stdlib_module_names - set(NOT_NEEDED))
    specs = {name: find_spec(name) for name in wanted if name not in sys.builtin_module_names}
    modules = [name for name in wanted if specs.get(name) is not None or name in sys.builtin_module_names]
    return modules, [name for name, spec in specs.items() if spec is not None and spec.submodule_search_locations]


def _each(flag: str, values: "list[str] | tuple[str, ...]") -> list[str]:
    return [part for value in values for part in (flag, value)]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
