"""A real pgbouncer in transaction mode before a Postgres, for tests."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.postgres import NOT_ROOT, OwnServer
from tests.processes import free_port

_CONFIG = """
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
max_db_connections = {pool_size}
server_round_robin = 1
logfile = {folder}/log
pidfile = {folder}/pid
"""


@contextmanager
def pgbouncer(server: OwnServer, *, pool_size: int = 15) -> Iterator[int]:
    """The port of a pgbouncer that lends the server's connections for a transaction each, a different one each time."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    folder = Path(tempfile.mkdtemp(prefix="longline-pgbouncer-"))
    port = free_port()
    (folder / "config").write_text(
        _CONFIG.format(server_port=server.port, port=port, folder=folder, pool_size=pool_size)
    )
    (folder / "users").write_text(f'"postgres" "{server.password}"\n')
    if NOT_ROOT is not None:
        for path in (folder, folder / "config", folder / "users"):
            shutil.chown(path, NOT_ROOT)
    process = subprocess.Popen([program, "-q", str(folder / "config")], user=NOT_ROOT)
    try:
        _wait_ready(server.url_of("postgres", port=port), process, folder / "log")
        yield port
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            said = log.read_text() if log.exists() else ""
            assert process.poll() is None, f"pgbouncer did not start: {said}"
            assert time.monotonic() < deadline, f"pgbouncer did not answer: {said}"
            time.sleep(0.02)
        else:
            return
