"""Tasks: chains of runs on a thread, found as their caller.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from a2a.utils.errors import TaskNotFoundError

from longline.errors import ForbiddenError, NotFoundError
from longline.models.chains import ChainHead
from longline.models.runs import Run, RunQuery
from longline.models.threads import Thread
from longline.services.server import Server
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.names import context_id_of, parse_task_id, task_id_of

_MOST_RUNS: Final = 1_000
"""Answers that a task may have asked for and still be shown whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A task: its thread, and its runs, the oldest first."""

    thread: Thread
    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """The run that the task began with."""
        return self.runs[0]

    @property
    def head(self) -> Run:
        """The newest run, whose state is the task's."""
        return self.runs[-1]

    @property
    def task_id(self) -> str:
        """The task's id."""
        return f"{self.first.thread_id}:{self.first.chain_id}"

    @property
    def context_id(self) -> str:
        """The task's context, as its owner calls it."""
        return context_id_of(self.thread)

    @property
    def seen_head(self) -> ChainHead:
        """The head as it was read."""
        return ChainHead(run_id=self.head.run_id, verdict=self.head.verdict)

    def after(self, run_id: str) -> str:
        """The run that came after this one; the same if there is none."""
        ids = [run.run_id for run in self.runs]
        return next((later for earlier, later in pairwise(ids) if earlier == run_id), run_id)

    def until(self, run_id: str) -> "Chain":
        """The task as it was with this run as its newest."""
        place = next((place for place, run in enumerate(self.runs) if run.run_id == run_id), len(self.runs) - 1)
        return Chain(thread=self.thread, runs=self.runs[: place + 1])


class Tasks:
    """Finds tasks. What the caller may not see, and what another assistant made, is not there."""

    def __init__(self, server: Server) -> None:
        self._threads = server.threads
        self._runs = server.runs

    async def find(self, call: Call, task_id: str) -> Chain:
        """The task. Raises TaskNotFoundError."""
        parsed = parse_task_id(task_id)
        if parsed is None:
            raise TaskNotFoundError(_unknown(task_id))
        query = RunQuery(thread_id=parsed.thread_id, chain_id=parsed.chain_id, sort_by="position", limit=_MOST_RUNS)
        try:
            runs = await self._runs.search(call.principal, query)
            thread = await self._threads.get(call.principal, parsed.thread_id)
        except (NotFoundError, ForbiddenError):
            raise TaskNotFoundError(_unknown(task_id)) from None
        if not runs or task_id_of(runs[-1]) is None or runs[-1].assistant_id != call.assistant_id:
            raise TaskNotFoundError(_unknown(task_id))
        return Chain(thread=thread, runs=tuple(reversed(runs)))

    async def head_of(self, call: Call, chain: Chain) -> Run:
        """The newest run of the task by now, and nothing else of it. Raises TaskNotFoundError."""
        query = RunQuery(thread_id=chain.head.thread_id, chain_id=chain.first.chain_id, sort_by="position", limit=1)
        try:
            found = await self._runs.search(call.principal, query)
        except (NotFoundError, ForbiddenError):
            found = []
        if not found:
            raise TaskNotFoundError(_unknown(chain.task_id))
        return found[0]

    async def newest_on(self, call: Call, thread_id: str) -> Run | None:
        """The newest run on a thread, of whatever task. Raises NotFoundError, ForbiddenError."""
        query = RunQuery(thread_id=thread_id, sort_by="position", limit=1)
        return next(iter(await self._runs.search(call.principal, query)), None)


def _unknown(task_id: str) -> str:
    return f"Task not found: {task_id[:200]}"
