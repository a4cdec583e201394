"""The protocol's places in the server, and the way of a request to the operations of an agent."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from longline.asgi.body import BodyLimits
from longline.asgi.mount import PRINCIPAL, REQUEST_ID, ProtocolMount
from longline.asgi.origins import RequestGuard
from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import LonglineError
from longline.models.json import JsonObject
from longline.services.server import Server
from longline_protocol_a2a.agents import AgentCall, find_agent
from longline_protocol_a2a.beating import Pulse, StalledClientError
from longline_protocol_a2a.card_app import READING, Cards
from longline_protocol_a2a.card_urls import server_url
from longline_protocol_a2a.cards import HTTP, RPC, CardMaker
from longline_protocol_a2a.doors import Door, HttpDoor, RpcDoor
from longline_protocol_a2a.errors import BrokenError, NothingHereError, UnknownAgentError, WrongVerbError, face_of
from longline_protocol_a2a.guard import check
from longline_protocol_a2a.lazy import LazyApp
from longline_protocol_a2a.places import CARD, CARD_0_3, Place, place_of
from longline_protocol_a2a.replies import http_error, refusal
from longline_protocol_a2a.security import schemes_of
from longline_protocol_a2a.settings import A2aSettings

logger = logging.getLogger(__name__)

_FAULT = 500


def build_mounts(server: Server, settings: A2aSettings) -> Sequence[ProtocolMount]:
    """The agents, and the places where clients look for a server's card."""
    maker = CardMaker(settings=settings, schemes=schemes_of(server))
    cards = Cards(server, maker)
    guard = RequestGuard(
        hosts=settings.allowed_hosts, origins=settings.allowed_origins, is_open=not server.is_authenticated
    )
    is_shown = settings.public_cards or not server.is_authenticated
    pages = {"agent card": f"/{cards.default}{CARD}"} if is_shown and cards.default else {}
    app = A2aApp(server, settings, guard=guard, cards=cards)
    agents = ProtocolMount(
        path=settings.path,
        app=app,
        lifespan=partial(app.sdk.lifespan, preload=settings.preload),
        public_paths=frozenset(
            {f"/{{assistant_id}}{path}" for path in (CARD, CARD_0_3)} if settings.public_cards else ()
        ),
        refuse=refusal,
        title="Agent2Agent (A2A)",
        pages=pages,
    )
    return [agents, *(_card_mount(path, guard, cards, settings) for path in (CARD, CARD_0_3))]


def facts_of(settings: A2aSettings) -> JsonObject:
    """What the server tells about the protocol."""
    return {"path": settings.path, "versions": [*settings.versions], "bindings": [RPC, HTTP]}


def _card_mount(path: str, guard: RequestGuard, cards: Cards, settings: A2aSettings) -> ProtocolMount:
    async def choose(scope: Scope) -> ASGIApp:
        if scope["path"].removeprefix(scope["root_path"]) not in ("", "/"):
            raise NothingHereError
        check(guard, scope)
        return await cards.named(scope, path)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await http_error(NothingHereError())(scope, receive, send)
            return
        reply = await _answered(partial(choose, scope), http_error, scope)
        await reply(scope, receive, send)

    return ProtocolMount(
        path=path,
        app=answer,
        public_paths=frozenset({"", "/"}) if settings.public_cards else frozenset(),
        refuse=http_error,
    )


class A2aApp:
    """Agents below their ids: their cards, JSON-RPC at the agent itself, HTTP+JSON below it."""

    def __init__(self, server: Server, settings: A2aSettings, *, guard: RequestGuard, cards: Cards) -> None:
        self.sdk = LazyApp(partial(_load, server, settings))
        self._server = server
        self._settings = settings
        self._guard = guard
        self._cards = cards
        limits = BodyLimits(max_bytes=int(settings.max_body_mib * 1024 * 1024), seconds=settings.body_seconds)
        self._rpc = RpcDoor(limits, settings.versions)
        self._http = HttpDoor(limits, settings.versions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await http_error(NothingHereError())(scope, receive, send)
            return
        place = place_of(scope)
        door: Door = self._rpc if place.is_rpc(scope["method"]) else self._http
        reply = await _answered(partial(self._choose, scope, receive, place, door), door.refuse, scope)
        pulse = Pulse(send, self._settings.heartbeat_seconds, self._settings.stalled_seconds)
        try:
            async with pulse:
                await reply(scope, receive, pulse.send)
        except StalledClientError:
            logger.info("stalled client left", extra=_facts(scope))
        except Exception:
            # What was sent cannot be unsent: leaving without the last chunk tells the client that something is missing.
            logger.exception("answer broken off", extra=_facts(scope))
            if not pulse.has_started:
                await door.refuse(BrokenError())(scope, receive, send)

    async def _choose(self, scope: Scope, receive: Receive, place: Place, door: Door) -> ASGIApp:
        check(self._guard, scope)
        if not place.agent:
            raise NothingHereError
        is_card = place.is_card or (place.is_agent and scope["method"] in READING)
        name_route(scope, f"/{{assistant_id}}{CARD if is_card else ''}")
        if is_card:
            return await self._cards.of(scope, self._settings.path, place.agent)
        return await self._called(scope, receive, place, door)

    async def _called(self, scope: Scope, receive: Receive, place: Place, door: Door) -> ASGIApp:
        try:
            assistant = await find_agent(self._server, scope[PRINCIPAL], place.agent)
        except UnknownAgentError as error:
            return await door.without_agent(scope, receive, error)
        if place.is_agent and door is not self._rpc:
            raise WrongVerbError(", ".join((*READING, "POST")))
        url = server_url(scope, self._settings.path, self._settings.public_url)

        def call(version: str) -> AgentCall:
            return AgentCall(assistant_id=assistant.assistant_id, version=version, server_url=url)

        return await door.enter(scope, receive, self.sdk, call, place.rest or "/")


async def _answered(
    choose: Callable[[], Awaitable[ASGIApp]], refuse: Callable[[LonglineError], ASGIApp], scope: Scope
) -> ASGIApp:
    """What answers a request; an error in the form that fits."""
    try:
        return await choose()
    except LonglineError as error:
        if face_of(error).status >= _FAULT:
            logger.error("request failed", extra={**_facts(scope), "reason": str(error)})  # noqa: TRY400  # one sentence
        return refuse(error)
    except Exception:
        logger.exception("request failed", extra=_facts(scope))
        return refuse(BrokenError())


def _facts(scope: Scope) -> dict[str, object]:
    return {"method": scope["method"], "request_id": scope.get(REQUEST_ID, "")}


def _load(server: Server, settings: A2aSettings) -> ASGIApp:
    """Runs on a worker thread: the import takes seconds."""
    from longline_protocol_a2a.routes import load  # noqa: PLC0415  # imports the SDK

    return load(server, CardMaker(settings=settings, schemes=schemes_of(server)))
