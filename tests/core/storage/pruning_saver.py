"""A saver as a project may write one: LangGraph's own for SQLite, with what that leaves out."""

from collections.abc import Sequence

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

_OF_RUN = "json_extract(metadata, '$.run_id') = ?"
_OLD = (
    "checkpoint_id < (SELECT max(checkpoint_id) FROM checkpoints AS newest "
    "WHERE newest.thread_id = checkpoints.thread_id AND newest.checkpoint_ns = checkpoints.checkpoint_ns)"
)


class PruningSaver(AsyncSqliteSaver):
    """Can remove the checkpoints of runs, and all but the latest."""

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        async with self.lock:
            for run_id in run_ids:
                await self.conn.execute(f"DELETE FROM checkpoints WHERE {_OF_RUN}", (run_id,))
            await self.conn.commit()

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        assert strategy == "keep_latest"
        async with self.lock:
            for thread_id in thread_ids:
                await self.conn.execute(f"DELETE FROM checkpoints WHERE thread_id = ? AND {_OLD}", (thread_id,))
            await self.conn.commit()
