"""The open storage."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from longline.models.counts import StorageCounts
from longline.models.runs import Lease
from longline.storage.capabilities import Capability
from longline.storage.protocols import Storage, StorageFacts
from longline.storage.retention import StateWrites
from longline_storage_postgres.assistants import PostgresAssistants
from longline_storage_postgres.backends import PartOptions
from longline_storage_postgres.collections import PostgresCollections
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.counts import count_all
from longline_storage_postgres.crons import PostgresCrons
from longline_storage_postgres.database import Database, open_database
from longline_storage_postgres.eventlog import PostgresEventLog
from longline_storage_postgres.langgraph_parts import LangGraphParts
from longline_storage_postgres.migrate import run_migrations
from longline_storage_postgres.queue import PostgresRunQueue
from longline_storage_postgres.relay import PostgresRelay
from longline_storage_postgres.retention import PostgresRetention
from longline_storage_postgres.settings import PostgresSettings
from longline_storage_postgres.starting import patiently
from longline_storage_postgres.state_writes import PostgresStateWrites
from longline_storage_postgres.statements import load_statements
from longline_storage_postgres.threads import PostgresThreads

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore

_SQL = load_statements("eventlog")


class PostgresStorage:
    """See Storage."""

    capabilities = frozenset({Capability.SURVIVES_RESTART, Capability.SHARED})

    def __init__(self, database: Database, parts: LangGraphParts) -> None:
        self._database = database
        self._parts = parts
        self.assistants = PostgresAssistants(database)
        self.threads = PostgresThreads(database)
        self.events = PostgresEventLog(database)
        self.runs = PostgresRunQueue(database, self.events)
        self.relay = PostgresRelay(database)
        self.collections = PostgresCollections(database)
        self.crons = PostgresCrons(database)
        self.retention = PostgresRetention(database, parts)
        self.facts = StorageFacts(kind="Postgres", place=database.place, is_shared=True)

    async def checkpointer(self, lease: Lease | None = None) -> "BaseCheckpointSaver[str]":
        """See Storage."""
        return await self._parts.checkpointer(lease)

    async def state_writes(self, thread_id: str) -> StateWrites:
        """See Storage."""
        return PostgresStateWrites(await self._parts.checkpointer(None), thread_id)

    async def items(self) -> "BaseStore":
        """See Storage."""
        return await self._parts.items()

    async def counts(self) -> StorageCounts:
        """See Storage."""
        return await self._database.read_snapshot(count_all)

    async def check(self) -> None:
        """See Storage."""

        async def work(connection: Connection) -> None:
            await (await connection.execute(_SQL["check"])).fetchone()

        await self._database.read(work)


@asynccontextmanager
async def connect_postgres(url: str, settings: PostgresSettings, options: PartOptions) -> AsyncIterator[Storage]:
    """Bring the schema up to date and open the database for as long as the context lasts."""
    async with open_database(url, settings) as database:
        await patiently(lambda: run_migrations(url, settings), url, settings)
        parts = LangGraphParts(database, options)
        await parts.prepare()
        storage = PostgresStorage(database, parts)
        try:
            await patiently(storage.runs.open, url, settings)
            yield storage
        finally:
            await parts.close()
            await storage.runs.close()
