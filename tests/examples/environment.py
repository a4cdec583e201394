"""A scratch environment with Longline and a plugin in it, installed as users install: built first, then installed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_INSTALL_SECONDS = 280
_NO_INDEX = re.compile(
    "network was disabled|error sending request|failed to fetch|dns error|name resolution|NewConnectionError"
    r"|Could not find a version that satisfies .* \(from versions: none\)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment of its own."""

    folder: Path

    @property
    def scripts(self) -> Path:
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    def run(self, program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """What a program of this environment does in a folder."""
        return call([str(self.scripts / program), *arguments], cwd=cwd)


def make_environment(folder: Path, plugin: Path, extra: str) -> Environment:
    """An environment with this Longline and the plugin with one of its extras. Skips the test where no package index
    answers; fails instead where the variable `CI` is set."""
    uv = shutil.which("uv")
    environment = Environment(folder / "venv")
    python = str(environment.scripts / "python")
    _require([uv, "venv", "-q", "--python", sys.executable, str(environment.folder)] if uv else
             [sys.executable, "-m", "venv", str(environment.folder)])  # fmt: skip
    pip = [uv, "pip"] if uv else [python, "-m", "pip"]
    into = ["--python", python] if uv else []
    wheel = _wheel(folder / "dist", uv)
    _require([*pip, "install", "-q", *into, str(wheel), f"{plugin}[{extra}]"])
    return environment


def call(command: Sequence[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command's output, with nothing of this process's environment that concerns Python, coverage or Longline."""
    hidden = ("LONGLINE_", "OPENAI_", "DATABASE_", "PYTHON", "VIRTUAL_ENV", "COV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=_INSTALL_SECONDS)


def _wheel(into: Path, uv: str | None) -> Path:
    build = (
        [uv, "build", "-q", "--wheel", "-o"] if uv else [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w"]
    )
    _require([*build, str(into), str(ROOT)])
    (wheel,) = into.glob("*.whl")
    return wheel


def _require(command: Sequence[str]) -> None:
    done = call(command, cwd=ROOT)
    if done.returncode == 0:
        return
    if _NO_INDEX.search(done.stderr) and not os.environ.get("CI"):
        pytest.skip(f"no package index answers: {done.stderr.strip().splitlines()[-1]}")
    pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
