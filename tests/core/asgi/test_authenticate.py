"""Authenticators get what they need of a request, and no request is asked about twice."""

import pytest

from longline.asgi.authenticate import credentials_of
from longline.asgi.body import RequestBody
from longline.asgi.mount import PRINCIPAL, AppWrapper, ProtocolMount
from longline.asgi.respond import json_response
from longline.asgi.router import assemble
from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.testing.protocol_client import ask

pytestmark = pytest.mark.anyio


class Remembers:
    """Lets in who says yes in the body, and remembers what was shown."""

    name = "remembers"

    def __init__(self) -> None:
        self.shown: list[Credentials] = []

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        self.shown.append(credentials)
        return Principal(identity="ann") if await credentials.read_body() == b"yes" else None


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    await json_response(200, {"body": body.decode(), "who": scope[PRINCIPAL].identity})(scope, receive, send)


async def test_an_authenticator_may_read_the_body_and_the_app_still_gets_it() -> None:
    asked = Remembers()
    mount = ProtocolMount(path="/a", app=echo, public_paths=frozenset({"/open"}))
    served = assemble([mount], [], [asked], max_body_bytes=100)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await served({**scope, "root_path": "/api"}, receive, send)

    assert (await ask(app, "POST", "/api/a/b", body=b"yes")).json == {"body": "yes", "who": "ann"}
    assert (await ask(app, "POST", "/api/a/b", body=b"no")).status == 401
    assert (await ask(app, "POST", "/api/a/open", body=b"no")).json == {"body": "no", "who": ""}
    assert (await ask(app, "POST", "/api/a/b", body=[b"x" * 60, b"y" * 60])).status == 413
    assert [shown.path for shown in asked.shown] == ["/a/b", "/a/b", "/a/open", "/a/b"]
    assert asked.shown[0].scope["path"] == "/api/a/b"


async def test_a_header_in_several_lines_is_one_header_and_none_of_them_hides_another() -> None:
    lines = [(b"Authorization", b"Bearer a"), (b"x", b"1"), (b"authorization", b"Bearer b"), (b"cookie", b"c=1"),
             (b"cookie", b"d=2")]  # fmt: skip
    scope = {"type": "http", "method": "GET", "path": "/", "headers": lines}
    shown = credentials_of(scope, RequestBody(scope, never), "/")
    assert shown.headers == {"authorization": "Bearer a, Bearer b", "x": "1", "cookie": "c=1; d=2"}


async def never() -> Message:
    raise AssertionError("nobody asked for the body")


async def test_a_public_path_may_name_one_part_that_varies() -> None:
    mount = ProtocolMount(path="/a", app=echo, public_paths=frozenset({"/open/{token}", "/x.y/{a}/z"}))
    app = assemble([mount], [], [Remembers()], max_body_bytes=100)
    for path, status in {
        "/a/open/1": 200, "/a/open/a.b-c": 200, "/a/x.y/1/z": 200,
        "/a/open": 401, "/a/open/": 401, "/a/open/1/2": 401, "/a/open/1/": 401, "/open/1": 404, "/a/xxy/1/z": 401,
        "/a/more/open/1": 401,
    }.items():  # fmt: skip
        assert (await ask(app, "POST", path, body=b"no")).status == status, path


async def test_a_request_that_middleware_authenticated_is_not_asked_again() -> None:
    asked = Remembers()

    def known(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, PRINCIPAL: Principal(identity="bob")}, receive, send)

        return call

    mount = ProtocolMount(path="", app=echo)
    app = assemble([mount], [AppWrapper(order=1, wrap=known)], [asked], max_body_bytes=100)
    assert (await ask(app, "POST", "/", body=b"no")).json == {"body": "no", "who": "bob"}
    assert asked.shown == []


@pytest.mark.parametrize(("length", "taken"), [(b"4", 1), (b"100000", 0), (b"", 0)])
async def test_a_small_body_is_taken_before_a_refusal_so_that_its_connection_can_go_on(
    length: bytes, taken: int
) -> None:
    class Nobody:
        name = "nobody"

        async def authenticate(self, credentials: Credentials) -> Principal | None:
            return None

    events: list[object] = []

    async def receive() -> Message:
        events.append("body")
        return {"type": "http.request", "body": b"body", "more_body": False}

    async def send(message: Message) -> None:
        events.append(message.get("status", "rest"))

    served = assemble([ProtocolMount(path="", app=echo)], [], [Nobody()], max_body_bytes=1_000_000)
    headers = [(b"content-length", length)] if length else []
    scope = {"type": "http", "method": "POST", "path": "/a", "root_path": "", "headers": headers, "query_string": b""}
    await served(scope, receive, send)
    assert events == ["body"] * taken + [401, "rest"]
