"""Two MCP servers made with the `mcp` SDK: laws, open to everybody, and deadlines, for whoever exchanges their token.

with serve_identity() as identity, serve_legal() as legal, serve_deadlines(identity) as deadlines:
    ...
    assert legal.called("gesetz_suchen") == [{"suchbegriff": "Kaufvertrag"}]
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from mcp.server.fastmcp import FastMCP
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.supabase.exchange import TokenExchange
from tests.supabase.identity import Identity
from tests.supabase.serving import ServedApp

PATH: Final = "/mcp"
LAWS: Final = {
    "kaufvertrag": "§ 433 BGB: Durch den Kaufvertrag wird der Verkäufer einer Sache verpflichtet, sie zu übergeben.",
    "kündigung": "§ 622 BGB: Das Arbeitsverhältnis kann mit einer Frist von vier Wochen gekündigt werden.",
}
"""What gesetz_suchen finds, by what is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One JSON-RPC message as it came in."""

    method: str
    tool: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    authorization: str | None = field(default=None, repr=False)
    """The whole header."""
    subject: str | None = None
    """Whose token it is, as far as this server can tell."""
    session: str | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)


class McpServer:
    """A running server. `endpoint` is what an agent's tools are registered with."""

    def __init__(self, make: "type[Laws] | type[Deadlines]", exchange: TokenExchange | None = None) -> None:
        self.seen: list[Seen] = []
        self.exchange = exchange
        self._make = make
        self._served = ServedApp(self._make_app)
        if exchange is not None:
            exchange.resource = self.endpoint

    @property
    def url(self) -> str:
        return self._served.url

    @property
    def endpoint(self) -> str:
        return f"{self.url}{PATH}"

    def methods(self) -> list[str]:
        """The methods that were asked for, the oldest first."""
        return [one.method for one in self.seen]

    def called(self, tool: str) -> list[dict[str, Any]]:
        """The arguments of each call of a tool."""
        return [one.arguments for one in self.seen if one.method == "tools/call" and one.tool == tool]

    def start(self) -> None:
        self._served.start()

    def stop(self) -> None:
        """Nobody listens any more."""
        self._served.stop()

    def restart(self) -> None:
        """It knows none of its sessions any more: it answers 404 to them."""
        self._served.restart()

    def _make_app(self) -> ASGIApp:
        app = self._make().server.streamable_http_app()
        return _Door(app, self)


class Laws:
    """Everybody's: looks up laws and verdicts; what it could delete is in no agent's list."""

    def __init__(self) -> None:
        self.server = FastMCP("Gesetze", log_level="ERROR")
        for tool in (self.gesetz_suchen, self.urteil_lesen, self.akte_loeschen, self.hilfe):
            self.server.add_tool(tool)

    def gesetz_suchen(self, suchbegriff: str) -> str:
        """Sucht Gesetze, die zum Suchbegriff passen."""
        return LAWS.get(suchbegriff.lower(), f"Zu „{suchbegriff}“ wurde nichts gefunden.")

    def urteil_lesen(self, aktenzeichen: str) -> str:
        """Liest ein Urteil nach seinem Aktenzeichen."""
        return f"Urteil {aktenzeichen}: Die Klage wird abgewiesen. Der Kläger trägt die Kosten."

    def akte_loeschen(self, aktenzeichen: str) -> str:
        """Löscht eine Akte endgültig."""
        return f"Akte {aktenzeichen} ist gelöscht."

    def hilfe(self) -> str:
        """Sagt, was dieser Server kann."""
        return "Gesetze und Urteile."


class Deadlines:
    """For users: computes deadlines."""

    def __init__(self) -> None:
        self.server = FastMCP("Fristen", log_level="ERROR")
        for tool in (self.fristen_berechnen, self.hilfe):
            self.server.add_tool(tool)

    def fristen_berechnen(self, beginn: str, tage: int) -> str:
        """Berechnet das Ende einer Frist von so vielen Tagen; `beginn` ist ein Datum (JJJJ-MM-TT)."""
        ende = date.fromisoformat(beginn) + timedelta(days=tage)
        return f"Die Frist endet am {ende:%d.%m.%Y}."

    def hilfe(self) -> str:
        """Sagt, was dieser Server kann."""
        return "Fristen."


class _Door:
    """Writes down what comes in, and asks for a token where the server has an exchange."""

    def __init__(self, app: ASGIApp, server: McpServer) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._server.exchange
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif exchange is not None and scope["path"] == "/oauth/token":
            await exchange.answer(scope, receive, send)
        else:
            await self._guard(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        exchange = self._server.exchange
        subject = exchange.subject_of(headers.get("authorization")) if exchange is not None else None
        self._note(scope, headers, body, subject)
        if exchange is not None and subject is None:
            await exchange.refuse(scope, receive, send)
        else:
            await self._app(scope, _replay(body, receive), send)

    def _note(self, scope: Scope, headers: dict[str, str], body: bytes, subject: str | None) -> None:
        known: dict[str, Any] = {
            "authorization": headers.get("authorization"), "subject": subject, "headers": headers,
            "session": headers.get("mcp-session-id"),
        }  # fmt: skip
        if scope["method"] != "POST":
            self._server.seen.append(Seen(method=scope["method"], **known))
            return
        document = json.loads(body)
        for message in document if isinstance(document, list) else [document]:
            parameters = message.get("params") or {}
            self._server.seen.append(
                Seen(
                    method=message.get("method", "response"), tool=parameters.get("name"),
                    arguments=parameters.get("arguments") or {}, **known,
                )
            )  # fmt: skip


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    left = [body]

    async def read() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return read


@contextmanager
def serve_legal() -> Iterator[McpServer]:
    """The laws."""
    yield from _serving(McpServer(Laws))


@contextmanager
def serve_deadlines(identity: Identity) -> Iterator[McpServer]:
    """The deadlines, for whoever has exchanged a token of this project's users."""
    yield from _serving(McpServer(Deadlines, TokenExchange(identity)))


def _serving(server: McpServer) -> Iterator[McpServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()
