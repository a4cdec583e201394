"""A task as push notifications tell it: in the version of the protocol that its receiver reads, and not too large.

Imports the protocol's SDK: only who has something to tell imports this module.
"""

from dataclasses import dataclass, replace

import orjson
from a2a.compat.v0_3.conversions import to_compat_task
from a2a.types import StreamResponse, Task, TaskState, TaskStatus
from a2a.utils.errors import TaskNotFoundError
from google.protobuf.json_format import MessageToDict

from longline.auth.principal import Principal
from longline.errors import ForbiddenError, NotFoundError
from longline.services.server import Server
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.names import context_id_of
from longline_protocol_a2a.push_endings import Ending
from longline_protocol_a2a.snapshots import Snapshots
from longline_protocol_a2a.states import SOUGHT, TERMINAL
from longline_protocol_a2a.tasks import Tasks
from longline_protocol_a2a.versions import OLD


@dataclass(frozen=True, slots=True)
class TaskNews:
    """See News. `limit` is the largest body in bytes: a larger task is told without its history, then without its
    artifacts; its receiver can still ask for it."""

    task: Task
    limit: int

    @property
    def is_over(self) -> bool:
        """See News."""
        return self.task.status.state in TERMINAL

    def body(self, version: str) -> str:
        """See News."""
        render = _render_0_3 if version == OLD else _render
        told = Task()
        told.CopyFrom(self.task)
        for part in ("history", "artifacts", None):
            rendered = render(told)
            if len(rendered) <= self.limit or part is None:
                break
            told.ClearField(part)
        return rendered.decode()


async def read_news(server: Server, principal: Principal, ending: Ending, limit: int) -> TaskNews | None:
    """The task as it was when this run of it ended, however it has gone on; None if the principal may not see it, or
    what was expected did not happen."""
    tasks = Tasks(server)
    call = Call(principal=principal, assistant_id=ending.assistant_id)
    try:
        chain = (await tasks.find(call, ending.task_id)).until(ending.run_id)
        if chain.head.run_id != ending.run_id:
            raise TaskNotFoundError  # the run is gone
        if ending.is_expected and chain.head.status is not ending.status:
            return None
        head = replace(chain.head, status=ending.status, verdict=ending.verdict)
        chain = replace(chain, runs=(*chain.runs[:-1], head))
        return TaskNews(await Snapshots(server, tasks).task(call, chain), limit)
    except (TaskNotFoundError, NotFoundError, ForbiddenError):
        return await _read_gone(server, principal, ending, limit)


async def _read_gone(server: Server, principal: Principal, ending: Ending, limit: int) -> TaskNews | None:
    """What is known of a task whose run was removed, by a rollback: which one, and how it ended."""
    try:
        thread = await server.threads.get(principal, ending.thread_id)
    except (NotFoundError, ForbiddenError):
        return None
    status = TaskStatus(state=_state_of(ending))
    status.timestamp.FromDatetime(ending.ended_at)
    return TaskNews(Task(id=ending.task_id, context_id=context_id_of(thread), status=status), limit)


def _state_of(ending: Ending) -> "TaskState":
    found = (
        state
        for state, sought in SOUGHT.items()
        if ending.status in sought.statuses and (not sought.verdicts or ending.verdict in sought.verdicts)
    )
    return next(found, TaskState.TASK_STATE_COMPLETED)


def _render(task: Task) -> bytes:
    return orjson.dumps(MessageToDict(StreamResponse(task=task)))


def _render_0_3(task: Task) -> bytes:
    return orjson.dumps(to_compat_task(task).model_dump(mode="json", by_alias=True, exclude_none=True))
