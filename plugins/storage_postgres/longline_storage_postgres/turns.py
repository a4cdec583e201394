"""The turns of threads: what orders everything that happens on one. A claim takes one in its own statement."""

from longline_storage_postgres.connections import Connection
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("turns")


async def take_turn(connection: Connection, thread_id: str) -> int:
    """The thread's next turn; 0 if there is no such thread."""
    row = await (await connection.execute(_SQL["take"], {"thread_id": thread_id})).fetchone()
    return 0 if row is None else int(row["turns"])


async def newest_turn(connection: Connection, thread_id: str) -> int:
    """The newest turn that was taken on a thread; 0 if there is none."""
    row = await (await connection.execute(_SQL["newest"], {"thread_id": thread_id})).fetchone()
    return 0 if row is None else int(row["turns"])
