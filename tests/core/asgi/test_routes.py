"""Middleware learns which route served a request, whichever protocol that was."""

import pytest

from longline.asgi.mount import AppWrapper, ProtocolMount
from longline.asgi.respond import json_response
from longline.asgi.router import assemble
from longline.asgi.routes import name_route, watch_route
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.testing.protocol_client import ask

pytestmark = pytest.mark.anyio


def serve(seen: list[str | None], *mounts: ProtocolMount) -> ASGIApp:
    """The mounts behind middleware that notes the routes."""

    def noting(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            watched = watch_route(scope)
            await app(scope, receive, send)
            seen.append(watched.template)

        return call

    return assemble(mounts, [AppWrapper(order=1, wrap=noting)], [], max_body_bytes=100)


async def naming(scope: Scope, receive: Receive, send: Send) -> None:
    name_route(scope, "/notes/{note_id}")
    await json_response(200, {})(scope, receive, send)


async def test_a_route_is_named_below_its_mount() -> None:
    seen: list[str | None] = []
    app = serve(seen, ProtocolMount(path="/desk", app=naming), ProtocolMount(path="", app=naming))
    await ask(app, "GET", "/desk/notes/7")
    await ask(app, "GET", "/notes/7")
    assert seen == ["/desk/notes/{note_id}", "/notes/{note_id}"]


async def test_a_protocol_that_names_nothing_is_known_by_its_mount() -> None:
    seen: list[str | None] = []
    silent = json_response(200, {})
    app = serve(seen, ProtocolMount(path="/desk", app=silent), ProtocolMount(path="", app=silent))
    await ask(app, "GET", "/desk/notes/7")
    await ask(app, "GET", "/notes/7")
    assert seen == ["/desk", None]


async def test_naming_is_no_error_where_nobody_watches() -> None:
    app = assemble([ProtocolMount(path="", app=naming)], [], [], max_body_bytes=100)
    assert (await ask(app, "GET", "/notes/7")).status == 200


async def test_two_who_watch_see_the_same() -> None:
    scope: Scope = {"type": "http"}
    assert watch_route(scope) is watch_route(scope)


def test_a_mount_tells_where_its_pages_are() -> None:
    mount = ProtocolMount(
        path="/desk", app=naming, title="Notes", pages={"docs": "/docs", "itself": "", "home": "https://notes.example"}
    )
    assert mount.facts.path == "/desk"
    assert mount.facts.pages == {"docs": "/desk/docs", "itself": "/desk", "home": "https://notes.example"}
