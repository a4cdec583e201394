"""npm's `@copilotkit/aimock`, an OpenAI-compatible server that answers from fixtures, on a free loopback port.

`with serve_aimock(fixtures) as server:` gives `server.base_url` and what it was asked (`server.requests()`). Skips the
test with a reason where Node is missing; fails instead where the variable `CI` is set.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, NoReturn

import pytest

VERSION = "1.43.0"
_START_SECONDS = 30
_INSTALL_SECONDS = 110

Fixture = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aimock:
    """A running server."""

    url: str
    api_key: str

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all requests to chat completions so far, the oldest first."""
        request = urllib.request.Request(
            f"{self.url}/__aimock/journal", headers={"authorization": f"Bearer {self.api_key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            entries = json.load(response)
        return [entry["body"] for entry in entries if entry["path"].endswith("/chat/completions")]


@contextmanager
def serve_aimock(fixtures: Sequence[Fixture], *, api_key: str = "") -> Iterator[Aimock]:
    """A server with these fixtures, first match wins, 404 without one. With `api_key` it refuses every other key."""
    program = _installed()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fixtures.json")
        path.write_text(json.dumps({"fixtures": list(fixtures)}), encoding="utf-8")
        process = subprocess.Popen(
            ["node", str(program), "-p", "0", "-f", str(path), "--strict", "--log-level", "info"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "AIMOCK_API_KEYS": api_key},
        )
        try:
            yield Aimock(url=_wait_for_url(process), api_key=api_key)
        finally:
            process.terminate()
            process.communicate(timeout=10)


def _wait_for_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = []
    watchdog = Timer(_START_SECONDS, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"listening on (http://\S+)", line):
                return found.group(1)
    finally:
        watchdog.cancel()
    pytest.fail(f"aimock did not start: {''.join(said)}")


def _installed() -> Path:
    """Its program, installed once per machine and version into the temporary folder."""
    home = Path(tempfile.gettempdir(), f"longline-aimock-{VERSION}-{os.getuid() if hasattr(os, 'getuid') else 0}")
    program = Path("node_modules", "@copilotkit", "aimock", "dist", "cli.js")
    if shutil.which("node") is None:
        _give_up("Node.js is not installed, and aimock runs on it")
    if not (home / program).exists():
        _install(home)
    return home / program


def _install(home: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        _give_up("npm is not installed, and aimock comes from there")
    scratch = Path(tempfile.mkdtemp(prefix="longline-aimock-"))
    command = [npm, "install", "--prefix", str(scratch), "--no-audit", "--no-fund", "--no-package-lock", "--no-save"]
    try:
        subprocess.run(
            [*command, "--ignore-scripts", f"@copilotkit/aimock@{VERSION}"],
            check=True,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        _give_up(f"npm cannot install aimock: {str(error.stderr or error)[-500:]}")
    try:
        scratch.rename(home)
    except OSError:  # another process was faster
        shutil.rmtree(scratch, ignore_errors=True)


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
