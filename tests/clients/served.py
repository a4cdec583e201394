"""The project of this folder behind `longline dev`, a real process, and the gates that its graphs wait at."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.databases import Database, database_arguments
from tests.processes import ServerProcess, running, wait_for

PROJECT = Path(__file__).with_name("project")


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers at `url`."""

    process: ServerProcess
    folder: Path

    @property
    def url(self) -> str:
        return self.process.url

    def gate(self) -> "Gate":
        """A closed gate of its own name."""
        return new_gate(self.folder)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a graph waits at until the test opens it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def open(self) -> None:
        self.path.touch()


def new_gate(folder: Path) -> Gate:
    """A closed gate of its own name, for the graphs of a project in this folder."""
    return Gate(folder / "gates" / f"gate-{uuid4().hex[:8]}")


def copy_project(folder: Path) -> None:
    """The project, in a folder of its own, with all gates closed."""
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "gates").mkdir()


@contextmanager
def serve_project(folder: Path, *arguments: str, database: Database = "sqlite") -> Iterator[Served]:
    """The project, copied into the folder and served from there."""
    copy_project(folder)
    with database_arguments(database) as where, running(folder, *arguments, *where) as process:
        wait_for(lambda: "graphs loaded" in process.output, "loading the graphs", 60)
        yield Served(process, folder)
