"""Tasks followed as they happen, at whatever server their runs are.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Final, TypeVar

from a2a.types import Task, TaskState
from a2a.utils.errors import TaskNotFoundError

from longline.errors import ForbiddenError, NotFoundError
from longline.events.replay import RunReader
from longline.models.events import BEGINNING
from longline.services.server import Server
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.snapshots import Left, Snapshots, whole_task
from longline_protocol_a2a.states import is_over, state_of
from longline_protocol_a2a.tasks import Chain, Tasks
from longline_protocol_a2a.updates import Telling, Update

T = TypeVar("T")

_MOST_PAGES: Final = 10_000
_WAIT_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 1.0
_MOST_LOOK_SECONDS: Final = 5.0
"""How often a task that waits for an answer is looked at, at first and in the end: a cancel of it is no event on its
thread, and many may follow tasks that nobody answers."""


class TaskStreams:
    """Follows tasks."""

    def __init__(self, server: Server, tasks: Tasks, snapshots: Snapshots) -> None:
        self._server = server
        self._tasks = tasks
        self._snapshots = snapshots

    async def of_message(self, call: Call, chain: Chain, reader: RunReader) -> AsyncGenerator[Task | Update, None]:
        """A task that was begun, or gone on with, now: as it was before, then what its run says up to its end."""
        with reader:
            telling = Telling(chain, is_old=call.is_old)
            left = Left() if len(chain.runs) == 1 else await self._snapshots.left(call, chain)
            task = whole_task(chain, left)
            task.status.ClearField("message")
            task.status.state = TaskState.TASK_STATE_SUBMITTED
            yield telling.take_up(task)
            async with aclosing(self._run(call, chain, reader, telling)) as updates:
                async for update in updates:
                    yield update

    async def of_task(self, call: Call, chain: Chain) -> AsyncGenerator[Task | Update, None]:
        """A task that is not over: as it is, then what happens until it is, run after run."""
        telling, is_first, told = Telling(chain, is_old=call.is_old), True, ""
        while True:
            # A run that has ended in between is told from its log: all who follow the task are told the same.
            if not chain.head.status.is_terminal or told not in ("", chain.head.run_id):
                with await self._join(call, chain.head.thread_id, chain.head.run_id) as reader:
                    if is_first:
                        await _catch_up(reader, telling)
                        yield telling.take_up(await self._snapshots.task(call, chain))
                    async with aclosing(self._run(call, chain, reader, telling)) as updates:
                        async for update in updates:
                            yield update
            elif is_first:
                yield telling.take_up(await self._snapshots.task(call, chain))
            else:
                for update in telling.finish(await self._snapshots.task(call, chain)):
                    yield update
            is_first, told = False, chain.head.run_id
            if is_over(chain.head):
                return
            chain = await self._next(call, chain)
            if chain.head.run_id == told and state_of(chain.head) == telling.state:
                return  # that was told with the run's end

    async def wait(self, call: Call, thread_id: str, run_id: str, reader: RunReader | None) -> None:
        """Until the run has ended. Raises TaskNotFoundError."""
        if reader is None:
            reader = await self._join(call, thread_id, run_id, only_end=True)
        with reader:
            while await reader.wait_for_end(_WAIT_SECONDS) is None:
                continue

    async def _run(self, call: Call, chain: Chain, reader: RunReader, telling: Telling) -> AsyncGenerator[Update, None]:
        """What a run says, and how it leaves its task."""
        run_id = chain.head.run_id
        with reader:
            while (events := await reader.read(_WAIT_SECONDS)) != []:
                for update in telling.add(events or ()):
                    yield update
        chain = (await self._tasks.find(call, chain.task_id)).until(run_id)
        for update in telling.finish(await self._snapshots.task(call, chain)):
            yield update

    async def _next(self, call: Call, chain: Chain) -> Chain:
        """The task once it has gone on from its head, with the run after that as its newest, or once it is over."""
        follow = self._server.thread_streams.follow(call.principal, chain.head.thread_id)
        with await _found(chain.task_id, follow) as happening:
            patience = _LOOK_SECONDS
            while True:
                head = await self._tasks.head_of(call, chain)
                if head.run_id != chain.head.run_id or is_over(head):
                    found = await self._tasks.find(call, chain.task_id)
                    return found.until(found.after(chain.head.run_id))
                await happening.read(patience)
                patience = min(1.5 * patience, _MOST_LOOK_SECONDS)

    async def _join(self, call: Call, thread_id: str, run_id: str, *, only_end: bool = False) -> RunReader:
        after = None if only_end else BEGINNING
        joining = self._server.runs.join(call.principal, thread_id, run_id, after=after, only_end=only_end)
        _, reader = await _found(f"{thread_id}:{run_id}", joining)
        return reader


async def _found(task_id: str, reading: Awaitable[T]) -> T:
    try:
        return await reading
    except (NotFoundError, ForbiddenError) as error:
        raise TaskNotFoundError(f"Task not found: {task_id}") from error  # noqa: TRY003  # the SDK's


async def _catch_up(reader: RunReader, telling: Telling) -> None:
    """Read what a run has said so far, which its task is told with."""
    for _ in range(_MOST_PAGES):
        events = await reader.read(0)
        if not events:
            return
        telling.add(events)
