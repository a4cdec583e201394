"""LangGraph's saver with our writer behind it: every write is one transaction that checks the lease it is bound to."""

import copy
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.checkpoint.sqlite.utils import load_pending_writes, search_where

from longline.models.runs import Lease
from longline.settings import SerdeSettings
from longline_storage_sqlite.clocks import wall_micros
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.fencing import hold, require_idle
from longline_storage_sqlite.jobs import Work
from longline_storage_sqlite.pruning import kept_checkpoints, needed_checkpoints
from longline_storage_sqlite.rows import encode
from longline_storage_sqlite.serializer import make_serializer
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("checkpoints")
_THREADS = load_statements("threads")

_ROWS_PER_READ = 32  # how many checkpoints of a list are in memory at once
_UNLIMITED = -1


class FencedSqliteSaver(AsyncSqliteSaver):
    """AsyncSqliteSaver whose writes join those of the storage, and whose reads hold no lock while their results are
    used. All savers of a storage share one connection; binding one to a lease costs a shallow copy."""

    def __init__(self, database: Database, connection: aiosqlite.Connection, serde: SerializerProtocol | None) -> None:
        super().__init__(connection, serde=serde)
        self.is_setup = True  # the tables came with the storage's own migrations
        self._database = database
        self.lease: Lease | None = None
        self._collected: list[Work[object]] | None = None

    @classmethod
    async def open(cls, database: Database, serde: SerdeSettings | None) -> "FencedSqliteSaver":
        """The saver of a storage. Its own connection serves what is inherited (the history of delta channels)."""
        connection = await aiosqlite.connect(f"{database.path.absolute().as_uri()}?mode=ro", uri=True)
        return cls(database, connection, make_serializer(serde))

    async def aclose(self) -> None:
        """Close the connection."""
        await self.conn.close()

    def bound(self, lease: Lease) -> "FencedSqliteSaver":
        """This saver, writing only as long as the lease stands."""
        saver = copy.copy(self)
        saver.lease = lease
        return saver

    def collecting(self) -> "FencedSqliteSaver":
        """This saver, keeping what it is told to write until `commit`."""
        saver = copy.copy(self)
        saver._collected = []  # noqa: SLF001  # its own
        return saver

    async def commit(self, thread_id: str) -> None:
        """Store what was collected, in one transaction in which the thread is idle; see StateWrites."""
        collected, self._collected = self._collected or [], []

        def work(connection: sqlite3.Connection) -> None:
            require_idle(connection, thread_id)
            for write in collected:
                write(connection)
            connection.execute(_THREADS["touch"], {"thread_id": thread_id, "at": wall_micros()})

        await self._database.writer.run(work)

    def needed(self, connection: sqlite3.Connection, thread_id: str) -> set[tuple[str, str]]:
        """The checkpoints that a thread's latest state needs, as pairs of namespace and id."""
        return needed_checkpoints(connection, self.serde, thread_id)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See BaseCheckpointSaver."""
        configurable = config["configurable"]
        key = (str(configurable["thread_id"]), configurable.get("checkpoint_ns", ""))
        wanted = get_checkpoint_id(config)

        def work(connection: sqlite3.Connection) -> tuple[sqlite3.Row, list[sqlite3.Row]] | None:
            if wanted:
                row = connection.execute(_SQL["find"], (*key, str(wanted))).fetchone()
            else:
                row = connection.execute(_SQL["find_latest"], key).fetchone()
            return None if row is None else (row, _find_writes(connection, row))

        found = await self._database.readers.run(work)
        if found is None:
            return None
        loaded = self._load(*found)
        return loaded._replace(config=config) if wanted else loaded

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See BaseCheckpointSaver."""
        where, parameters = search_where(config, filter, before)
        sql = " ".join((_SQL["list"], where, _SQL["list_order"]))
        bound = (*parameters, _UNLIMITED if limit is None else limit)
        keys = await self._database.readers.run(lambda connection: connection.execute(sql, bound).fetchall())
        for start in range(0, len(keys), _ROWS_PER_READ):
            part = keys[start : start + _ROWS_PER_READ]
            for row, writes in await self._read_all(part):
                yield self._load(row, writes)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002  # for savers that store channels apart
    ) -> RunnableConfig:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        thread_id = config["configurable"]["thread_id"]
        checkpoint_ns = config["configurable"]["checkpoint_ns"]
        checkpoint_id = checkpoint["id"]
        described = get_checkpoint_metadata(config, metadata)
        kind, data = self.serde.dumps_typed(checkpoint)
        row = (
            str(thread_id),
            checkpoint_ns,
            checkpoint_id,
            config["configurable"].get("checkpoint_id"),
            kind,
            data,
            json.dumps(described, ensure_ascii=False).encode("utf-8", "ignore"),
            self._run_id(described),
        )
        await self._write(lambda connection: connection.execute(_SQL["put"], row))
        return {
            "configurable": {
                "thread_id": thread_id,
                "checkpoint_ns": checkpoint_ns,
                "checkpoint_id": checkpoint_id,
            }
        }

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        configurable = config["configurable"]
        place = (str(configurable["thread_id"]), str(configurable["checkpoint_ns"]), str(configurable["checkpoint_id"]))
        run_id = self._run_id({})
        rows = [
            (
                *place,
                task_id,
                task_path,
                WRITES_IDX_MAP.get(channel, index),
                channel,
                *self.serde.dumps_typed(value),
                run_id,
            )
            for index, (channel, value) in enumerate(writes)
        ]
        replaces = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        sql = _SQL["replace_write" if replaces else "put_write"]
        await self._write(lambda connection: connection.executemany(sql, rows))

    async def adelete_thread(self, thread_id: str) -> None:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        await self._write(lambda connection: _delete_thread(connection, str(thread_id)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See BaseCheckpointSaver. What the runs answered to earlier questions goes too, copies on other threads stay.
        Raises LeaseLostError."""
        wanted = {"run_ids": encode([str(run_id) for run_id in run_ids])}

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_SQL["delete_writes_by_runs"], wanted)
            connection.execute(_SQL["delete_writes_to_runs"], wanted)
            connection.execute(_SQL["delete_of_runs"], wanted)

        await self._write(work)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See BaseCheckpointSaver. The whole chain is copied. Raises LeaseLostError."""
        row = {"thread_id": str(source_thread_id), "new_thread_id": str(target_thread_id)}

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_SQL["copy_checkpoints"], row)
            connection.execute(_SQL["copy_writes"], row)

        await self._write(work)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See BaseCheckpointSaver. Ancestors that a kept delta channel is rebuilt from stay. Raises LeaseLostError."""
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(strategy)

        def work(connection: sqlite3.Connection) -> None:
            for thread_id in map(str, thread_ids):
                if strategy == "delete":
                    _delete_thread(connection, thread_id)
                else:
                    kept = kept_checkpoints(connection, self.serde, thread_id)
                    row = {"thread_id": thread_id, "kept": encode([list(key) for key in kept])}
                    connection.execute(_SQL["delete_other_checkpoints"], row)
                    connection.execute(_SQL["delete_other_writes"], row)

        await self._write(work)

    async def _write(self, work: Work[object]) -> None:
        if self._collected is not None:
            self._collected.append(work)
            return
        lease = self.lease

        def fenced(connection: sqlite3.Connection) -> None:
            if lease is not None:
                hold(connection, lease)
            work(connection)

        await self._database.writer.run(fenced)

    async def _read_all(self, keys: Sequence[sqlite3.Row]) -> list[tuple[sqlite3.Row, list[sqlite3.Row]]]:
        def work(connection: sqlite3.Connection) -> list[tuple[sqlite3.Row, list[sqlite3.Row]]]:
            rows = (connection.execute(_SQL["find"], tuple(key)).fetchone() for key in keys)
            return [(row, _find_writes(connection, row)) for row in rows if row is not None]

        return await self._database.readers.run(work)

    def _load(self, row: sqlite3.Row, writes: Sequence[sqlite3.Row]) -> CheckpointTuple:
        place = {"thread_id": row["thread_id"], "checkpoint_ns": row["checkpoint_ns"]}
        parent = row["parent_checkpoint_id"]
        return CheckpointTuple(
            config={"configurable": {**place, "checkpoint_id": row["checkpoint_id"]}},
            checkpoint=self.serde.loads_typed((row["type"], row["checkpoint"])),
            metadata=json.loads(row["metadata"]) if row["metadata"] is not None else {},
            parent_config={"configurable": {**place, "checkpoint_id": parent}} if parent else None,
            pending_writes=load_pending_writes(map(tuple, writes), self.serde),
        )

    def _run_id(self, metadata: CheckpointMetadata) -> str | None:
        """Which run a row belongs to: the one that holds the lease, else what the graph was told."""
        if self.lease is not None:
            return self.lease.run_id
        run_id = metadata.get("run_id")
        return str(run_id) if run_id else None


def _find_writes(connection: sqlite3.Connection, row: sqlite3.Row) -> list[sqlite3.Row]:
    place = (row["thread_id"], row["checkpoint_ns"], row["checkpoint_id"])
    return connection.execute(_SQL["find_writes"], place).fetchall()


def _delete_thread(connection: sqlite3.Connection, thread_id: str) -> None:
    connection.execute(_SQL["delete_thread"], {"thread_id": thread_id})
    connection.execute(_SQL["delete_thread_writes"], {"thread_id": thread_id})
