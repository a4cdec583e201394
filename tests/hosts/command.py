"""The `longline` command as a process: its output is read as it comes, and waited for."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.forked import HIDDEN, LONGLINE, finish, start

SECONDS = 40.0


def clean_environment(env: dict[str, str] | None = None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
    # What is imported behind a start would take the processor away from other tests.
    preloads = {f"LONGLINE_{name}__PRELOAD": "false" for name in ("AGENT_TOOLS", "PROTOCOL_A2A", "PROTOCOL_MCP")}
    return {**clean, "COLUMNS": "200", **preloads, **(env or {})}


def longline(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, seconds: float = SECONDS, afresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """What the command does, to its end. `afresh`: with imports of its own."""
    return finish(arguments, folder=folder, env=clean_environment(env), seconds=seconds, afresh=afresh)


class Command:
    """A command that is running."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        env: dict[str, str] | None = None,
        program: Path = LONGLINE,
        afresh: bool = False,
    ) -> None:
        self.process = start(arguments, folder=folder, env=clean_environment(env), program=program, afresh=afresh)
        self.output = ""
        self._changed = threading.Condition()
        self._is_over = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while data := os.read(stream.fileno(), 65536):
            with self._changed:
                self.output += data.decode(errors="replace")
                self._changed.notify_all()
        stream.close()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def wait_for(self, pattern: str, *, count: int = 1, seconds: float = SECONDS) -> re.Match[str]:
        """The match of a pattern in the output, as soon as it stands there `count` times."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while len(found := list(re.finditer(pattern, self.output))) < count:
                left = deadline - time.monotonic()
                if self._is_over or left <= 0:
                    raise AssertionError(f"{pattern!r} did not appear {count} times in:\n{self.output}")
                self._changed.wait(left)
        return found[count - 1]

    @property
    def url(self) -> str:
        """Where it serves; waits until it says so."""
        return self.wait_for(r"http://[0-9.]+:\d+").group()

    def wait_loaded(self, *, count: int = 1) -> str:
        """Until its graphs have been loaded `count` times; its URL."""
        self.wait_for(r"graphs loaded", count=count)
        return self.url

    def stop(self, number: int = signal.SIGTERM, *, seconds: float = SECONDS) -> int:
        """Send a signal to the command alone and wait for its end; the exit code."""
        self.process.send_signal(number)
        return self.end(seconds=seconds)

    def end(self, *, seconds: float = SECONDS) -> int:
        """Wait until it has ended and all of its output was read; the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def kill(self) -> None:
        """The whole group, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)


@contextmanager
def running(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, afresh: bool = False
) -> Iterator[Command]:
    """A command that does not outlive the test."""
    command = Command(folder, *arguments, env=env, afresh=afresh)
    try:
        yield command
    finally:
        command.kill()


@contextmanager
def serving(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Command]:
    """`longline dev` on a free port, all graphs loaded."""
    with running(folder, "dev", "--port", "0", *arguments, env=env) as command:
        command.wait_loaded()
        yield command


def ask(url: str, graph_id: str, value: object = None, *, config: object = None, thread_id: str | None = None) -> dict:
    """What a run of a graph leaves behind."""
    path = f"/threads/{thread_id}/runs/wait" if thread_id else "/runs/wait"
    body = {"assistant_id": graph_id, "input": {} if value is None else value, "config": config or {}}
    response = httpx.post(f"{url}{path}", json=body, timeout=SECONDS)
    response.raise_for_status()
    found = response.json()
    assert isinstance(found, dict)
    return found
