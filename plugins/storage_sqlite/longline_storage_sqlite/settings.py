"""The knobs of this storage."""

from pydantic import Field

from longline.settings import SettingsModel


class SqliteSettings(SettingsModel):
    """How the database file is used. The defaults fit one machine with one server."""

    busy_timeout_seconds: float = Field(
        5.0, ge=0.1, le=300, description="Seconds to wait for another program that has the file locked."
    )
    reader_threads: int = Field(2, ge=1, le=64, description="Threads, each with a connection of its own, that read.")
    read_seconds: float = Field(30.0, gt=0, le=3600, description="Seconds after which a read is broken off.")
    queued_writes: int = Field(
        10_000, ge=1, description="Writes that may wait for the one writer; more are refused at once."
    )
