"""The writes of one state update, stored as one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from longline_storage_postgres.checkpoints import FencedPostgresSaver


class PostgresStateWrites:
    """See StateWrites."""

    def __init__(self, saver: "FencedPostgresSaver", thread_id: str) -> None:
        self.saver = saver.collecting()
        self._thread_id = thread_id

    async def commit(self) -> None:
        """See StateWrites."""
        await self.saver.commit(self._thread_id)
