"""Cards over HTTP: who gets which, and for how long it may be kept."""

import hashlib
from datetime import UTC
from email.utils import format_datetime
from typing import Final
from urllib.parse import parse_qsl

import orjson

from longline.asgi.mount import PRINCIPAL
from longline.asgi.origins import header
from longline.asgi.respond import json_response
from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.auth.principal import ANONYMOUS, Principal
from longline.errors import UnauthenticatedError, UnknownAssistantNameError
from longline.models.assistants import Assistant
from longline.models.json import JsonObject
from longline.services.server import Server
from longline_protocol_a2a.agents import default_agent, find_agent, is_everybodys
from longline_protocol_a2a.card_urls import server_url
from longline_protocol_a2a.cards import CardMaker, shown_card
from longline_protocol_a2a.errors import UnknownAgentError, WrongVerbError
from longline_protocol_a2a.skills import tool_skills
from longline_protocol_a2a.versions import VERSION_HEADER, asked_version

Headers = list[tuple[bytes, bytes]]

READING: Final = ("GET", "HEAD")


class Cards:
    """Answers requests for cards."""

    def __init__(self, server: Server, maker: CardMaker) -> None:
        self._server = server
        self._maker = maker
        self.default = default_agent(server, maker.settings.assistant)

    async def named(self, scope: Scope, mount: str) -> ASGIApp:
        """The card of the assistant that `?assistant_id=` names, or of the default one. Raises as `of`."""
        asked = parse_qsl(str(scope.get("query_string", b""), "latin-1"))
        return await self.of(scope, mount, next((text for key, text in asked if key == "assistant_id"), self.default))

    async def of(self, scope: Scope, mount: str, name: str) -> ASGIApp:
        """The card of an assistant. Raises UnknownAgentError, WrongVerbError, UnauthenticatedError where a caller
        without credentials asks for one that is not everybody's."""
        if scope["method"] not in READING:
            raise WrongVerbError(", ".join(READING))
        principal: Principal = scope[PRINCIPAL]
        assistant = await self._find(principal, name)
        url = server_url(scope, mount, self._maker.settings.public_url)
        # Where nobody shows who they are, there is no other card that could have the tools.
        tools = [] if self._maker.schemes else await tool_skills(self._server, principal, assistant)
        card = self._maker.card(assistant, url, tools=tools)
        return self._reply(scope, shown_card(card, self._maker.settings.versions, asked_version(scope)), assistant)

    async def _find(self, principal: Principal, name: str) -> Assistant:
        if principal is not ANONYMOUS:
            return await find_agent(self._server, principal, name)
        try:
            wanted = self._server.assistants.id_of(name)
        except UnknownAssistantNameError as error:
            raise UnknownAgentError(error.name) from None
        if wanted in self._server.graphs.own_assistant_ids:
            assistant = await find_agent(self._server, principal, wanted)
            if is_everybodys(self._server, assistant):
                return assistant
        raise UnauthenticatedError  # whether there is such an assistant is not told to strangers

    def _reply(self, scope: Scope, card: JsonObject, assistant: Assistant) -> ASGIApp:
        tag = f'W/"{hashlib.sha256(orjson.dumps(card, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]}"'
        is_public = not self._maker.schemes or (
            self._maker.settings.public_cards and is_everybodys(self._server, assistant)
        )
        kept = f"{'public' if is_public else 'private'}, max-age={self._maker.settings.card_max_age_seconds}"
        headers: Headers = [
            (b"etag", tag.encode()),
            (b"cache-control", kept.encode()),
            (b"last-modified", format_datetime(assistant.updated_at.astimezone(UTC), usegmt=True).encode()),
            (b"vary", f"Authorization, {VERSION_HEADER}".encode()),
        ]
        if _is_known(header(scope, b"if-none-match"), tag):
            return _unchanged(headers)
        whole = json_response(200, card, headers)
        return _without_body(whole) if scope["method"] == "HEAD" else whole


def _is_known(shown: str, tag: str) -> bool:
    """Whether a client has this card already (RFC 9110 §13.1.2: tags are compared weakly)."""
    known = [one.strip().removeprefix("W/") for one in shown.split(",")]
    return "*" in known or tag.removeprefix("W/") in known


def _unchanged(headers: Headers) -> ASGIApp:
    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return respond


def _without_body(app: ASGIApp) -> ASGIApp:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        async def headers_only(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await app(scope, receive, headers_only)

    return respond
