"""The project of this folder behind three `longline serve` on one database, and a balancer in front of them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.clients.served import Gate, copy_project, new_gate
from tests.faults.cluster import Replica, wait_until
from tests.postgres import fresh_database, migrated_template, server_url

SECONDS = 30
_PIECE = 65536


@dataclass(frozen=True, slots=True)
class Replicas:
    """Three servers that answer alike. The first executes one run at a time."""

    folder: Path
    database: str
    all: Sequence[Replica]

    @property
    def first(self) -> Replica:
        return self.all[0]

    def gate(self) -> Gate:
        """A closed gate of its own name."""
        return new_gate(self.folder)

    def is_executing(self, replica: Replica, run_id: str) -> bool:
        """Whether this replica is the one at work on the run."""
        with psycopg.connect(self.database) as connection:
            held = connection.execute("SELECT lease_owner FROM longline.runs WHERE run_id = %s", (run_id,)).fetchone()
        return held is not None and held[0] is not None and f"-{replica.pid}-" in held[0]

    def executed(self, run_id: str) -> list[int]:
        """The numbers of the replicas that have ended this run."""
        return [
            replica.number
            for replica in self.all
            for line in replica.lines
            if line["message"] == "run ended" and line.get("run_id") == run_id
        ]


@contextmanager
def serve_replicas(folder: Path) -> Iterator[Replicas]:
    """The project, copied into the folder and served by three processes."""
    copy_project(folder)
    server = server_url()
    with fresh_database(server, migrated_template(server)) as url:
        env = {"DATABASE_URL": url, "LONGLINE_PROTOCOL_LANGGRAPH__HEARTBEAT_SECONDS": "1"}
        one_run = {**env, "LONGLINE_SERVER__RUNS": "1"}
        replicas = [Replica(folder, number, env if number else one_run) for number in range(3)]
        try:
            for replica in replicas:
                replica.start()
            for replica in replicas:
                replica.wait_ready()
            yield Replicas(folder, url, replicas)
        finally:
            for replica in replicas:
                replica.kill()


@asynccontextmanager
async def occupied(replicas: Replicas) -> AsyncIterator[None]:
    """While the first replica has no room: what is created there is executed by another."""
    gate = replicas.gate()
    async with get_client(url=replicas.first.url) as client:

        async def begun() -> bool:
            """Create a run where there is room at once; if the last one is only about to end there, another."""
            thread_id = (await client.threads.create())["thread_id"]
            run = await client.runs.create(thread_id, "nested", input={"value": "v", "gate": gate.name})
            return replicas.is_executing(replicas.first, run["run_id"])

        await wait_until(begun, "a run on the first replica")
        try:
            yield
        finally:
            gate.open()


class Balancer:
    """Sends each connection to the next replica, and counts how many each has got."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.counts = dict.fromkeys(ports, 0)
        self._next = itertools.cycle(ports)

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        port = next(self._next)
        self.counts[port] += 1
        with suppress(OSError):
            behind = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_copy(reader, behind[1]), _copy(behind[0], writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def balancing(replicas: Replicas) -> AsyncIterator[tuple[Balancer, LangGraphClient]]:
    """A client whose every request goes to another replica than the one before: it keeps no connection open."""
    balancer = Balancer([replica.port for replica in replicas.all])
    server = await asyncio.start_server(balancer.forward, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    limits = httpx.Limits(max_keepalive_connections=0)
    async with server, LangGraphClient(httpx.AsyncClient(base_url=url, limits=limits, timeout=30)) as client:
        yield balancer, client


def said(text: str) -> Any:
    """The input of a conversation."""
    return {"messages": [{"role": "human", "content": text}]}


async def thread_on(client: LangGraphClient) -> str:
    """A new thread."""
    thread_id: str = (await client.threads.create())["thread_id"]
    return thread_id


async def parts_of(stream: AsyncIterator[Any]) -> list[Any]:
    """All parts of a stream: id, event and data."""
    return [(part.id, part.event, part.data) async for part in stream]
