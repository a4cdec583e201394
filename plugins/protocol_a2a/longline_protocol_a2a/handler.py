"""The protocol's operations, on runs and threads. A task lives in no process: every server answers every request.

Imports the protocol's SDK: only what answers a request imports this module.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace

from a2a.server.context import ServerCallContext
from a2a.server.events.event_queue import Event
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import A2AError, InternalError, TaskNotCancelableError, UnsupportedOperationError
from a2a.utils.proto_utils import validate_proto_required_fields
from a2a.utils.task import apply_history_length, validate_history_length

from longline.errors import LonglineError
from longline.events.replay import RunReader
from longline.models.runs import Run
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_protocol_a2a.calls import Call, call_of
from longline_protocol_a2a.cancelling import Cancelling
from longline_protocol_a2a.errors import message_of
from longline_protocol_a2a.listing import Listing
from longline_protocol_a2a.ports import ExtendedCards, PushConfigs
from longline_protocol_a2a.replying import direct_reply
from longline_protocol_a2a.sending import Begun, Sending
from longline_protocol_a2a.snapshots import Snapshots, whole_task
from longline_protocol_a2a.states import is_over, state_of
from longline_protocol_a2a.streaming import TaskStreams
from longline_protocol_a2a.tasks import Tasks

logger = logging.getLogger(__name__)


class LonglineRequestHandler(RequestHandler):
    """See RequestHandler. One for all assistants: the context of a call says which one is meant, and who calls."""

    def __init__(self, server: Server, *, push: PushConfigs, cards: ExtendedCards) -> None:
        self._runs = server.runs
        self._pushes = push
        self._cards = cards
        self._tasks = Tasks(server)
        self._snapshots = Snapshots(server, self._tasks)
        self._sending = Sending(server, self._tasks, self._snapshots, push)
        self._streams = TaskStreams(server, self._tasks, self._snapshots)
        self._listing = Listing(server, self._tasks, self._snapshots)
        self._cancelling = Cancelling(server, self._tasks, push)

    # -- tasks ------------------------------------------------------------------------------------------------------

    @validate_request_params
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task:
        """See RequestHandler."""
        validate_history_length(params)
        call = call_of(context)
        with _told():
            chain = await self._tasks.find(call, params.id)
            return apply_history_length(await self._snapshots.task(call, chain), params)

    @validate_request_params
    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """See RequestHandler."""
        validate_history_length(params)
        with _told():
            return await self._listing.page(call_of(context), params)

    @validate_request_params
    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task:
        """See RequestHandler."""
        call = call_of(context)
        with _told():
            chain = await self._cancelling.cancel(call, params.id)
            if is_over(chain.head) and state_of(chain.head) != TaskState.TASK_STATE_CANCELED:
                raise TaskNotCancelableError
            return await self._snapshots.task(call, chain)

    # -- messages ---------------------------------------------------------------------------------------------------

    @validate_request_params
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task | Message:
        """See RequestHandler."""
        validate_history_length(params.configuration)
        call, waits = call_of(context), not params.configuration.return_immediately
        with _told():
            begun = await self._begin(call, params, wants_events=None if not waits else False)
            if waits:
                await self._streams.wait(call, begun.thread_id, begun.run_id, begun.reader)
            chain = (await self._tasks.find(call, begun.task_id)).until(begun.run_id)
            left = await self._snapshots.left(call, chain)
            return direct_reply(chain, left) or apply_history_length(whole_task(chain, left), params.configuration)

    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """See RequestHandler."""
        validate_history_length(params.configuration)
        call = call_of(context)
        with _told():
            begun = await self._begin(call, params, wants_events=True)
            chain = (await self._tasks.find(call, begun.task_id)).until(begun.run_id)
            if begun.reader is not None:
                told = self._streams.of_message(call, chain, begun.reader)
            elif chain.head.status.is_terminal:
                yield apply_history_length(await self._snapshots.task(call, chain), params.configuration)
                return
            else:
                told = self._streams.of_task(call, chain)
            async with aclosing(told) as events:
                async for event in events:
                    yield apply_history_length(event, params.configuration) if isinstance(event, Task) else event

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """See RequestHandler."""
        call = call_of(context)
        with _told():
            chain = await self._tasks.find(call, params.id)
            if is_over(chain.head):
                raise UnsupportedOperationError("the task is over: there is nothing to follow")  # noqa: TRY003  # the SDK's
            async with aclosing(self._streams.of_task(call, chain)) as events:
                async for event in events:
                    yield event

    async def _begin(self, call: Call, params: SendMessageRequest, *, wants_events: bool | None) -> Begun:
        """Start the run that answers a message, with a reader of its events, of its end alone, or (None) without."""

        async def start(request: RunRequest) -> tuple[Run, RunReader | None]:
            if wants_events is None:
                return await self._runs.create(call.principal, _speaking(request)), None
            if wants_events:
                return await self._runs.watch(call.principal, _speaking(request))
            return await self._runs.watch(call.principal, request, only_end=True)

        return await self._sending.begin(call, params, start)

    # -- push notifications -----------------------------------------------------------------------------------------

    @validate_request_params
    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """See RequestHandler."""
        async with self._seen(context, params.task_id) as call:
            return await self._pushes.create(call, params.task_id, params)

    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """See RequestHandler. Who speaks 0.3 need not say which config."""
        if not call_of(context).is_old:
            validate_proto_required_fields(params)
        async with self._seen(context, params.task_id) as call:
            return await self._pushes.get(call, params.task_id, params.id)

    @validate_request_params
    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        """See RequestHandler."""
        async with self._seen(context, params.task_id) as call:
            return await self._pushes.page(call, params)

    @validate_request_params
    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """See RequestHandler."""
        async with self._seen(context, params.task_id) as call:
            await self._pushes.delete(call, params.task_id, params.id)

    @asynccontextmanager
    async def _seen(self, context: ServerCallContext, task_id: str) -> AsyncIterator[Call]:
        """The call, if its caller may see the task. Raises TaskNotFoundError."""
        call = call_of(context)
        with _told():
            await self._tasks.find(call, task_id)
            yield call

    # -- cards ------------------------------------------------------------------------------------------------------

    @validate_request_params
    async def on_get_extended_agent_card(
        self,
        params: GetExtendedAgentCardRequest,  # noqa: ARG002  # it says no more
        context: ServerCallContext,
    ) -> AgentCard:
        """See RequestHandler."""
        with _told():
            return await self._cards.extended(call_of(context))


def _speaking(request: RunRequest) -> RunRequest:
    """The request of a run that says its messages as they grow. Nobody asked for that who waits for the end."""
    return replace(request, stream_modes=("messages-tuple",))


@contextmanager
def _told() -> Iterator[None]:
    """Errors as the protocol knows them: what went wrong inside the server stays inside."""
    try:
        yield
    except A2AError:
        raise
    except LonglineError as error:
        raise InternalError(message_of(error)) from error
    except Exception as error:
        logger.exception("request failed", extra={"protocol": "a2a"})
        raise InternalError from error
