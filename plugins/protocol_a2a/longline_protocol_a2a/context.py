"""What the SDK hands on to the handler with each call: who calls which agent, in which version."""

from a2a.auth.user import User
from a2a.extensions.common import HTTP_EXTENSION_HEADER, get_requested_extensions
from a2a.server.context import ServerCallContext
from a2a.server.routes.common import ServerCallContextBuilder
from starlette.requests import Request

from longline.asgi.mount import PRINCIPAL, REQUEST_ID
from longline.auth.principal import Principal
from longline_protocol_a2a.agents import AGENT_CALL, AgentCall
from longline_protocol_a2a.calls import ASSISTANT_KEY, PRINCIPAL_KEY, REQUEST_KEY, URL_KEY, VERSION_KEY
from longline_protocol_a2a.versions import VERSION_HEADER


class Caller(User):
    """Our principal as the SDK's user."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal

    @property
    def is_authenticated(self) -> bool:
        """See User."""
        return self._principal.is_authenticated

    @property
    def user_name(self) -> str:
        """See User."""
        return self._principal.identity


class ContextBuilder(ServerCallContextBuilder):
    """See ServerCallContextBuilder. Of the headers only the version is handed on: the others hold secrets."""

    def build(self, request: Request) -> ServerCallContext:
        """See ServerCallContextBuilder."""
        principal: Principal = request.scope[PRINCIPAL]
        call: AgentCall = request.scope[AGENT_CALL]
        return ServerCallContext(
            user=Caller(principal),
            state={
                "headers": {VERSION_HEADER: call.version},
                PRINCIPAL_KEY: principal,
                ASSISTANT_KEY: call.assistant_id,
                VERSION_KEY: call.version,
                URL_KEY: call.server_url,
                REQUEST_KEY: request.scope.get(REQUEST_ID, ""),
            },
            requested_extensions=get_requested_extensions(request.headers.getlist(HTTP_EXTENSION_HEADER)),
        )
