"""What the operator says about every run, whichever way a client asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from starlette.datastructures import Headers

from longline.asgi.mount import REQUEST_ID
from longline.asgi.types import Scope
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_protocol_langgraph.custom_http.headers import ConfigurableHeaders
from longline_protocol_langgraph.settings import LangGraphApiSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The request, or the connection, that a run comes from."""

    request_id: str
    """The id under which it stands in the log, and which the run gets as `langgraph_request_id`."""
    headers: Mapping[str, str]

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Of a request or a WebSocket."""
        return cls(request_id=str(scope.get(REQUEST_ID, "")), headers=Headers(scope=scope))


class RunPolicy:
    """The headers that graphs see, and whether there are runs and webhooks at all."""

    def __init__(self, server: Server, settings: LangGraphApiSettings) -> None:
        self._headers = ConfigurableHeaders(settings.http.configurable_headers, server.settings)
        self._calls_webhooks = not settings.http.disable_webhooks
        self.is_open = not settings.http.disable_runs
        """Whether clients may ask for runs."""

    def applied(self, asked: RunRequest, origin: Origin) -> RunRequest:
        """The request as it goes to the run service."""
        headers = self._headers.chosen(origin.headers, origin.request_id)
        webhook = asked.webhook if self._calls_webhooks else None
        return replace(asked, headers=headers, webhook=webhook)
