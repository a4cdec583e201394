"""Tasks as they are told: their state, what was said, and what was made.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from a2a.types import Message, Role, Task, TaskState, TaskStatus

from longline.encoding import encode
from longline.models.json import JsonObject, JsonValue
from longline.models.runs import RunStatus
from longline.services.server import Server
from longline.services.threads import HistoryQuery
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.messages import parts_of, to_message
from longline_protocol_a2a.names import derived_id
from longline_protocol_a2a.states import state_of
from longline_protocol_a2a.tasks import Chain, Tasks
from longline_protocol_a2a.transcripts import answers_in, artifacts_of, has_messages, history_of
from longline_protocol_a2a.verdicts import read_values

if TYPE_CHECKING:
    from langgraph.types import StateSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a task's runs left so far: the values of its graph, and what the graph asks for."""

    values: JsonValue = None
    interrupts: Sequence[JsonObject] = ()


class Snapshots:
    """Reads tasks from what is stored: the thread's row where the task is the last on its thread, else the checkpoint
    that its last run left."""

    def __init__(self, server: Server, tasks: Tasks) -> None:
        self._threads = server.threads
        self._tasks = tasks

    async def task(self, call: Call, chain: Chain) -> Task:
        """The whole task. Raises NotFoundError if its thread went in this moment."""
        return whole_task(chain, await self.left(call, chain))

    async def left(self, call: Call, chain: Chain) -> Left:
        """What the task's runs left. Raises NotFoundError, ForbiddenError."""
        head = chain.head
        if head.status is RunStatus.RUNNING:
            return _left_in(await self._threads.state(call.principal, head.thread_id))
        newest = await self._tasks.newest_on(call, head.thread_id)
        if newest is not None and newest.run_id == head.run_id and head.status is not RunStatus.PENDING:
            return _left_on(chain)
        ended = [run for run in chain.runs if run.status.is_terminal]
        if not ended:
            return Left()
        query = HistoryQuery(limit=1, metadata={"run_id": ended[-1].run_id})
        found = await self._threads.history(call.principal, head.thread_id, query)
        if found:
            return _left_in(found[0])
        return Left(values=_left_in(await self._threads.state(call.principal, head.thread_id)).values)


def whole_task(chain: Chain, left: Left) -> Task:
    """The task with its history and its artifacts."""
    state = state_of(chain.head)
    artifacts = (
        artifacts_of(chain, left.values) if has_messages(chain) or state == TaskState.TASK_STATE_COMPLETED else []
    )
    history = history_of(chain, left.values)
    status = status_of(chain, left)
    if state == TaskState.TASK_STATE_REJECTED and artifacts:  # its last word is why, and nothing that was made
        artifacts, history = artifacts[:-1], history[:-1]
    return Task(id=chain.task_id, context_id=chain.context_id, status=status, artifacts=artifacts, history=history)


def bare_task(chain: Chain) -> Task:
    """The task without what was said and made: what its runs tell by themselves."""
    return Task(id=chain.task_id, context_id=chain.context_id, status=status_of(chain, Left()))


def status_of(chain: Chain, left: Left) -> TaskStatus:
    """The task's state, since when, and why."""
    state = state_of(chain.head)
    status = TaskStatus(state=state)
    status.timestamp.FromDatetime(chain.head.updated_at)
    message = _why(chain, left, state)
    if message is not None and message.parts:
        status.message.CopyFrom(message)
    return status


def question_in(chain: Chain, left: Left) -> JsonObject | None:
    """What the graph asks for, as a message of the agent; None if it says nothing."""
    values = [interrupt.get("value") for interrupt in left.interrupts]
    blocks: JsonValue = [_asked(value) for value in values if value not in (None, "")]
    return {"type": "ai", "id": derived_id("question", chain.head.run_id), "content": blocks} if blocks else None


def _why(chain: Chain, left: Left, state: "TaskState") -> Message | None:
    if state == TaskState.TASK_STATE_FAILED:
        failure = chain.head.failure
        text = f"The task failed: {failure.error}" if failure is not None else "The task failed"
        said: JsonObject | None = {"id": derived_id("failure", chain.head.run_id), "content": text}
    elif state == TaskState.TASK_STATE_INPUT_REQUIRED:
        said = question_in(chain, left)
    elif state == TaskState.TASK_STATE_REJECTED:
        said = next(iter(answers_in(chain, left.values)[-1:]), None)
    else:
        return None
    if said is None or not parts_of(said):
        return None
    return to_message(said, task_id=chain.task_id, context_id=chain.context_id, role=Role.ROLE_AGENT)


def _asked(value: JsonValue) -> JsonObject:
    """What an interrupt says, as a block."""
    return {"type": "text", "text": value} if isinstance(value, str) else {"type": "non_standard", "value": value}


def _left_on(chain: Chain) -> Left:
    thread = chain.thread
    told = read_values(thread.interrupts)
    found = [one for task in told.values() if isinstance(task, list) for one in task] if isinstance(told, dict) else []
    interrupts = [one for one in found if isinstance(one, dict)]
    return Left(values=read_values(thread.values), interrupts=interrupts)


def _left_in(snapshot: "StateSnapshot | None") -> Left:
    if snapshot is None:
        return Left()
    interrupts = [{"id": one.id, "value": one.value} for task in snapshot.tasks for one in task.interrupts]
    read = orjson.loads(encode({"values": snapshot.values, "interrupts": interrupts}))
    return Left(values=read["values"], interrupts=read["interrupts"])
