"""What the files of deploy/ say, and what Longline itself says about the same things."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from longline.plugin_host import PluginHost
from longline.settings import CORE_SECTIONS
from longline_hosts import serve, workers
from longline_hosts.environment import HOST_VARIABLES
from longline_hosts.variables import VARIABLES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROJECT = DEPLOY / "project"
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir())


@dataclass(frozen=True, slots=True)
class Instruction:
    """A line of a Dockerfile, continued lines joined."""

    name: str
    text: str


def instructions(dockerfile: Path) -> list[Instruction]:
    """What a Dockerfile says, in order, without its comments."""
    lines = [line for line in dockerfile.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def documents(path: Path) -> list[dict]:
    """The documents of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]


def program(*names: str) -> str:
    """A program, by any of its names, beside this Python or on the path. Skips the test where there is none."""
    for name in names:
        found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
        if found is not None:
            return found
    pytest.skip(f"{names[0]} is not installed")


@cache
def flags_of(command: str) -> frozenset[str]:
    """The flags that a command of `longline` takes."""
    longline = Path(sys.executable).with_name("longline")
    told = subprocess.run([str(longline), command, "--help"], capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    return frozenset(re.findall(r"--[a-z][a-z-]*", told.stdout))


def check_arguments(arguments: list[str]) -> None:
    """That `longline` takes these."""
    command, *rest = arguments
    assert {argument for argument in rest if argument.startswith("-")} <= flags_of(command), arguments


@cache
def settings_variables() -> frozenset[str]:
    """Every environment variable that Longline reads."""
    sections = [*CORE_SECTIONS, *PluginHost(PLUGINS).settings_sections()]
    named = {f"LONGLINE_{section.name}__{key}".upper() for section in sections for key in section.model.model_fields}
    return frozenset({*named, *HOST_VARIABLES, *(variable.name for variable in VARIABLES)})


def unknown_variables(names: Iterable[str]) -> set[str]:
    """Those that look like Longline's and are not."""
    ours = ("LONGLINE_", "DATABASE_", "OPENAI_")
    return {name for name in names if name.startswith(ours)} - settings_variables()


def seconds_to_stop(drain_seconds: object) -> float:
    """The longest that a server takes from SIGTERM to its end, with one process or with several."""
    after = max(serve._LEAVE_SECONDS, workers._GRACE_SECONDS)
    return float(str(drain_seconds)) + serve.CLOSE_SECONDS + after


def seconds(text: str) -> float:
    """A duration such as `60s`."""
    return float(text.removesuffix("s"))


def manifests(folder: str) -> Iterator[tuple[Path, dict]]:
    """The Kubernetes objects of a folder, each with its file."""
    for path in sorted((DEPLOY / "kubernetes" / folder).glob("*.yaml")):
        yield from ((path, document) for document in documents(path) if "kind" in document)


def manifest(kind: str) -> dict:
    """The one object of a kind."""
    (found,) = [item for folder in ("base", "autoscale") for _, item in manifests(folder) if item["kind"] == kind]
    return found


def variables_of(path: Path) -> list[str]:
    """The names in an env file."""
    return re.findall(r"^([A-Z][A-Z0-9_]*)=", path.read_text("utf-8"), flags=re.MULTILINE)
