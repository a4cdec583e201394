"""Tasks cancelled: their run is stopped wherever it is; one that waits for an answer is given up.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from functools import partial
from typing import Final

from a2a.types import TaskState
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError

from longline.errors import ForbiddenError, NotCancellableError, NotFoundError
from longline.models.runs import CancelRequest
from longline.services.server import Server
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.ports import PushConfigs
from longline_protocol_a2a.states import is_over, state_of
from longline_protocol_a2a.tasks import Chain, Tasks

_PATIENCE_SECONDS: Final = 10.0
"""How long a cancelled run may take to stop before its task is told as it is."""
_TRIES: Final = 3


class Cancelling:
    """Cancels tasks."""

    def __init__(self, server: Server, tasks: Tasks, push: PushConfigs) -> None:
        self._push = push
        self._runs = server.runs
        self._tasks = tasks

    async def cancel(self, call: Call, task_id: str) -> Chain:
        """The task after it was cancelled: a graph that does not stop is still at work. Raises TaskNotFoundError, and
        TaskNotCancelableError for one that is over."""
        for _ in range(_TRIES):  # it may go on in between
            chain = await self._tasks.find(call, task_id)
            if is_over(chain.head):
                raise TaskNotCancelableError
            try:
                if await self._stop(call, chain):
                    break
            except (NotFoundError, ForbiddenError) as error:
                raise TaskNotFoundError from error
        return await self._tasks.find(call, task_id)

    async def _stop(self, call: Call, chain: Chain) -> bool:
        """Stop the head, or give it up; whether that was done."""
        head = chain.head
        if state_of(head) == TaskState.TASK_STATE_INPUT_REQUIRED:
            give_up = partial(self._runs.give_up, call.principal, head.thread_id, chain.seen_head)
            return await self._push.tell_given_up(head, give_up)
        _, reader = await self._runs.join(call.principal, head.thread_id, head.run_id, only_end=True)
        with reader:
            request = CancelRequest(action="interrupt", reason="cancelled by an A2A client")
            try:
                await self._runs.cancel(call.principal, head.thread_id, [head.run_id], request)
            except NotCancellableError:
                return False
            await reader.wait_for_end(_PATIENCE_SECONDS)
        return True
