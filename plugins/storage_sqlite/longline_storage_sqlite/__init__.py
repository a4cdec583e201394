"""The embedded storage: everything in one SQLite file."""

from collections.abc import Sequence

from longline.commands import Command
from longline.hookspecs import hookimpl
from longline.settings import Settings, SettingsSection
from longline.storage.protocols import StorageBackend
from longline_storage_sqlite.backup import backup_command
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("storage_sqlite", SqliteSettings)]


@hookimpl
def register_storage_backends(settings: Settings) -> Sequence[StorageBackend]:
    return [sqlite_backend(settings.section(SqliteSettings))]


@hookimpl
def register_commands() -> Sequence[Command]:
    return [backup_command()]
