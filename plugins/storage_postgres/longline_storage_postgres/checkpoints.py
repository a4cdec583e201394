"""LangGraph's saver over the pool: each write is one statement that checks the lease it is bound to."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg.rows import DictRow

from longline.models.runs import Lease
from longline.settings import SerdeSettings
from longline_storage_postgres.channel_values import encode_metadata, split
from longline_storage_postgres.checkpoint_rows import columns_of, key_of, load_tuple, wanted_of
from longline_storage_postgres.checkpoint_writes import Write, done, pruned, stored
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database, Work
from longline_storage_postgres.fencing import hold, require_idle
from longline_storage_postgres.histories import read_history
from longline_storage_postgres.patience import Patience
from longline_storage_postgres.pruning import needed_checkpoints
from longline_storage_postgres.serializer import make_serializer
from longline_storage_postgres.statements import load_statements

T = TypeVar("T")

_SQL = load_statements("checkpoints")
_THREADS = load_statements("threads")

_ROWS_PER_READ: Final = 32  # how many checkpoints of a list are in memory at once


class FencedPostgresSaver(AsyncPostgresSaver):
    """AsyncPostgresSaver with our tables and statements. Operations wait for a connection of the pool, never for each
    other; binding a saver to a lease costs a shallow copy. One that is bound waits until a database that is away is
    back: a graph that runs goes on then."""

    def __init__(self, database: Database, patience: Patience, serde: SerializerProtocol | None) -> None:
        BaseCheckpointSaver.__init__(self, serde=serde)  # AsyncPostgresSaver's own asks for a connection
        self.loop = asyncio.get_running_loop()
        self._database = database
        self._patience = patience
        self.lease: Lease | None = None
        self._collected: list[Write] | None = None

    @classmethod
    def open(cls, database: Database, patience: Patience, serde: SerdeSettings | None) -> "FencedPostgresSaver":
        """The saver of a storage. To be made on the event loop."""
        return cls(database, patience, make_serializer(serde))

    def bound(self, lease: Lease) -> "FencedPostgresSaver":
        """This saver, writing only as long as the lease stands."""
        saver = copy.copy(self)
        saver.lease = lease
        return saver

    def collecting(self) -> "FencedPostgresSaver":
        """This saver, keeping what it is told to write until `commit`."""
        saver = copy.copy(self)
        saver._collected = []  # noqa: SLF001  # its own
        return saver

    async def commit(self, thread_id: str) -> None:
        """Store what was collected, in one transaction in which the thread is idle; see StateWrites."""
        collected, self._collected = self._collected or [], []

        async def work(connection: Connection) -> None:
            await require_idle(connection, thread_id)
            for write in collected:
                await write(connection, None)
            await connection.execute(_THREADS["touch"], {"thread_id": thread_id})

        await self._database.write(work)

    async def needed(self, connection: Connection, thread_id: str) -> set[tuple[str, str]]:
        """The checkpoints that a thread's latest state needs, as pairs of namespace and id."""
        return await needed_checkpoints(connection, thread_id)

    async def setup(self) -> None:
        """See AsyncPostgresSaver. The tables came with the storage's own migrations."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See BaseCheckpointSaver."""
        wanted = wanted_of(config)
        is_one = wanted["checkpoint_id"] is not None
        sql = " ".join((_SQL["rows"], _SQL["one" if is_one else "latest"]))

        async def work(connection: Connection) -> DictRow | None:
            return await (await connection.execute(sql, wanted, binary=True)).fetchone()

        row = await self._read(work)
        if row is None:
            return None
        loaded = load_tuple(row, self.serde)
        return loaded._replace(config=config) if is_one else loaded

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See BaseCheckpointSaver."""
        configurable = config["configurable"] if config is not None else {}
        wanted = {
            "thread_id": _text(configurable.get("thread_id")),
            "checkpoint_ns": _text(configurable.get("checkpoint_ns")),
            "checkpoint_id": _text(get_checkpoint_id(config) if config is not None else None),
            "before": _text(get_checkpoint_id(before) if before is not None else None),
            "filter": encode_metadata(filter) if filter else None,
            "limit": limit,
        }

        async def work(connection: Connection) -> list[DictRow]:
            # Not prepared: a plan for any of these conditions fits none.
            return await (await connection.execute(_SQL["list"], wanted, prepare=False)).fetchall()

        keys = await self._read(work)
        for start in range(0, len(keys), _ROWS_PER_READ):
            for row in await self._read_all(keys[start : start + _ROWS_PER_READ]):
                yield load_tuple(row, self.serde)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        thread_id = config["configurable"]["thread_id"]
        checkpoint_ns = config["configurable"]["checkpoint_ns"]
        described = get_checkpoint_metadata(config, metadata)
        text, blobs = split(checkpoint, new_versions, self.serde)
        row = {
            "thread_id": str(thread_id),
            "checkpoint_ns": checkpoint_ns,
            "checkpoint_id": checkpoint["id"],
            "parent_checkpoint_id": config["configurable"].get("checkpoint_id"),
            "checkpoint": text,
            "metadata": encode_metadata(described),
            "run_id": self._run_id(described),
            "channels": blobs.channels,
            "versions": blobs.versions,
            "types": blobs.types,
            "blobs": blobs.data,
        }
        await self._write_alone(stored("put", row))
        return {
            "configurable": {
                "thread_id": thread_id,
                "checkpoint_ns": checkpoint_ns,
                "checkpoint_id": checkpoint["id"],
            }
        }

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        configurable = config["configurable"]
        replaces = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        row = {
            "thread_id": str(configurable["thread_id"]),
            "checkpoint_ns": str(configurable["checkpoint_ns"]),
            "checkpoint_id": str(configurable["checkpoint_id"]),
            "task_id": task_id,
            "task_path": task_path,
            "run_id": self._run_id({}),
            **columns_of(writes, self.serde, replaces=replaces),
        }
        await self._write_alone(stored("replace_writes" if replaces else "put_writes", row))

    async def adelete_thread(self, thread_id: str) -> None:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        await self._write(done("delete_thread", {"thread_id": str(thread_id)}))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See BaseCheckpointSaver. What the runs answered to earlier questions goes too, copies on other threads stay.
        Raises LeaseLostError."""
        await self._write(done("delete_of_runs", {"run_ids": [str(run_id) for run_id in run_ids]}))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See BaseCheckpointSaver. The whole chain is copied. Raises LeaseLostError."""
        row = {"thread_id": str(source_thread_id), "new_thread_id": str(target_thread_id)}
        copies = [done(name, row) for name in ("copy_checkpoints", "copy_blobs", "copy_writes")]
        await self._write(*copies, is_one_state=True)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See BaseCheckpointSaver. Ancestors that a kept delta channel is rebuilt from stay. Raises LeaseLostError."""
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(strategy)
        for thread_id in map(str, thread_ids):
            if strategy == "delete":
                await self.adelete_thread(thread_id)
            else:
                await self._write(pruned(thread_id), is_one_state=True)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See BaseCheckpointSaver."""
        if not channels:
            return {}
        wanted = wanted_of(config)

        async def read() -> Mapping[str, DeltaChannelHistory]:
            return await self._database.read_snapshot(
                lambda connection: read_history(connection, self.serde, wanted, channels)
            )

        return await (read() if self.lease is None else self._patience.until_done(read))

    # -- transactions -----------------------------------------------------------------------------------------------

    async def _read(self, work: Work[T]) -> T:
        if self.lease is None:
            return await self._database.read(work)
        return await self._patience.until_done(lambda: self._database.read(work))

    async def _write_alone(self, write: Write) -> None:
        """A write of one statement, which looks at the lease itself."""
        if self._collected is not None:
            self._collected.append(write)
            return
        lease = self.lease
        if lease is None:
            await self._database.write_alone(lambda connection: write(connection, None))
            return
        await self._patience.until_done(lambda: self._database.write_alone(lambda connection: write(connection, lease)))

    async def _write(self, *writes: Write, is_one_state: bool = False) -> None:
        """Writes that do not look at the lease, in one transaction in which it stands."""
        if self._collected is not None:
            self._collected += writes
            return
        lease = self.lease

        async def fenced(connection: Connection) -> None:
            if is_one_state:
                await connection.execute(_SQL["one_state"])
            if lease is not None:
                await hold(connection, lease)
            for write in writes:
                await write(connection, None)

        if lease is None:
            await self._database.write(fenced)
        else:
            await self._patience.until_done(lambda: self._database.write(fenced))

    # -- rows -------------------------------------------------------------------------------------------------------

    async def _read_all(self, keys: Sequence[DictRow]) -> list[DictRow]:
        """Those that are still there, in the order of the keys."""
        wanted = {
            "thread_ids": [key["thread_id"] for key in keys],
            "namespaces": [key["checkpoint_ns"] for key in keys],
            "ids": [key["checkpoint_id"] for key in keys],
        }
        sql = " ".join((_SQL["rows"], _SQL["some"]))

        async def work(connection: Connection) -> list[DictRow]:
            return await (await connection.execute(sql, wanted, binary=True)).fetchall()

        found = {key_of(row): row for row in await self._read(work)}
        return [found[key_of(key)] for key in keys if key_of(key) in found]

    def _run_id(self, metadata: CheckpointMetadata) -> str | None:
        """Which run a row belongs to: the one that holds the lease, else what the graph was told."""
        if self.lease is not None:
            return self.lease.run_id
        run_id = metadata.get("run_id")
        return str(run_id) if run_id else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
