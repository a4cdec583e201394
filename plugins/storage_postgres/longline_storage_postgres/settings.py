"""What an operator may say about a Postgres database."""

from pydantic import Field, SecretStr

from longline.settings import SettingsModel


class PostgresSettings(SettingsModel):
    """Postgres as storage. The database itself is `server.database` (DATABASE_URL)."""

    direct_url: SecretStr = Field(
        SecretStr(""),
        description="The database without a pooler between, for notifications and migrations. Needed where "
        "`server.database` goes to a transaction pooler; empty: the same as `server.database`.",
    )
    pool_size: int = Field(
        10, ge=2, le=500, description="Connections of one process for its work. Two more listen and renew leases."
    )
    pool_wait_seconds: float = Field(
        10.0,
        gt=0,
        le=60,
        description="Seconds that work waits for a connection before its caller is told that the storage is away.",
    )
    connect_seconds: float = Field(5.0, gt=0, le=60, description="Seconds that one attempt to connect may take.")
    start_wait_seconds: float = Field(
        10.0, ge=0, le=600, description="Seconds that a start waits for a database that does not answer yet."
    )
    read_seconds: float = Field(
        15.0, gt=0, le=3600, description="Seconds that one statement may take; then it is broken off."
    )
    idle_transaction_seconds: float = Field(
        2.0,
        gt=0,
        le=60,
        description="Seconds after which the server ends a transaction in which nothing happens: a worker that was "
        "stopped must not keep its runs from others. Less than `server.lease_seconds`.",
    )
    poll_seconds: float = Field(
        0.5, gt=0, le=60, description="Seconds between looks for news where notifications do not arrive."
    )
