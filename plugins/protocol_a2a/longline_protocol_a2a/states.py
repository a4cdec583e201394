"""States of tasks: from the statuses and verdicts of runs, and back for searches.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from dataclasses import dataclass
from typing import Final

from a2a.types import TaskState

from longline.models.runs import Run, RunStatus
from longline_protocol_a2a.verdicts import REJECTED, WAITS

TERMINAL: Final = frozenset({
    TaskState.TASK_STATE_COMPLETED, TaskState.TASK_STATE_FAILED, TaskState.TASK_STATE_CANCELED,
    TaskState.TASK_STATE_REJECTED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sought:
    """Which runs are in a state."""

    statuses: tuple[RunStatus, ...]
    verdicts: tuple[str | None, ...] = ()


SOUGHT: Final = {
    TaskState.TASK_STATE_SUBMITTED: Sought((RunStatus.PENDING,)),
    TaskState.TASK_STATE_WORKING: Sought((RunStatus.RUNNING,)),
    TaskState.TASK_STATE_COMPLETED: Sought((RunStatus.SUCCESS,), (None,)),
    TaskState.TASK_STATE_INPUT_REQUIRED: Sought((RunStatus.SUCCESS,), (WAITS,)),
    TaskState.TASK_STATE_REJECTED: Sought((RunStatus.SUCCESS,), (REJECTED,)),
    TaskState.TASK_STATE_CANCELED: Sought((RunStatus.INTERRUPTED,)),
    TaskState.TASK_STATE_FAILED: Sought((RunStatus.ERROR, RunStatus.TIMEOUT)),
}
"""The states that tasks here can be in."""


def state_of(run: Run) -> "TaskState":
    """The state of a task whose newest run this is."""
    for state, sought in SOUGHT.items():
        if run.status in sought.statuses and (not sought.verdicts or run.verdict in sought.verdicts):
            return state
    return TaskState.TASK_STATE_COMPLETED  # a verdict that only another version knows


def is_over(run: Run) -> bool:
    """Whether a task whose newest run this is will never change."""
    return state_of(run) in TERMINAL
