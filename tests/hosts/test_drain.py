"""What clients see of a server that stops, and a server that stops before it serves."""

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.hosts.command import Command, running
from tests.hosts.conftest import Project
from tests.hosts.test_stop import SLOW
from tests.hosts.third_party import install


@pytest.fixture
def folder(project: Project) -> Path:
    graphs = {name: f"./slow.py:{name}" for name in ("waiting", "ending")}
    return project(graphs, {"slow.py": SLOW})


# -- what clients see -----------------------------------------------------------------------------------------------


@contextmanager
def serving_for_others(folder: Path, drain_seconds: float) -> Iterator[tuple[Command, str]]:
    """`longline serve` with its URL."""
    env = {"LONGLINE_SERVER__DRAIN_SECONDS": str(drain_seconds)}
    with running(folder, "serve", "--port", "0", "--insecure-no-auth", env=env) as server:
        line = server.wait_for(r'\{.*"message": "server started".*\}').group()
        yield server, json.loads(line)["url"]


@contextmanager
def raw(url: str, method: str, path: str, body: object = None) -> Iterator[socket.socket]:
    """A connection on which a request was sent, with nothing between the test and its bytes."""
    host, _, port = url.removeprefix("http://").partition(":")
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(data)}\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + data)
        yield connection


def rest_of(connection: socket.socket, seen: bytes = b"") -> bytes:
    """All that comes until the server closes: raises ConnectionResetError if it does not do that in order."""
    while data := connection.recv(65536):
        seen += data
    return seen


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    seen = b""
    while mark not in seen:
        data = connection.recv(65536)
        assert data, seen
        seen += data
    return seen


IDLE = {
    "thread": ("GET", "/threads/{}/stream", None),
    "protocol v2": ("POST", "/threads/{}/stream/events", {"channels": ["values"]}),
}


@pytest.mark.parametrize("kind", IDLE)
def test_a_stream_on_which_nothing_happens_does_not_hold_the_server_and_is_left_unfinished(
    folder: Path, kind: str
) -> None:
    with serving_for_others(folder, 30) as (server, url):
        thread_id = httpx.post(f"{url}/threads", json={}).json()["thread_id"]
        method, path, body = IDLE[kind]
        with raw(url, method, path.format(thread_id), body) as connection:
            head = read_until(connection, b"\r\n\r\n")
            assert b"transfer-encoding: chunked" in head.lower()
            assert server.stop(signal.SIGTERM, seconds=15) == 0
            assert b"\r\n0\r\n\r\n" not in rest_of(connection, head)  # else clients would think that the thread is gone
        assert "Traceback" not in server.output


def test_the_stream_of_a_run_that_ends_in_time_has_its_end_and_its_last_chunk(folder: Path) -> None:
    with serving_for_others(folder, 20) as (server, url):
        body = {"assistant_id": "ending", "input": {"kind": "x"}, "stream_mode": ["values"]}
        with raw(url, "POST", "/runs/stream", body) as connection:
            seen = read_until(connection, b"event: metadata")
            _wait_for(folder / "begun")
            server.process.terminate()
            server.wait_for("server stopping")
            (folder / "go").touch()
            seen = rest_of(connection, seen)
            assert b'data: {"kind":"x","done":true}' in seen
            assert seen.endswith(b"\r\n0\r\n\r\n")
        assert server.end(seconds=20) == 0


def test_a_run_that_does_not_end_is_handed_back_at_once_and_its_stream_is_left_unfinished(folder: Path) -> None:
    with serving_for_others(folder, 0.2) as (server, url):
        thread_id = httpx.post(f"{url}/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "waiting", "input": {"kind": "x"}, "stream_mode": ["values"]}
        with raw(url, "POST", f"/threads/{thread_id}/runs/stream", body) as connection:
            seen = read_until(connection, b"event: metadata")
            _wait_for(folder / "begun")
            assert server.stop(signal.SIGTERM, seconds=15) == 0
            seen = rest_of(connection, seen)
            assert b"event: error" not in seen
            assert not seen.endswith(b"0\r\n\r\n")
    with sqlite3.connect(folder / ".longline/longline.db") as database:
        assert database.execute("SELECT status, lease_owner FROM runs").fetchall() == [("pending", None)]
    database.close()


def test_a_websocket_is_told_to_come_again(folder: Path) -> None:
    with serving_for_others(folder, 30) as (server, url):
        thread_id = httpx.post(f"{url}/threads", json={}).json()["thread_id"]
        with connect(f"{url.replace('http', 'ws')}/threads/{thread_id}/stream/events") as client:
            server.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=20)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
        assert server.end(seconds=20) == 0


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- before it serves -----------------------------------------------------------------------------------------------

PATIENT = """
import asyncio
import logging
from contextlib import asynccontextmanager
from longline import hookimpl
from longline.storage.protocols import StorageBackend

@asynccontextmanager
async def connect(url):
    logging.getLogger("pond").warning("waiting for water")
    await asyncio.Event().wait()
    yield

async def migrate(url):
    return []

@hookimpl
def register_storage_backends(settings):
    return [StorageBackend(schemes=("pond",), connect=connect, migrate=migrate, is_shared=True)]
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_waits_for_its_database_stops_when_it_is_told_to(tmp_path: Path, workers: str) -> None:
    site = tmp_path / "site"
    install(site, "longline-pond", {"a_pond": PATIENT}, plugins={"pond": "a_pond"})
    command = ["serve", "--port", "0", "--insecure-no-auth", "--database", "pond://x", "--workers", workers]
    with running(tmp_path, *command, env={"PYTHONPATH": str(site)}) as server:
        server.wait_for("waiting for water")
        assert server.stop(signal.SIGTERM, seconds=15) == 0
        assert "Traceback" not in server.output
