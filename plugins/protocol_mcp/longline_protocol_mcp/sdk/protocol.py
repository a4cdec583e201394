"""The protocol's methods over this server's services. What there is nothing of is not spoken of."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Final, TypeVar

from mcp import types
from mcp.server.lowlevel import Server as Protocol
from mcp.server.lowlevel.server import request_ctx
from mcp.server.models import InitializationOptions
from mcp.shared.exceptions import McpError

from longline.asgi.mount import PRINCIPAL
from longline.auth.principal import Principal
from longline.errors import ForbiddenError, InvalidInputError, LonglineError, NotFoundError
from longline.services.server import Server
from longline.tools.prompts import PromptContext
from longline.tools.resources import ResourceContext
from longline_protocol_mcp.sdk.blocks import block_of, contents_of, prompt_of, resource_of, template_of
from longline_protocol_mcp.sdk.caller import Context, McpCaller
from longline_protocol_mcp.sdk.conversation import Conversation, conversation
from longline_protocol_mcp.sdk.dispatch import Dispatch
from longline_protocol_mcp.sdk.tools import Tools
from longline_protocol_mcp.settings import McpSettings

logger = logging.getLogger(__name__)

NAME: Final = "Longline"
_RESOURCE_NOT_FOUND: Final = -32002
_MOST_VALUES: Final = 100
_KINDS: Final[Mapping[str, type]] = {
    "completion/complete": types.CompleteRequest,
    "initialize": types.InitializeRequest,
    "logging/setLevel": types.SetLevelRequest,
    "ping": types.PingRequest,
    "prompts/get": types.GetPromptRequest,
    "prompts/list": types.ListPromptsRequest,
    "resources/list": types.ListResourcesRequest,
    "resources/read": types.ReadResourceRequest,
    "resources/subscribe": types.SubscribeRequest,
    "resources/templates/list": types.ListResourceTemplatesRequest,
    "resources/unsubscribe": types.UnsubscribeRequest,
    "tools/call": types.CallToolRequest,
    "tools/list": types.ListToolsRequest,
}

R = TypeVar("R")
Handler = Callable[[R], Awaitable[types.ServerResult]]


class Methods:
    """What clients may ask for, as handlers of the SDK's server."""

    def __init__(self, server: Server, settings: McpSettings, tools: Tools) -> None:
        self._server = server
        self._settings = settings
        self._tools = tools

    def build(self, *, has_sessions: bool) -> "Protocol[Conversation]":
        """The SDK's server. Only who has a session can be told later that something changed."""
        protocol: Protocol[Conversation] = Dispatch(
            NAME, self._server.version, self._settings.instructions or None, lifespan=conversation
        )
        prompts, resources = list(self._server.prompts), list(self._server.resources)
        offered: dict[type, Callable[..., Awaitable[types.ServerResultType]]] = {
            types.ListToolsRequest: self.list_tools,
            types.CallToolRequest: self.call_tool,
            types.SetLevelRequest: self.set_level,
        }
        if prompts:
            offered |= {types.ListPromptsRequest: self.list_prompts, types.GetPromptRequest: self.get_prompt}
        if resources:
            offered |= {
                types.ListResourcesRequest: self.list_resources,
                types.ListResourceTemplatesRequest: self.list_templates,
                types.ReadResourceRequest: self.read_resource,
            }
        if has_sessions and any(resource.watch for resource in resources):
            offered |= {types.SubscribeRequest: self.subscribe, types.UnsubscribeRequest: self.unsubscribe}
        if any(prompt.complete for prompt in prompts) or any(resource.complete for resource in resources):
            offered[types.CompleteRequest] = self.complete
        protocol.request_handlers |= {kind: _guarded(handler) for kind, handler in offered.items()}
        return protocol

    async def list_tools(self, request: types.ListToolsRequest) -> types.ListToolsResult:
        """tools/list."""
        return await self._tools.page(_principal(), request.params.cursor if request.params else None)

    async def call_tool(self, request: types.CallToolRequest) -> types.CallToolResult:
        """tools/call."""
        caller = McpCaller(_context(), self._settings.ask_seconds)
        return await self._tools.call(_principal(), request.params.name, request.params.arguments or {}, caller)

    async def set_level(self, request: types.SetLevelRequest) -> types.EmptyResult:
        """logging/setLevel."""
        _context().lifespan_context.level = request.params.level
        return types.EmptyResult()

    async def list_prompts(self, request: types.ListPromptsRequest) -> types.ListPromptsResult:  # noqa: ARG002
        """prompts/list."""
        return types.ListPromptsResult(prompts=[prompt_of(prompt) for prompt in self._server.prompts])

    async def get_prompt(self, request: types.GetPromptRequest) -> types.GetPromptResult:
        """prompts/get."""
        prompt = self._server.prompts.get(request.params.name)
        messages = await prompt.messages(request.params.arguments or {}, self._prompt_context())
        return types.GetPromptResult(
            description=prompt.description,
            messages=[types.PromptMessage(role=one.role, content=block_of(one.content)) for one in messages],
        )

    async def list_resources(self, request: types.ListResourcesRequest) -> types.ListResourcesResult:  # noqa: ARG002
        """resources/list."""
        found = [resource_of(one) for one in self._server.resources if not one.is_template]
        return types.ListResourcesResult(resources=found)

    async def list_templates(
        self,
        request: types.ListResourceTemplatesRequest,  # noqa: ARG002  # a handler's signature
    ) -> types.ListResourceTemplatesResult:
        """resources/templates/list."""
        found = [template_of(one) for one in self._server.resources if one.is_template]
        return types.ListResourceTemplatesResult(resourceTemplates=found)

    async def read_resource(self, request: types.ReadResourceRequest) -> types.ReadResourceResult:
        """resources/read."""
        uri = str(request.params.uri)
        resource, variables = self._server.resources.find(uri)
        files = await resource.files(uri, self._resource_context(variables))
        return types.ReadResourceResult(contents=[contents_of(file) for file in files])

    async def subscribe(self, request: types.SubscribeRequest) -> types.EmptyResult:
        """resources/subscribe."""
        uri, context = str(request.params.uri), _context()
        resource, variables = self._server.resources.find(uri)
        watching = self._resource_context(variables)
        await resource.files(uri, watching)  # whoever may not read it, or nothing, is told that it is not there
        context.lifespan_context.watch(uri, resource, watching, context.session)
        return types.EmptyResult()

    async def unsubscribe(self, request: types.UnsubscribeRequest) -> types.EmptyResult:
        """resources/unsubscribe."""
        await _context().lifespan_context.unwatch(str(request.params.uri))
        return types.EmptyResult()

    async def complete(self, request: types.CompleteRequest) -> types.CompleteResult:
        """completion/complete."""
        ref, argument, said = request.params.ref, request.params.argument, request.params.context
        known = (said.arguments if said is not None else None) or {}
        values: list[str] = []
        if isinstance(ref, types.PromptReference):
            prompt = self._server.prompts.get(ref.name)
            if prompt.complete is not None:
                values = [*await prompt.complete(argument.name, argument.value, known, self._prompt_context())]
        else:
            resource = self._server.resources.get(ref.uri)
            if resource.complete is not None:
                context = self._resource_context({})
                values = [*await resource.complete(argument.name, argument.value, known, context)]
        shown = types.Completion(values=values[:_MOST_VALUES], total=len(values), hasMore=len(values) > _MOST_VALUES)
        return types.CompleteResult(completion=shown)

    def _prompt_context(self) -> PromptContext:
        return PromptContext(principal=_principal(), caller=McpCaller(_context(), self._settings.ask_seconds))

    def _resource_context(self, variables: Mapping[str, str]) -> ResourceContext:
        caller = McpCaller(_context(), self._settings.ask_seconds)
        return ResourceContext(principal=_principal(), variables=variables, caller=caller)


def options_of(protocol: "Protocol[Conversation]") -> InitializationOptions:
    """What is told to a client that begins."""
    options = protocol.create_initialization_options()
    if options.capabilities.resources is not None:  # the SDK says that nobody can subscribe
        options.capabilities.resources.subscribe = types.SubscribeRequest in protocol.request_handlers
    options.capabilities.experimental = None
    return options


def methods_of(protocol: "Protocol[Conversation]") -> frozenset[str]:
    """The methods that are answered."""
    kinds = {*protocol.request_handlers, types.InitializeRequest}
    return frozenset(name for name, kind in _KINDS.items() if kind in kinds)


def _guarded(handler: Callable[[R], Awaitable[types.ServerResultType]]) -> Handler[R]:
    """The handler, whose failures tell clients what is meant for them and nothing else."""

    @wraps(handler)
    async def handle(request: R) -> types.ServerResult:
        try:
            return types.ServerResult(await handler(request))
        except McpError:
            raise
        except LonglineError as error:
            raise McpError(_error_of(error)) from error
        except (Exception, SystemExit) as error:
            logger.exception("mcp request failed")
            reason = f"internal error: {type(error).__name__}"
            raise McpError(types.ErrorData(code=types.INTERNAL_ERROR, message=reason)) from error

    return handle


def _error_of(error: LonglineError) -> types.ErrorData:
    match error:
        case NotFoundError(kind="resource"):
            return types.ErrorData(code=_RESOURCE_NOT_FOUND, message="Resource not found", data={"uri": str(error.key)})
        case InvalidInputError() | NotFoundError():
            return types.ErrorData(code=types.INVALID_PARAMS, message=str(error))
        case ForbiddenError():
            return types.ErrorData(code=types.INVALID_REQUEST, message=str(error))
    return types.ErrorData(code=types.INTERNAL_ERROR, message=f"internal error: {error.code}")


def _context() -> Context:
    context: Context = request_ctx.get()
    return context


def _principal() -> Principal:
    request = _context().request
    if request is None:
        raise RuntimeError("a request without a caller")  # noqa: TRY003  # the SDK always hands it over
    principal: Principal = request.scope[PRINCIPAL]
    return principal
