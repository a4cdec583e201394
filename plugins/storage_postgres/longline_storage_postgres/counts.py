"""How much the database holds."""

from longline.models.counts import QueueFigures, StorageCounts
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("counts")


async def count_all(connection: Connection) -> StorageCounts:
    """Everything in one statement, and so at one moment; see Storage.counts."""
    (row,) = await (await connection.execute(_SQL["all"])).fetchall()
    queue = QueueFigures(
        pending=row["pending"],
        running=row["running"],
        longest_wait_seconds=row["longest"],
        median_wait_seconds=row["median"],
        longest_unblocked_wait_seconds=row["longest_unblocked"],
        median_unblocked_wait_seconds=row["median_unblocked"],
    )
    return StorageCounts(
        assistants=row["assistants"], threads=row["threads"], runs=row["runs"], items=row["items"], queue=queue
    )
