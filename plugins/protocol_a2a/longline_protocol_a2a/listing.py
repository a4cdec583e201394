"""Lists of tasks: of one assistant, as far as the caller may see them, the last changed first.

Imports the protocol's SDK: only what answers a request imports this module.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from a2a.types import ListTasksRequest, ListTasksResponse, Task, TaskState
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError
from a2a.utils.task import apply_history_length

from longline.errors import ForbiddenError, NotFoundError
from longline.models.runs import Run, RunPlace, RunQuery
from longline.models.threads import Thread, ThreadQuery
from longline.services.server import Server
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.names import task_id_of, thread_id_of
from longline_protocol_a2a.snapshots import Snapshots, bare_task
from longline_protocol_a2a.states import SOUGHT, state_of
from longline_protocol_a2a.tasks import Chain, Tasks

_USUAL: Final = 50
_MOST: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Listing:
    """Lists tasks."""

    def __init__(self, server: Server, tasks: Tasks, snapshots: Snapshots) -> None:
        self._runs = server.runs
        self._threads = server.threads
        self._tasks = tasks
        self._snapshots = snapshots

    async def page(self, call: Call, params: ListTasksRequest) -> ListTasksResponse:
        """A page of tasks; without an explicit length they have no history. Raises InvalidParamsError."""
        size = params.page_size if params.HasField("page_size") else _USUAL
        if not 1 <= size <= _MOST:
            raise InvalidParamsError(f"pageSize must be from 1 to {_MOST}")  # noqa: TRY003  # the SDK's
        query = _query(call, params, size)
        try:
            found, total = ([], 0) if query is None else await self._find(call, query)
        except (NotFoundError, ForbiddenError):  # a context that is not the caller's has no tasks
            found, total = [], 0
        page = found[:size]
        threads = await self._threads_of(call, page)
        tasks = [
            task
            for run in page
            if task_id_of(run)
            and run.thread_id in threads
            and (task := await self._task(call, params, run, threads[run.thread_id]))
        ]
        token = _token(page[-1]) if len(found) > size else ""
        return ListTasksResponse(tasks=tasks, next_page_token=token, page_size=size, total_size=total)

    async def _find(self, call: Call, query: RunQuery) -> tuple[list[Run], int]:
        found = await self._runs.search(call.principal, query)
        return list(found), await self._runs.count(call.principal, query)

    async def _threads_of(self, call: Call, runs: Sequence[Run]) -> Mapping[str, Thread]:
        ids = list({run.thread_id for run in runs})
        page = await self._threads.search(call.principal, ThreadQuery(thread_ids=ids, limit=max(1, len(ids))))
        return {thread.thread_id: thread for thread in page.items}

    async def _task(self, call: Call, params: ListTasksRequest, run: Run, thread: Thread) -> Task | None:
        """The task whose head a run is; None if it went in this moment."""
        wants_history = params.HasField("history_length") and params.history_length > 0
        if not wants_history and not params.include_artifacts and state_of(run) not in _TELLING:
            return bare_task(Chain(thread=thread, runs=(run,)))
        try:
            task = await self._snapshots.task(call, await self._tasks.find(call, task_id_of(run) or ""))
        except (NotFoundError, ForbiddenError, TaskNotFoundError):
            return None
        if not params.include_artifacts:
            task.ClearField("artifacts")
        if not wants_history:
            task.ClearField("history")
        return apply_history_length(task, params)


_TELLING: Final = frozenset({TaskState.TASK_STATE_INPUT_REQUIRED, TaskState.TASK_STATE_REJECTED})
"""States whose message stands in what the graph left."""


def _query(call: Call, params: ListTasksRequest, size: int) -> RunQuery | None:
    """The runs to look for; None where there can be none."""
    sought = SOUGHT.get(params.status) if params.status else None
    if params.status and sought is None:
        return None
    since = None
    if params.HasField("status_timestamp_after"):
        since = params.status_timestamp_after.ToDatetime(tzinfo=UTC)
    return RunQuery(
        thread_id=thread_id_of(call.principal, params.context_id) if params.context_id else None,
        assistant_id=call.assistant_id,
        statuses=() if sought is None else sought.statuses,
        verdicts=() if sought is None else sought.verdicts,
        only_heads=True,
        updated_since=since,
        after=_place(params.page_token) if params.page_token else None,
        sort_by="updated_at",
        limit=size + 1,
    )


def _token(run: Run) -> str:
    told = orjson.dumps([(run.updated_at - _EPOCH) // _MICROSECOND, run.run_id])
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def _place(token: str) -> RunPlace:
    try:
        told = orjson.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        if isinstance(told, list) and [type(part) for part in told] == [int, str] and "\0" not in told[1]:
            return RunPlace(updated_at=_EPOCH + told[0] * _MICROSECOND, run_id=told[1])
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise InvalidParamsError("pageToken is none that this server gave")  # noqa: TRY003  # the SDK's
