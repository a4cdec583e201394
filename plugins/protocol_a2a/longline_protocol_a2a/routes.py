"""The operations of the protocol, as the SDK routes them. Only this module and what it imports know the SDK."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import a2a.server.routes as sdk  # first: the SDK's modules import each other in circles
from a2a.compat.v0_3.jsonrpc_adapter import JSONRPC03Adapter
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from google.protobuf.json_format import ParseDict, ParseError
from pydantic import BaseModel, ValidationError
from starlette.routing import BaseRoute, Match, Route

from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.models.json import as_object
from longline.services.server import Server
from longline_protocol_a2a.agents import AGENT_CALL, AgentCall
from longline_protocol_a2a.cards import CardMaker
from longline_protocol_a2a.context import ContextBuilder
from longline_protocol_a2a.errors import InvalidParamsError, NothingHereError, WrongVerbError
from longline_protocol_a2a.extended import AssistantCards
from longline_protocol_a2a.handler import LonglineRequestHandler
from longline_protocol_a2a.old_frames import with_old_frames
from longline_protocol_a2a.push_configs import PushConfigs
from longline_protocol_a2a.replies import http_error, rpc_error
from longline_protocol_a2a.rest_answers import as_specified
from longline_protocol_a2a.rpc import RpcCall
from longline_protocol_a2a.versions import OLD

logger = logging.getLogger(__name__)

_MODELS: Final[Mapping[str, type[BaseModel]]] = JSONRPC03Adapter.METHOD_TO_MODEL  # type: ignore[assignment]  # guessed


def load(server: Server, maker: CardMaker) -> ASGIApp:
    """The app of what agents do: the scope of its requests holds an AgentCall, and paths begin below the agent."""
    handler = LonglineRequestHandler(server, push=PushConfigs(server), cards=AssistantCards(server, maker))
    return build_routes(handler, speaks_old=OLD in maker.settings.versions)


def build_routes(handler: RequestHandler, *, speaks_old: bool) -> ASGIApp:
    """As `load`, with a handler. The SDK's routes for tenants are left out: they would take every path."""
    context = ContextBuilder()
    rpc = sdk.create_jsonrpc_routes(handler, "/", context_builder=context, enable_v0_3_compat=speaks_old)
    rest = sdk.create_rest_routes(handler, context_builder=context, enable_v0_3_compat=speaks_old)
    answer_new, answer_old = _checked(_dispatching(rpc)), with_old_frames(_checked(_dispatching(rpc)))
    answer_request = as_specified(_dispatching([route for route in rest if isinstance(route, Route)]))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        call: AgentCall = scope[AGENT_CALL]
        if call.rpc is None:
            await answer_request(scope, receive, send)
        else:
            await (answer_old if call.version == OLD else answer_new)(scope, receive, send)

    return answer


def _checked(app: ASGIApp) -> ASGIApp:
    """Calls whose parameters do not fit are refused as such: the SDK calls the whole request of 0.3 invalid, and writes
    a stack into the log for one of 1.0."""

    async def check(scope: Scope, receive: Receive, send: Send) -> None:
        call: AgentCall = scope[AGENT_CALL]
        fault_in = _old_fault if call.version == OLD else _fault
        fault = fault_in(call.rpc) if call.rpc is not None else None
        if call.rpc is not None and fault is not None:
            await rpc_error(InvalidParamsError(fault), call.rpc.request_id)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return check


def _fault(call: RpcCall) -> str | None:
    try:
        ParseDict(
            as_object(call.body.get("params")),
            JsonRpcDispatcher.METHOD_TO_MODEL[call.method](),
            ignore_unknown_fields=True,
        )
    except ParseError as error:
        return str(error)[:400]
    return None


def _old_fault(call: RpcCall) -> str | None:
    try:
        _MODELS[call.method].model_validate(call.body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])[:200]}: {first['msg'][:200]}"
    return None


def _dispatching(routes: Sequence[BaseRoute]) -> ASGIApp:
    known = [route for route in routes if isinstance(route, Route)]

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        allowed: list[str] = []
        for route in known:
            match, found = route.matches(scope)
            if match is Match.FULL:
                name_route(scope, f"/{{assistant_id}}{route.path.rstrip('/')}")
                await route.handle({**scope, **found}, receive, send)
                return
            if match is Match.PARTIAL:
                allowed += sorted(route.methods or ())
        error = WrongVerbError(", ".join(dict.fromkeys(allowed))) if allowed else NothingHereError()
        await http_error(error)(scope, receive, send)

    return dispatch
