"""The two bindings' ways in: a request is read and checked as its binding asks, and handed to the SDK."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from longline.asgi.body import BodyLimits, replayed
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import LonglineError
from longline_protocol_a2a.agents import AGENT_CALL, AgentCall
from longline_protocol_a2a.bodies import HTTP_TYPES, RPC_TYPES, read_body, read_json
from longline_protocol_a2a.errors import CallError, NoObjectError, UnknownAgentError
from longline_protocol_a2a.replies import http_error, rpc_error
from longline_protocol_a2a.rpc import read_call, request_id_of
from longline_protocol_a2a.versions import check_method, version_of

MakeCall = Callable[[str], AgentCall]
"""The version of a request → what the SDK's side is told about it."""


class Door(Protocol):
    """A binding's way in."""

    def refuse(self, error: LonglineError) -> ASGIApp:
        """The error in the binding's form."""
        ...

    async def without_agent(self, scope: Scope, receive: Receive, error: UnknownAgentError, /) -> ASGIApp:
        """What answers a request to an agent that is not there. Raises CallError."""
        ...

    async def enter(self, scope: Scope, receive: Receive, sdk: ASGIApp, make_call: MakeCall, path: str) -> ASGIApp:
        """What answers a request to an agent; `path` is the one below it. Raises CallError, BodyTooLargeError."""
        ...


@dataclass(frozen=True, slots=True)
class RpcDoor:
    """JSON-RPC 2.0. See Door."""

    limits: BodyLimits
    versions: Sequence[str]

    def refuse(self, error: LonglineError) -> ASGIApp:
        """See Door."""
        return rpc_error(error)

    async def without_agent(self, scope: Scope, receive: Receive, error: UnknownAgentError) -> ASGIApp:
        """See Door. Only who speaks JSON-RPC is told in it."""
        try:
            body = await read_json(await read_body(scope, receive, self.limits, RPC_TYPES))
            return rpc_error(error, read_call(body).request_id)
        except CallError:
            return http_error(error)

    async def enter(self, scope: Scope, receive: Receive, sdk: ASGIApp, make_call: MakeCall, path: str) -> ASGIApp:
        """See Door."""
        data = await read_body(scope, receive, self.limits, RPC_TYPES)
        body = await read_json(data)
        try:
            call = read_call(body)
            version = version_of(scope, self.versions)
            check_method(call.method, version)
        except CallError as error:
            return rpc_error(error, request_id_of(body))
        return _to_sdk(sdk, data, replace(make_call(version), rpc=call), path)


@dataclass(frozen=True, slots=True)
class HttpDoor:
    """HTTP+JSON. See Door."""

    limits: BodyLimits
    versions: Sequence[str]

    def refuse(self, error: LonglineError) -> ASGIApp:
        """See Door."""
        return http_error(error)

    async def without_agent(self, _scope: Scope, _receive: Receive, error: UnknownAgentError) -> ASGIApp:
        """See Door."""
        return http_error(error)

    async def enter(self, scope: Scope, receive: Receive, sdk: ASGIApp, make_call: MakeCall, path: str) -> ASGIApp:
        """See Door."""
        data = await read_body(scope, receive, self.limits, HTTP_TYPES)
        if data and not isinstance(await read_json(data), dict):
            raise NoObjectError
        return _to_sdk(sdk, data, make_call(version_of(scope, self.versions)), path)


def _to_sdk(sdk: ASGIApp, data: bytes, call: AgentCall, path: str) -> ASGIApp:
    async def hand_on(scope: Scope, receive: Receive, send: Send) -> None:
        await sdk({**scope, "path": scope["root_path"] + path, AGENT_CALL: call}, replayed(data, receive), send)

    return hand_on
