"""Replicas and the balancer as deploy/ starts them, on loopback."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.deploy.facts import DEPLOY, PROJECT, instructions, program
from tests.hosts.command import Command
from tests.processes import free_port, wait_for

TOKEN = "token-of-the-operator"
METRICS_TOKEN = "token-of-prometheus"
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
SAID = {said.name: said.text for said in instructions(DEPLOY / "Dockerfile")}
WITH_TOKEN = {"authorization": f"Bearer {TOKEN}"}


class Replica(Command):
    """The image's entry point with its command and its variables, in a project's folder."""

    def __init__(self, folder: Path, database: str, port: int, *arguments: str) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        entry, *before = json.loads(SAID["ENTRYPOINT"])
        given = list(arguments) or json.loads(SAID["CMD"])
        super().__init__(folder, *before, *given, env=variables(database, port), program=Path(program(entry)))

    def is_ready(self) -> bool:
        """Whether `/ready` says so."""
        assert self.process.poll() is None, self.output
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.address}/ready", timeout=5).status_code == 200
        return False


def variables(database: str, port: int) -> dict[str, str]:
    """What the image and the env files set."""
    of_image = dict(re.findall(r'([A-Z_]+)="?([^" ]+)', SAID["ENV"]))
    of_image.pop("PATH")
    return {
        **of_image,
        "LONGLINE_PORT": str(port),
        "DATABASE_URL": database,
        "LONGLINE_SECRET_KEY": KEY,
        "LONGLINE_METRICS_PROMETHEUS__TOKEN": METRICS_TOKEN,
        "API_TOKEN": TOKEN,
    }


@contextmanager
def replica(folder: Path, database: str, *arguments: str) -> Iterator[Replica]:
    """A replica that is ready, killed at the end however the test ends."""
    started = Replica(folder, database, free_port(), *arguments)
    try:
        wait_for(started.is_ready, f"a replica on port {started.port}", 60)
        yield started
    finally:
        started.kill()


@contextmanager
def balancer(folder: Path, *addresses: str) -> Iterator[str]:
    """Caddy with the Caddyfile of deploy/ before these; its URL."""
    port = free_port()
    upstream = " ".join(address.removeprefix("http://") for address in addresses)
    kept: Mapping[str, str] = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    env = {**os.environ, **kept, "SITE": f"http://127.0.0.1:{port}", "REPLICAS": upstream}
    caddy = Command(folder, "run", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile"), env=env,
                    program=Path(program("caddy", "caddyserver")))  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(f"{url}/ok"), "the balancer's first answer", 30)
        yield url
    finally:
        caddy.kill()


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url, timeout=10).status_code == 200
    return False


def copy_project(folder: Path) -> Path:
    """The project of deploy/ in a folder of its own."""
    return Path(shutil.copytree(PROJECT, folder))
