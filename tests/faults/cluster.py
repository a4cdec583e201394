"""Several replicas of one server on one Postgres, each a process that may be killed, stopped and started again."""

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.faults.project import effects, write_project
from tests.forked import Process, start
from tests.postgres import OwnServer
from tests.processes import free_port, wait_for

START_SECONDS: Final = 60.0
QUICK: Final = {"server": {"lease_seconds": 2.0, "heartbeat_seconds": 0.5, "max_attempts": 50}}
"""A cluster that takes over soon, so that a test of many faults is short."""
_HEARTBEAT_SECONDS: Final = 1.0


def thread() -> str:
    """The id of a thread that is not there yet."""
    return str(uuid.uuid4())


class Replica:
    """One `longline serve` with one worker, on a port that it keeps when it is started again."""

    flags: Sequence[str] = ("--insecure-no-auth",)

    def __init__(self, folder: Path, number: int, env: Mapping[str, str], options: Sequence[str] = ()) -> None:
        self.number = number
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.is_frozen = False
        self.env = dict(env)
        self._options = options
        self._folder = folder
        self._log = folder / f"replica-{number}.log"
        self.process: Process | None = None

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def lines(self) -> list[dict]:
        """What it logged."""
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process; `wait_ready` waits for it."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LONGLINE_", "OPENAI_", "DATABASE_"))}
        command = ["serve", *self.flags, "--workers", "1", "--port", str(self.port), *self._options]
        env = {**clean, "LONGLINE_AGENT_TOOLS__PRELOAD": "false", **self.env}
        with self._log.open("ab") as log:
            self.process = start(command, folder=self._folder, env=env, output=log)
        self.is_frozen = False

    def is_ready(self) -> bool:
        """Whether /ready says so."""
        assert self.is_alive, f"replica {self.number} ended:\n{self.output[-4000:]}"
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/ready", timeout=2).status_code == 200
        return False

    def wait_ready(self) -> None:
        wait_for(self.is_ready, f"replica {self.number} being ready", START_SECONDS)

    def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
        self.is_frozen = False

    def terminate(self) -> None:
        """SIGTERM: it drains and ends."""
        os.kill(self.pid, signal.SIGTERM)

    def wait_end(self, seconds: float = 30.0) -> int:
        """The exit code, once it has ended."""
        assert self.process is not None
        return self.process.wait(seconds)


class Cluster:
    """Replicas of one project on one database."""

    def __init__(
        self,
        folder: Path,
        postgres: OwnServer,
        settings: Mapping[str, Mapping[str, object]],
        *,
        count: int,
        database: str,
    ) -> None:
        self.folder = write_project(folder)
        self.postgres = postgres
        self.database = database
        merged = {"protocol_langgraph": {"heartbeat_seconds": _HEARTBEAT_SECONDS}, **settings}
        env = {
            f"LONGLINE_{section.upper()}__{key.upper()}": str(value)
            for section, values in merged.items()
            for key, value in values.items()
        }
        env["DATABASE_URL"] = self.database
        self.replicas = [Replica(self.folder, number, env) for number in range(count)]

    def start(self) -> None:
        """Start all, together, and wait until they are ready."""
        for replica in self.replicas:
            replica.start()
        for replica in self.replicas:
            replica.wait_ready()

    def stop(self) -> None:
        """End all processes, at once."""
        for replica in self.replicas:
            replica.kill()

    @property
    def urls(self) -> list[str]:
        return [replica.url for replica in self.replicas]

    def rows(self, query: str, *parameters: object) -> list[dict]:
        """Ask the database itself."""
        with psycopg.connect(self.database, row_factory=dict_row, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def row(self, query: str, *parameters: object) -> dict:
        """The only row of an answer."""
        (row,) = self.rows(query, *parameters)
        return row

    def run_row(self, run_id: str) -> dict:
        """A run as it stands in the database."""
        return self.row("SELECT * FROM longline.runs WHERE run_id = %s", run_id)

    def effects(self, **wanted: object) -> list[dict]:
        """What the steps wrote down, in order: the lines that have these values."""
        return [line for line in effects(self.folder) if all(line[key] == value for key, value in wanted.items())]

    def create(self, replica: Replica, graph_id: str, thread_id: str, label: str, **body: object) -> str:
        """Put a run on a thread by asking this replica, once; its id."""
        asked = {
            "assistant_id": graph_id, "input": {"label": label, "hold": f"go-{label}"}, "if_not_exists": "create",
            "metadata": {"label": label, "graph": graph_id}, "stream_mode": ["values", "updates", "custom"],
            "stream_resumable": True, **body,
        }  # fmt: skip
        answer = httpx.post(f"{replica.url}/threads/{thread_id}/runs", json=asked, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["run_id"])

    def let_go(self, label: str) -> None:
        """The steps of a run that wait for the test go on."""
        (self.folder / f"go-{label}").touch()

    def wait_step(self, run_id: str, step: str, *, attempt: int = 1, seconds: float = 20.0) -> dict:
        """Until an attempt of the run has begun this step; what it wrote down."""

        def begun() -> list[dict]:
            return self.effects(run=run_id, step=step, attempt=attempt, what="begin")

        return wait_for(begun, f"step {step} of attempt {attempt} of run {run_id}", seconds)[0]

    def wait_ended(self, run_id: str, seconds: float = 20.0) -> dict:
        """Until a run has ended; its row."""

        def ended() -> dict | None:
            row = self.run_row(run_id)
            return row if row["status"] not in ("pending", "running") else None

        return wait_for(ended, f"the end of run {run_id}", seconds)

    def kept(self, thread_id: str) -> dict[str, list[dict]]:
        """Everything that the database holds of a thread."""
        of_runs = "run_id IN (SELECT run_id FROM longline.runs WHERE thread_id = %s)"
        of_thread = "thread_id = %s"
        return {
            "runs": self.rows(f"SELECT * FROM longline.runs WHERE {of_thread} ORDER BY position", thread_id),
            "events": self.rows(
                f"SELECT * FROM longline.events WHERE {of_runs} ORDER BY run_id, attempt, seq", thread_id
            ),
            "checkpoints": self.rows(
                f"SELECT * FROM longline.checkpoints WHERE {of_thread} ORDER BY checkpoint_id", thread_id
            ),
            "writes": self.rows(
                f"SELECT * FROM longline.checkpoint_writes WHERE {of_thread} ORDER BY checkpoint_id, task_id, idx",
                thread_id,
            ),
            "threads": self.rows(f"SELECT * FROM longline.threads WHERE {of_thread}", thread_id),
        }

    def state(self, thread_id: str) -> dict:
        """What a thread holds; `hold`, which undisturbed runs have not, left out."""
        row = self.row('SELECT "values" FROM longline.threads WHERE thread_id = %s', thread_id)
        values = json.loads(bytes(row["values"]))
        return {key: value for key, value in values.items() if key != "hold"}

    def worker_of(self, run_id: str) -> Replica:
        """The replica where the newest attempt of a run has begun a step."""
        pid = self.effects(run=run_id, what="begin")[-1]["pid"]
        (found,) = [replica for replica in self.replicas if replica.pid == pid]
        return found

    def others(self, replica: Replica) -> list[Replica]:
        return [other for other in self.replicas if other is not replica]


@contextmanager
def running_cluster(
    folder: Path,
    postgres: OwnServer,
    *,
    count: int = 3,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    database: str | None = None,
) -> Iterator[Cluster]:
    """A ready cluster on a new database of this server, or on one that is there already."""
    if database is None:
        name = f"faults_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        database = postgres.url_of(name)
    cluster = Cluster(folder, postgres, settings or {}, count=count, database=database)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


async def wait_until(condition, what: str, seconds: float = 20.0):
    """As `wait_for`, on the event loop; the condition may be asynchronous."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")
