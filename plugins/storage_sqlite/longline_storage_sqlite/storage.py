"""The open storage, and the backend that opens it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from longline.models.counts import StorageCounts
from longline.models.runs import Lease
from longline.storage.capabilities import Capability
from longline.storage.protocols import Storage, StorageBackend, StorageFacts
from longline.storage.retention import StateWrites
from longline_storage_sqlite.assistants import SqliteAssistants
from longline_storage_sqlite.collections import SqliteCollections
from longline_storage_sqlite.counts import count_all
from longline_storage_sqlite.crons import SqliteCrons
from longline_storage_sqlite.database import Database, migrate_database, open_database, pending_in_file
from longline_storage_sqlite.errors import BadUrlError
from longline_storage_sqlite.eventlog import SqliteEventLog
from longline_storage_sqlite.langgraph_parts import LangGraphParts, PartOptions
from longline_storage_sqlite.queue import SqliteRunQueue
from longline_storage_sqlite.retention import SqliteRetention
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.state_writes import SqliteStateWrites
from longline_storage_sqlite.statements import load_statements
from longline_storage_sqlite.threads import SqliteThreads

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore

T = TypeVar("T")

_SQL = load_statements("eventlog")
_SCHEME = "sqlite"
_PREFIX = "sqlite:///"


class SqliteStorage:
    """See Storage."""

    capabilities = frozenset({Capability.SURVIVES_RESTART})

    def __init__(self, database: Database, parts: LangGraphParts) -> None:
        self._database = database
        self._parts = parts
        self.assistants = SqliteAssistants(database)
        self.threads = SqliteThreads(database)
        self.runs = SqliteRunQueue(database)
        self.events = SqliteEventLog(database)
        self.collections = SqliteCollections(database)
        self.crons = SqliteCrons(database)
        self.retention = SqliteRetention(database, parts)
        self.relay = None
        self.facts = StorageFacts(kind="SQLite", place=str(database.path.absolute()))

    async def checkpointer(self, lease: Lease | None = None) -> "BaseCheckpointSaver[str]":
        """See Storage."""
        return await self._parts.checkpointer(lease)

    async def state_writes(self, thread_id: str) -> StateWrites:
        """See Storage."""
        return SqliteStateWrites(await self._parts.checkpointer(None), thread_id)

    async def items(self) -> "BaseStore":
        """See Storage."""
        return await self._parts.items()

    async def counts(self) -> StorageCounts:
        """See Storage."""
        return await self._database.readers.run(count_all)

    async def check(self) -> None:
        """See Storage."""
        await self._database.readers.run(lambda connection: connection.execute(_SQL["check"]).fetchone())


def sqlite_backend(settings: SqliteSettings, options: PartOptions | None = None) -> StorageBackend:
    """SQLite files as a kind of storage."""
    chosen = options or PartOptions()

    def connect(url: str) -> AbstractAsyncContextManager[Storage]:
        return connect_sqlite(database_path(url), settings, chosen)

    async def migrate(url: str) -> Sequence[str]:
        return await asyncio.to_thread(migrate_database, database_path(url), settings)

    async def pending(url: str) -> Sequence[str]:
        return await asyncio.to_thread(pending_in_file, database_path(url))

    return StorageBackend(schemes=(_SCHEME,), connect=connect, migrate=migrate, pending=pending)


def database_path(url: str) -> Path:
    """The file of a URL: `sqlite:///relative.db` or `sqlite:////absolute.db`. Raises StorageError."""
    place = url.removeprefix(_PREFIX)
    if place == url or not place or place.endswith("/"):
        raise BadUrlError(url)
    return Path(place)


@asynccontextmanager
async def connect_sqlite(path: Path, settings: SqliteSettings, options: PartOptions) -> AsyncIterator[Storage]:
    """Open the file for as long as the context lasts."""
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, open_database, path, settings)
    try:
        await _finished(opening)
        database = opening.result()
        parts = LangGraphParts(database, options)
        try:
            yield SqliteStorage(database, parts)
        finally:
            await parts.close()
    finally:
        if opening.exception() is None:
            await _finished(loop.run_in_executor(None, opening.result().close))


async def _finished(work: "asyncio.Future[T]") -> None:
    """Wait for work in a thread. A cancel takes effect when it is done: a thread cannot be stopped half way."""
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise
