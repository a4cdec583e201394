"""The shared storage: everything in one Postgres database, for as many servers as there are."""

from collections.abc import Sequence
from pathlib import Path

from longline.defaults.langgraph_json import LangGraphJsonSettings
from longline.events.broker import BrokerBackend
from longline.graphs.embedding import ItemOptions
from longline.hookspecs import hookimpl
from longline.settings import ItemsSettings, Settings, SettingsSection, ThreadsSettings
from longline.storage.protocols import StorageBackend
from longline_storage_postgres.backends import PartOptions, postgres_backend, postgres_broker
from longline_storage_postgres.settings import PostgresSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("storage_postgres", PostgresSettings)]


@hookimpl
def register_storage_backends(settings: Settings) -> Sequence[StorageBackend]:
    items, threads = settings.section(ItemsSettings), settings.section(ThreadsSettings)
    file = settings.section(LangGraphJsonSettings).file
    options = PartOptions(
        items=ItemOptions(index=items.index, ttl=items.ttl, base=Path(file).absolute().parent if file else Path.cwd()),
        serde=threads.serde,
    )
    return [postgres_backend(settings.section(PostgresSettings), options)]


@hookimpl
def register_event_brokers(settings: Settings) -> Sequence[BrokerBackend]:
    return [postgres_broker(settings.section(PostgresSettings))]
