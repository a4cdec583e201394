"""The embedded storage: everything in one SQLite file."""

from collections.abc import Sequence
from pathlib import Path

from longline.commands import Command
from longline.defaults.langgraph_json import LangGraphJsonSettings
from longline.graphs.embedding import ItemOptions
from longline.hookspecs import hookimpl
from longline.settings import ItemsSettings, Settings, SettingsSection, ThreadsSettings
from longline.storage.protocols import StorageBackend
from longline_storage_sqlite.backup import backup_command
from longline_storage_sqlite.langgraph_parts import PartOptions
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("storage_sqlite", SqliteSettings)]


@hookimpl
def register_storage_backends(settings: Settings) -> Sequence[StorageBackend]:
    items, threads = settings.section(ItemsSettings), settings.section(ThreadsSettings)
    file = settings.section(LangGraphJsonSettings).file
    options = PartOptions(
        items=ItemOptions(index=items.index, ttl=items.ttl, base=Path(file).absolute().parent if file else Path.cwd()),
        serde=threads.serde,
    )
    return [sqlite_backend(settings.section(SqliteSettings), options)]


@hookimpl
def register_commands() -> Sequence[Command]:
    return [backup_command()]
