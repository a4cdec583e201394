"""Postgres as a kind of storage and a kind of broker. The driver is imported by the first URL that asks for it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from longline.errors import PluginMissingExtraError
from longline.events.broker import Broker, BrokerBackend
from longline.graphs.embedding import ItemOptions
from longline.settings import SerdeSettings
from longline.storage.protocols import Storage, StorageBackend
from longline_storage_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from types import ModuleType

_NAME: Final = "storage_postgres"
SCHEMES: Final = ("postgresql", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOptions:
    """What an operator may say about LangGraph's saver and store."""

    items: ItemOptions = field(default_factory=ItemOptions)
    serde: SerdeSettings | None = None


def postgres_backend(settings: PostgresSettings, options: PartOptions | None = None) -> StorageBackend:
    """Postgres databases as a kind of storage."""
    chosen = options or PartOptions()

    @asynccontextmanager
    async def connect(url: str) -> AsyncIterator[Storage]:
        _require_driver()
        from longline_storage_postgres.storage import connect_postgres  # noqa: PLC0415  # see the module

        async with connect_postgres(url, settings, chosen) as storage:
            yield storage

    async def migrate(url: str) -> Sequence[str]:
        _require_driver()
        from longline_storage_postgres.migrate import run_migrations  # noqa: PLC0415  # see the module
        from longline_storage_postgres.vectors import prepare_vectors_of  # noqa: PLC0415  # see the module

        ran = await run_migrations(url, settings)
        if chosen.items.index is not None:
            await prepare_vectors_of(url, settings, chosen.items.index.dims)
        return ran

    async def pending(url: str) -> Sequence[str]:
        _require_driver()
        from longline_storage_postgres.migrate import pending_migrations  # noqa: PLC0415  # see the module

        return await pending_migrations(url, settings)

    return StorageBackend(schemes=SCHEMES, connect=connect, migrate=migrate, pending=pending, is_shared=True)


def postgres_broker(settings: PostgresSettings) -> BrokerBackend:
    """LISTEN and NOTIFY of a Postgres database as a kind of broker."""

    @asynccontextmanager
    async def connect(url: str) -> AsyncIterator[Broker]:
        _require_driver()
        from longline_storage_postgres.broker import connect_broker  # noqa: PLC0415  # see the module

        async with connect_broker(url, settings) as broker:
            yield broker

    return BrokerBackend(schemes=SCHEMES, connect=connect)


def _require_driver() -> "ModuleType":
    """The driver. Raises PluginMissingExtraError with the line that installs it."""
    try:
        import psycopg  # noqa: PLC0415  # see the module
    except ImportError as error:
        raise PluginMissingExtraError(_NAME, error.name or "psycopg", f"longline[{_NAME.replace('_', '-')}]") from error
    return psycopg
