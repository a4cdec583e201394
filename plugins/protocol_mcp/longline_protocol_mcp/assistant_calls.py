"""A call of an assistant's tool: a run as its caller, followed to its end."""

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Final

from longline.auth.principal import Principal
from longline.errors import (
    ForbiddenError,
    GraphLoadError,
    LonglineError,
    NotCancellableError,
    NotFoundError,
    StorageError,
)
from longline.events.replay import RunReader
from longline.ids import new_id
from longline.models.assistants import Assistant
from longline.models.json import JsonObject, JsonValue
from longline.models.runs import CancelRequest, Run
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.tools.content import ToolResult
from longline.tools.tool import ToolContext
from longline_protocol_mcp.assistant_errors import NothingAskedError
from longline_protocol_mcp.assistant_progress import STREAM_MODES, Progress, follow
from longline_protocol_mcp.assistant_questions import ask, resuming, waiting_in
from longline_protocol_mcp.assistant_results import Outcome, outcome_of, refused, result_of
from longline_protocol_mcp.assistant_schemas import Asked, InputShape
from longline_protocol_mcp.validators import look_at

logger = logging.getLogger(__name__)

Started = tuple[Run, RunReader]

_CANCELLED: Final = CancelRequest(action="interrupt", reason="the caller cancelled the tool call")
_MOST_QUESTIONS: Final = 50
"""So many questions a call asks its caller before it answers with the next one."""
_CLOSING_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """What a call needs to know: which assistant, what its arguments mean, who calls, under which name."""

    assistant: Assistant
    shape: InputShape
    context: ToolContext
    name: str

    @property
    def principal(self) -> Principal:
        """Who calls."""
        return self.context.principal


class AssistantCalls:
    """Calls assistants. Whoever stops waiting cancels the run, wherever it is executed. A server that leaves cancels
    none: others, or its next start, go on with them, and the callers find them in their threads."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._closing: set[asyncio.Task[None]] = set()
        self._is_leaving = False

    async def call(self, calling: Calling, arguments: JsonObject) -> ToolResult:
        """The answer of a run. Raises InvalidInputError for arguments that do not fit, and the errors of a server that
        is not well."""
        asked = await look_at(arguments, calling.shape.read)
        try:
            request, said_id = await self._request(calling, asked)
            outcome = await self._run(calling, request)
            for _ in range(_MOST_QUESTIONS):
                answer = await self._ask(calling, outcome)
                if not answer:
                    break
                request = replace(request, thread_id=outcome.run.thread_id, input=None)
                request = replace(request, command=resuming(outcome.questions, answer[0]))
                outcome = await self._run(calling, request)
        except (NotFoundError, ForbiddenError) as error:
            return refused(str(error))
        except (GraphLoadError, StorageError) as error:  # these name files and hosts
            return refused(type(error).__name__)
        return result_of(outcome, is_chat=calling.shape.kind == "chat", said_id=said_id)

    async def close(self) -> None:
        """From now on calls end without their runs."""
        self._is_leaving = True
        await self.settle()

    async def settle(self) -> None:
        """Wait until the runs of calls that were cancelled are told so."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=_CLOSING_SECONDS)

    async def _request(self, calling: Calling, asked: Asked) -> tuple[RunRequest, str | None]:
        """What to run, and the id of the message that begins it."""
        request = RunRequest(
            assistant=calling.assistant.assistant_id,
            thread_id=asked.thread_id,
            if_not_exists="create",
            keep_thread=True,
            stream_modes=STREAM_MODES if calling.context.caller.hears_progress else ("values",),
        )
        questions = await self._waiting(calling, asked.thread_id)
        if asked.resume and not questions:
            raise NothingAskedError
        if asked.resume or (questions and asked.text is not None):
            answer = asked.resume[0] if asked.resume else asked.text
            return replace(request, command=resuming(questions, answer)), None
        given, said_id = _with_id(asked.input) if calling.shape.kind == "chat" else (asked.input, None)
        return replace(request, input=given), said_id

    async def _waiting(self, calling: Calling, thread_id: str | None) -> tuple[JsonObject, ...]:
        """What waits in the thread. One that the caller cannot see has nothing to tell: the run will find out."""
        if thread_id is None:
            return ()
        try:
            thread = await self._server.threads.get(calling.principal, thread_id)
        except NotFoundError:
            return ()
        return waiting_in(thread, calling.assistant.graph_id)

    async def _ask(self, calling: Calling, outcome: Outcome) -> tuple[JsonValue, ...]:
        if len(outcome.questions) != 1:
            return ()
        return await ask(calling.context.caller, outcome.questions[0])

    async def _run(self, calling: Calling, request: RunRequest) -> Outcome:
        """A run to its end. It is created in a task of its own: one that is cancelled in between would be nobody's."""
        caller = calling.context.caller
        progress = Progress(caller, calling.name) if caller.hears_progress else None
        watching = self._server.runs.watch(calling.principal, request, only_end=progress is None)
        starting = asyncio.create_task(watching)
        try:
            run, reader = await asyncio.shield(starting)
            with reader:
                return outcome_of(run, await follow(reader, progress))
        except asyncio.CancelledError:
            is_leaving = self._is_leaving or self._server.scheduler.is_draining
            closing = asyncio.create_task(self._give_up(calling.principal, starting, is_leaving=is_leaving))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            raise

    async def _give_up(self, principal: Principal, starting: "asyncio.Task[Started]", *, is_leaving: bool) -> None:
        """Cancel the run, wherever it is executed, unless it is the server that stops waiting for it."""
        try:
            run, reader = await starting
            reader.close()
            if is_leaving:
                return
            await self._server.runs.cancel(principal, run.thread_id, [run.run_id], _CANCELLED)
        except (NotFoundError, NotCancellableError):  # it has ended by itself
            return
        except LonglineError as error:
            logger.warning("run of a cancelled call not cancelled", extra={"reason": type(error).__name__})


def _with_id(given: JsonValue) -> tuple[JsonValue, str | None]:
    """The input of a chat with an id for its last message, by which the answer is found behind it, and that id."""
    messages = given.get("messages") if isinstance(given, dict) else None
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(given, dict) or not isinstance(messages, list) or not isinstance(last, dict) or "lc" in last:
        return given, None
    said_id = last.get("id") if isinstance(last.get("id"), str) else new_id()
    return {**given, "messages": [*messages[:-1], {**last, "id": said_id}]}, str(said_id)
