"""Real server processes for tests: started on a free port, watched, killed."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.forked import LONGLINE, start

_START_SECONDS = 40


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class ServerProcess:
    """A `longline dev` in a folder. `output` is what it printed so far."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        port: int | None = None,
        env: dict[str, str] | None = None,
        program: Path = LONGLINE,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"server-{self.port}-{time.monotonic_ns()}.log"
        command = ["dev", "--port", str(self.port), "--no-reload", *arguments]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LONGLINE_", "OPENAI_", "DATABASE_"))}
        with self._log.open("wb") as log:
            self.process = start(command, folder=folder, env={**clean, **(env or {})}, output=log, program=program)

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_ready(self) -> None:
        """Until /ok answers."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with code {self.process.returncode}:\n{self.output}")
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/ok", timeout=2).status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"the server did not answer within {_START_SECONDS} s:\n{self.output}")

    def kill(self) -> None:
        """`kill -9`, the whole process group."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and wait for the end."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)


@contextmanager
def running(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, program: Path = LONGLINE
) -> Iterator[ServerProcess]:
    """A ready server, stopped at the end however the test ends."""
    server = ServerProcess(folder, *arguments, env=env, program=program)
    try:
        server.wait_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


def wait_for(condition, what: str, seconds: float = 20.0):
    """Poll until the condition gives something true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not happen within {seconds} s")
