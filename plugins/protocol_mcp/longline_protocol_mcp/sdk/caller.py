"""An MCP client as the caller of a tool: notifications, elicitation and sampling on the stream of its request."""

import asyncio
from dataclasses import dataclass
from typing import Final

import anyio
from mcp import types
from mcp.server.session import ServerSession
from mcp.shared.context import RequestContext
from mcp.shared.exceptions import McpError
from pydantic import ValidationError
from starlette.requests import Request

from longline.errors import CallerCannotError
from longline.models.json import JsonObject, JsonValue
from longline.tools.caller import Answer, LogLevel, ModelReply, ModelRequest
from longline_protocol_mcp.sdk.blocks import flat_schema, said_of, sampled
from longline_protocol_mcp.sdk.conversation import Conversation

Context = RequestContext[ServerSession, Conversation, Request]

STREAMS: Final = "longline.mcp.streams"
"""The key under which a request's scope says whether its client reads what is said before the answer."""
_ASK: Final = "be asked anything"
_LEND: Final = "lend its model"
_SILENCE: Final = "answer in time"
_GONE: Final = (anyio.ClosedResourceError, anyio.BrokenResourceError)


@dataclass(frozen=True, slots=True)
class McpCaller:
    """See Caller."""

    context: Context
    ask_seconds: float

    @property
    def hears_progress(self) -> bool:
        """See Caller."""
        request = self.context.request
        return self._progress_token is not None and request is not None and bool(request.scope.get(STREAMS))

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """See Caller: for clients that sent a token for it."""
        token = self._progress_token
        if token is None:
            return
        try:
            await self.context.session.send_progress_notification(
                token, done, total, message, related_request_id=self._request_id
            )
        except _GONE:
            return

    async def log(self, level: LogLevel, data: JsonValue, logger: str | None = None) -> None:
        """See Caller."""
        if not self.context.lifespan_context.hears(level):
            return
        try:
            await self.context.session.send_log_message(level, data, logger, related_request_id=self._request_id)
        except _GONE:
            return

    async def ask(self, question: str, schema: JsonObject) -> Answer:
        """See Caller."""
        self._require(types.ClientCapabilities(elicitation=types.ElicitationCapability()), _ASK)
        try:
            async with asyncio.timeout(self.ask_seconds):
                given = await self.context.session.elicit_form(question, flat_schema(schema), self._request_id)
        except TimeoutError:
            raise CallerCannotError(_SILENCE) from None
        except (McpError, ValidationError, *_GONE):
            raise CallerCannotError(_ASK) from None
        content = given.content if given.action == "accept" and given.content else {}
        values: JsonObject = {name: [*one] if isinstance(one, list) else one for name, one in content.items()}
        return Answer(action=given.action, content=values)

    async def ask_model(self, request: ModelRequest) -> ModelReply:
        """See Caller."""
        self._require(types.ClientCapabilities(sampling=types.SamplingCapability()), _LEND)
        messages = [types.SamplingMessage(role=one.role, content=sampled(one.content)) for one in request.messages]
        try:
            async with asyncio.timeout(self.ask_seconds):
                reply = await self.context.session.create_message(
                    messages,
                    max_tokens=request.max_tokens,
                    system_prompt=request.system_prompt,
                    temperature=request.temperature,
                    stop_sequences=list(request.stop) or None,
                    related_request_id=self._request_id,
                )
        except TimeoutError:
            raise CallerCannotError(_SILENCE) from None
        except (McpError, ValidationError, *_GONE):
            raise CallerCannotError(_LEND) from None
        return ModelReply(content=said_of(reply.content), model=reply.model, stop_reason=reply.stopReason)

    async def release(self) -> None:
        """See Caller: for clients that know how to come back (2025-11-25)."""
        if self.context.close_sse_stream is not None:
            await self.context.close_sse_stream()

    @property
    def _progress_token(self) -> str | int | None:
        return self.context.meta.progressToken if self.context.meta is not None else None

    @property
    def _request_id(self) -> str:
        return str(self.context.request_id)  # the SDK takes the number 0 for none

    def _require(self, capability: types.ClientCapabilities, verb: str) -> None:
        request = self.context.request
        hears = request is not None and bool(request.scope.get(STREAMS))
        if not hears or not self.context.session.check_client_capability(capability):
            raise CallerCannotError(verb)
