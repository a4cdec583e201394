"""A message becomes a run: of a new task, or of one that waits for an answer.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from a2a.types import Message, Role, SendMessageConfiguration, SendMessageRequest, TaskState
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError, UnsupportedOperationError

from longline.errors import AlreadyExistsError, ChainMovedOnError, ForbiddenError, NotFoundError
from longline.events.replay import RunReader
from longline.ids import new_id, parse_uuid
from longline.models.assistants import Assistant
from longline.models.json import JsonObject, JsonValue
from longline.models.runs import Run
from longline.models.threads import Thread
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.inputs import Inputs
from longline_protocol_a2a.media import is_accepted
from longline_protocol_a2a.messages import digest_of, to_human
from longline_protocol_a2a.names import (
    CONTEXT_KEY,
    DIGEST_KEY,
    MESSAGE_KEY,
    REFERENCES_KEY,
    TASK_KEY,
    TaskId,
    derived_id,
    thread_id_of,
)
from longline_protocol_a2a.parts import data_in, text_of
from longline_protocol_a2a.ports import PushConfigs
from longline_protocol_a2a.skills import declared_by
from longline_protocol_a2a.snapshots import Left, Snapshots, question_in
from longline_protocol_a2a.states import is_over, state_of
from longline_protocol_a2a.tasks import Chain, Tasks
from longline_protocol_a2a.transcripts import Exchange
from longline_protocol_a2a.verdicts import WORD_KEY, messages_in, read_values

_LONGEST_ID: Final = 1_000
"""Characters: ids come back with each task of a list."""
_TOO_LATE: Final = "the task waits no more: it was answered or cancelled, or its context has gone on without an answer"

Start = Callable[[RunRequest], Awaitable[tuple[Run, RunReader | None]]]
"""Puts a run on the queue, with a reader if one is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The run that answers a message. Without a reader it was not started now: the message had come before, or nobody
    waits."""

    task_id: str
    run_id: str
    thread_id: str
    reader: RunReader | None = None


class Sending:
    """Takes messages."""

    def __init__(self, server: Server, tasks: Tasks, snapshots: Snapshots, pushes: PushConfigs) -> None:
        self._server = server
        self._tasks = tasks
        self._snapshots = snapshots
        self._pushes = pushes
        self._inputs = Inputs(server)

    async def begin(self, call: Call, params: SendMessageRequest, start: Start) -> Begun:
        """Start the run that answers the message. One that comes again while its run is the newest of its context
        starts nothing. Raises the protocol's errors."""
        message, configuration = params.message, params.configuration
        assistant = await self._assistant(call)
        _check(message, assistant)
        if configuration.HasField("task_push_notification_config"):
            await self._pushes.check(call, configuration.task_push_notification_config)
        if message.task_id:
            return await self._go_on(call, params, start)
        return await self._begin_task(call, params, assistant, start)

    async def _begin_task(self, call: Call, params: SendMessageRequest, assistant: Assistant, start: Start) -> Begun:
        message, takes_messages = params.message, await self._takes_messages(call, params, assistant)
        thread_id, digest = new_id(), digest_of(message)
        thread, newest = None, None
        if message.context_id:
            thread_id = thread_id_of(call.principal, message.context_id)
            thread, newest = await self._context(call, message.context_id, thread_id)
            if newest is not None and newest.metadata.get(DIGEST_KEY) == digest and newest.chain_id == newest.run_id:
                return _again(newest)
        run_id = new_id()
        if message.context_id:  # a message that comes twice at once makes one run
            run_id = derived_id("run", thread_id, "" if newest is None else newest.run_id, digest)
        human = to_human(params, human_id=_unused_id(message, thread))
        request = RunRequest(
            assistant=call.assistant_id,
            thread_id=thread_id,
            input={"messages": [human]} if takes_messages else data_in(message.parts[0]),
            metadata=_metadata(message, digest, message.context_id or thread_id),
            if_not_exists="create" if thread is None else "reject",
            run_id=run_id,
            chain_id=run_id,
            request_id=call.request_id,
        )
        return await self._start(call, request, params.configuration, start)

    async def _go_on(self, call: Call, params: SendMessageRequest, start: Start) -> Begun:
        message = params.message
        chain = await self._tasks.find(call, message.task_id)
        if message.context_id and message.context_id != chain.context_id:
            raise InvalidParamsError("contextId is not that of the task")  # noqa: TRY003  # the SDK's
        digest = digest_of(message)
        if chain.head.metadata.get(DIGEST_KEY) == digest:
            return _again(chain.head)
        _require_waiting(chain)
        left = await self._snapshots.left(call, chain)
        request = RunRequest(
            assistant=call.assistant_id,
            thread_id=chain.head.thread_id,
            command=_command(params, chain, left),
            metadata=_metadata(message, digest, chain.context_id),
            run_id=derived_id("run", chain.head.thread_id, chain.head.run_id, digest),
            chain_id=chain.first.chain_id,
            follows=chain.seen_head,
            request_id=call.request_id,
        )
        return await self._start(call, request, params.configuration, start)

    async def _start(
        self, call: Call, request: RunRequest, configuration: SendMessageConfiguration, start: Start
    ) -> Begun:
        thread_id, run_id = request.thread_id or "", request.run_id or ""
        task_id = str(TaskId(thread_id, request.chain_id or ""))
        has_config = configuration.HasField("task_push_notification_config")
        if has_config:
            await self._pushes.create(call, task_id, configuration.task_push_notification_config)
        begun = Begun(task_id=task_id, run_id=run_id, thread_id=thread_id)
        try:
            metadata: JsonObject = {**request.metadata, TASK_KEY: task_id}
            _, reader = await start(replace(request, metadata=metadata, stream_modes=(), resumable=True))
        except AlreadyExistsError:  # the same message came twice at once
            return begun
        except ChainMovedOnError as error:
            if run_id in [run.run_id for run in (await self._tasks.find(call, task_id)).runs]:
                return begun  # the same message moved it on
            raise UnsupportedOperationError(_TOO_LATE) from error
        except (NotFoundError, ForbiddenError) as error:
            if has_config and request.follows is None:
                config = configuration.task_push_notification_config
                await self._pushes.delete(call, task_id, config.id or task_id)
            raise InvalidParamsError(str(error)) from error
        return replace(begun, reader=reader)

    async def _assistant(self, call: Call) -> Assistant:
        try:
            return await self._server.assistants.get(call.principal, call.assistant_id)
        except (NotFoundError, ForbiddenError) as error:
            raise InvalidParamsError(f"Assistant {call.assistant_id!r} not found") from error  # noqa: TRY003  # the SDK's

    async def _context(self, call: Call, context_id: str, thread_id: str) -> tuple[Thread | None, Run | None]:
        """The context's thread, if it is there, and the newest run on it. One that the caller named in words is made;
        one that is not theirs they cannot have."""
        with suppress(NotFoundError):
            newest = await self._tasks.newest_on(call, thread_id)
            return await self._server.threads.get(call.principal, thread_id), newest
        if parse_uuid(context_id) is not None:
            return None, None
        try:
            made = await self._server.threads.create(
                call.principal, thread_id=thread_id, metadata={CONTEXT_KEY: context_id}, if_exists="do_nothing"
            )
        except (AlreadyExistsError, ForbiddenError) as error:
            raise InvalidParamsError("contextId cannot be used") from error  # noqa: TRY003  # the SDK's
        return made, None

    async def _takes_messages(self, call: Call, params: SendMessageRequest, assistant: Assistant) -> bool:
        """Whether the graph gets the message, or its data as the input. Raises InvalidParamsError if it can take
        neither."""
        if await self._inputs.takes_messages(call, assistant):
            return True
        parts = params.message.parts
        if len(parts) == 1 and parts[0].WhichOneof("content") == "data" and isinstance(data_in(parts[0]), dict):
            return False
        raise InvalidParamsError(  # noqa: TRY003  # the SDK's
            f"the graph of assistant {assistant.name!r} has no `messages` input: send its input as one data part"
        )


def _check(message: Message, assistant: Assistant) -> None:
    """Raises InvalidParamsError, ContentTypeNotSupportedError."""
    if message.role != Role.ROLE_USER:
        raise InvalidParamsError("role must be that of the user")  # noqa: TRY003  # the SDK's
    if max(len(message.message_id), len(message.context_id)) > _LONGEST_ID:
        raise InvalidParamsError(f"messageId and contextId have at most {_LONGEST_ID} characters")  # noqa: TRY003  # the SDK's
    if any(part.WhichOneof("content") is None for part in message.parts):
        raise InvalidParamsError("a part has no content")  # noqa: TRY003  # the SDK's
    modes = declared_by(assistant).input_modes
    for part in message.parts:
        if part.media_type and not is_accepted(part.media_type, modes):
            raise ContentTypeNotSupportedError(  # noqa: TRY003  # the SDK's
                f"media type {part.media_type[:100]!r} is not supported; supported are {', '.join(modes)}"
            )


def _require_waiting(chain: Chain) -> None:
    state = state_of(chain.head)
    if is_over(chain.head):
        told = TaskState.Name(state).removeprefix("TASK_STATE_").lower()
        raise UnsupportedOperationError(f"the task is {told}: it takes no more messages")  # noqa: TRY003  # the SDK's
    if state != TaskState.TASK_STATE_INPUT_REQUIRED:
        raise UnsupportedOperationError("the task is working: it takes a message when it asks for one")  # noqa: TRY003  # the SDK's


def _command(params: SendMessageRequest, chain: Chain, left: Left) -> JsonObject:
    """What answers the graph's questions: several open ones all get the same answer."""
    human = to_human(params, human_id=params.message.message_id)
    answer = _answer(params.message, human)
    ids = [str(interrupt.get("id")) for interrupt in left.interrupts]
    resume: JsonValue = dict.fromkeys(ids, answer) if len(ids) > 1 else answer
    last = next((one.get("id") for one in reversed(messages_in(left.values))), None)
    exchange = Exchange(message=human, after=last if isinstance(last, str) else None, question=question_in(chain, left))
    return {"resume": resume, WORD_KEY: exchange.to_json()}


def _answer(message: Message, human: JsonObject) -> JsonValue:
    """A message as the answer to an interrupt: its data, else its text, else the blocks of its files."""
    data = [data_in(part) for part in message.parts if part.WhichOneof("content") == "data"]
    if data:
        return data[0] if len(data) == 1 else data
    if text := text_of(message.parts):
        return text
    return human["content"]


def _metadata(message: Message, digest: str, context_id: str) -> JsonObject:
    """What a graph finds in its config's metadata, beside the task's id."""
    found: JsonObject = {MESSAGE_KEY: message.message_id, DIGEST_KEY: digest, CONTEXT_KEY: context_id}
    if message.reference_task_ids:
        found[REFERENCES_KEY] = list(message.reference_task_ids)
    return found


def _unused_id(message: Message, thread: Thread | None) -> str:
    """The message's id; another if a message on its thread has that: a state knows one message by one id."""
    known = () if thread is None else messages_in(read_values(thread.values))
    return new_id() if any(one.get("id") == message.message_id for one in known) else message.message_id


def _again(run: Run) -> Begun:
    return Begun(
        task_id=str(TaskId(run.thread_id, run.chain_id or run.run_id)), run_id=run.run_id, thread_id=run.thread_id
    )
