"""Where clients learn how to sign in: the challenge of a refusal, and the document that it names (RFC 9728)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longline.asgi.mount import ProtocolMount
from longline.asgi.paths import path_below
from longline.asgi.respond import json_response
from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import LonglineError, UnauthenticatedError
from longline.models.json import JsonObject
from longline_protocol_mcp.errors import RefusedError, refusal
from longline_protocol_mcp.places import base_url
from longline_protocol_mcp.settings import McpSettings

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMetadata:
    """What is told about the protocol's endpoint. `issuers` says who gives tokens that this server takes."""

    settings: McpSettings
    issuers: Callable[[], Sequence[str]]

    @property
    def path(self) -> str:
        """Where the document is."""
        return WELL_KNOWN + self.settings.path

    def mount(self) -> ProtocolMount:
        """The document, for everybody."""
        return ProtocolMount(path=self.path, app=self._serve, public_paths=frozenset({"", "/"}), refuse=refusal)

    def refuse(self, error: LonglineError) -> ASGIApp:
        """`refusal` with the challenge that names the document, where credentials are missing or bad."""
        if not isinstance(error, UnauthenticatedError):
            return refusal(error)

        async def challenge(scope: Scope, receive: Receive, send: Send) -> None:
            where = base_url(scope, self.settings.public_url, self.settings.path) + self.path
            said = error.challenge if error.challenge.lower().startswith("bearer") else "Bearer"
            mark = "," if " " in said else ""
            header = f'{said}{mark} resource_metadata="{where}"'.encode("latin-1", "replace")
            app = json_response(401, {"error": str(error)}, [(b"www-authenticate", header)])
            await app(scope, receive, send)

        return challenge

    def document(self, scope: Scope) -> JsonObject:
        """What clients are told."""
        settings = self.settings
        issuers = settings.authorization_servers or self.issuers()
        return {
            "resource": base_url(scope, settings.public_url, self.path) + settings.path,
            "bearer_methods_supported": ["header"],
            **({"authorization_servers": [*issuers]} if issuers else {}),
            **({"scopes_supported": [*settings.scopes]} if settings.scopes else {}),
        }

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        name_route(scope, "")
        if path_below(scope).strip("/"):
            app = refusal(RefusedError(404, "nothing is served at this path"))  # once
        elif scope["type"] == "http" and scope["method"] != "GET":
            app = refusal(RefusedError(405, "only GET is answered here"))  # once
        else:
            headers = [(b"access-control-allow-origin", b"*"), (b"cache-control", b"max-age=300")]
            app = json_response(200, self.document(scope), headers)
        await app(scope, receive, send)
