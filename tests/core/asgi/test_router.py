"""One app of many mounts: the longest path wins, and each mount has its own gates."""

import pytest

from longline.asgi.mount import PRINCIPAL, REQUEST_ID, AppWrapper, ProtocolMount
from longline.asgi.request_id import with_request_id
from longline.asgi.respond import json_response, refuse_plainly
from longline.asgi.router import assemble
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.auth.authenticator import Credentials
from longline.auth.principal import LOCAL, Principal
from longline.errors import (
    BodyTooLargeError,
    ForbiddenError,
    IdentityAwayError,
    LonglineError,
    NotFoundError,
    UnauthenticatedError,
)
from longline.testing.protocol_client import ask, open_socket

pytestmark = pytest.mark.anyio


def _name(principal: Principal | None) -> str:
    if principal is None:
        return "nobody"
    return "local" if principal is LOCAL else principal.display_name or principal.identity


def telling(name: str) -> ASGIApp:
    """An app that says who it is and what it was given."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        told = {"app": name, "path": scope["path"], "root_path": scope["root_path"]}
        principal = scope.get(PRINCIPAL)
        told["who"] = _name(principal)
        told["request_id"] = scope.get(REQUEST_ID)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept", "subprotocol": name})
            return
        await json_response(200, told)(scope, receive, send)

    return app


def serve(*mounts: ProtocolMount, wrappers=(), authenticators=(), max_body_bytes: int = 100) -> ASGIApp:
    ordered = sorted(mounts, key=lambda mount: -len(mount.path))
    return assemble(ordered, wrappers, authenticators, max_body_bytes=max_body_bytes)


@pytest.mark.parametrize(
    ("path", "app", "root_path"),
    [
        ("/", "root", ""),
        ("/x", "root", ""),
        ("/a", "a", "/a"),
        ("/a/", "a", "/a"),
        ("/a/x", "a", "/a"),
        ("/ab", "root", ""),
        ("/a/b", "ab", "/a/b"),
        ("/a/b/c", "ab", "/a/b"),
        ("/a/bc", "a", "/a"),
        ("/A", "root", ""),
        ("/x/a", "root", ""),
    ],
)
async def test_the_longest_path_that_matches_whole_parts_wins(path: str, app: str, root_path: str) -> None:
    served = serve(
        *(ProtocolMount(path=at, app=telling(name)) for at, name in (("", "root"), ("/a", "a"), ("/a/b", "ab")))
    )
    told = (await ask(served, "GET", path)).json
    assert (told["app"], told["root_path"], told["path"]) == (app, root_path, path)


async def test_a_slash_at_the_end_of_a_mount_makes_no_difference() -> None:
    served = serve(ProtocolMount(path="/a/", app=telling("a")))
    assert (await ask(served, "GET", "/a")).json["root_path"] == "/a"


async def test_where_nothing_is_served_the_answer_is_404() -> None:
    answer = await ask(serve(ProtocolMount(path="/a", app=telling("a"))), "GET", "/b")
    assert answer.status == 404
    assert answer.json == {"error": {"code": "not_found", "message": "nothing is served at this path"}}
    assert (await open_socket(serve(), "/b"))[-1]["code"] == 4404


async def test_one_mount_does_not_change_what_the_next_request_sees() -> None:
    served = serve(ProtocolMount(path="/a", app=telling("a")))
    assert [(await ask(served, "GET", "/a")).json["root_path"] for _ in range(2)] == ["/a", "/a"]


async def test_websockets_are_routed_alike() -> None:
    served = serve(ProtocolMount(path="/a", app=telling("a")), ProtocolMount(path="", app=telling("root")))
    assert (await open_socket(served, "/a/x"))[0]["subprotocol"] == "a"
    assert (await open_socket(served, "/x"))[0]["subprotocol"] == "root"


async def test_no_app_is_ever_sent_a_lifespan() -> None:
    served = serve(ProtocolMount(path="", app=telling("root")))
    with pytest.raises(RuntimeError, match="lifespan"):
        await served({"type": "lifespan"}, None, None)


async def test_wrappers_go_round_everything_the_first_one_outermost() -> None:
    def adding(name: str) -> AppWrapper:
        def wrap(app: ASGIApp) -> ASGIApp:
            async def call(scope: Scope, receive: Receive, send: Send) -> None:
                await app({**scope, "path": scope["path"] + name}, receive, send)

            return call

        return AppWrapper(order=0, wrap=wrap)

    served = serve(ProtocolMount(path="", app=telling("root")), wrappers=[adding("/1"), adding("/2")])
    assert (await ask(served, "GET", "/x")).json["path"] == "/x/1/2"


class Tokens:
    """Knows `Bearer ann`, refuses `Bearer bad`."""

    name = "tokens"
    seen: Credentials | None = None

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        Tokens.seen = credentials
        if credentials.bearer == "bad":
            raise UnauthenticatedError("token expired")
        if credentials.bearer == "barred":
            raise ForbiddenError("barred")
        return Principal(identity="ann") if credentials.bearer == "ann" else None


ANN = {"Authorization": "Bearer ann"}
BAD = {"Authorization": "Bearer bad"}


def guarded(path: str = "/api") -> ASGIApp:
    def refuse(error: LonglineError) -> ASGIApp:
        return json_response(401 if isinstance(error, UnauthenticatedError) else 413, {"detail": str(error)})

    mount = ProtocolMount(path=path, app=telling("api"), public_paths=frozenset({"/ok"}), refuse=refuse)
    return serve(mount, authenticators=[Tokens()], max_body_bytes=10)


@pytest.mark.parametrize("path", ["/api", ""])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}, BAD])
async def test_a_request_without_good_credentials_is_refused_in_the_protocols_form(
    path: str, headers: dict[str, str]
) -> None:
    for place in ("/x", "/ok/x", "/okx", "/x/ok"):
        answer = await ask(guarded(path), "GET", path + place, headers=headers)
        assert answer.status == 401
        assert answer.json["detail"] == ("token expired" if headers is BAD else "no valid credentials")


@pytest.mark.parametrize("path", ["/api", ""])
async def test_good_credentials_become_the_principal_of_the_request(path: str) -> None:
    for place in ("/x", "/ok"):
        assert (await ask(guarded(path), "GET", path + place, headers=ANN)).json["who"] == "ann"


async def test_whatever_an_authenticator_raises_on_purpose_is_refused_in_the_protocols_form() -> None:
    mount = ProtocolMount(path="", app=telling("root"), public_paths=frozenset({"/ok"}))
    served = serve(mount, authenticators=[Tokens()])
    headers = {"Authorization": "Bearer barred"}
    assert (await ask(served, "GET", "/x", headers=headers)).status == 403
    assert (await ask(served, "GET", "/ok", headers=headers)).status == 200


@pytest.mark.parametrize("headers", [{}, BAD])
async def test_a_public_path_is_open_to_somebody_who_owns_nothing(headers: dict[str, str]) -> None:
    answer = await ask(guarded(), "GET", "/api/ok", headers=headers)
    assert (answer.status, answer.json["who"]) == (200, "anonymous")


async def test_a_browser_may_ask_what_it_may_ask_without_credentials() -> None:
    assert (await ask(guarded(), "OPTIONS", "/api/x")).status == 200


async def test_a_websocket_without_credentials_is_closed_with_a_code_that_a_page_can_read() -> None:
    accepted, closed = await open_socket(guarded(), "/api/x")
    assert accepted["type"] == "websocket.accept"
    assert (closed["type"], closed["code"]) == ("websocket.close", 4401)
    assert (await open_socket(guarded(), "/api/x", headers=ANN))[0]["type"] == "websocket.accept"


async def test_an_authenticator_sees_the_whole_request_line_and_lower_case_headers() -> None:
    await ask(guarded(), "PATCH", "/api/x?a=b&c", headers={**ANN, "X-Key": "ü"})
    seen = Tokens.seen
    assert seen is not None
    assert (seen.method, seen.path, seen.query) == ("PATCH", "/api/x", "a=b&c")
    assert seen.headers["x-key"] == "ü"


async def test_without_authenticators_every_request_is_the_local_users() -> None:
    served = serve(ProtocolMount(path="", app=telling("root")))
    for headers in ({}, ANN, BAD):
        assert (await ask(served, "GET", "/x", headers=headers)).json["who"] == "local"


@pytest.mark.parametrize("given", ["a", "A-b_c.d:e", "x" * 128, "0123", "01a1f9f5-4441-77e5-a7ec-31c27bf929ea"])
async def test_a_safe_request_id_is_kept(given: str) -> None:
    app = with_request_id(telling("root"))
    assert (await ask(app, "GET", "/", headers={"X-Request-ID": given})).json["request_id"] == given


@pytest.mark.parametrize(
    "given", [None, "", "x" * 129, "a b", "a\tb", "a\r\nb", "é", "<script>", "a;b", 'a"b', "a\x00"]
)
async def test_an_unsafe_or_missing_request_id_is_replaced(given: str | None) -> None:
    app = with_request_id(telling("root"))
    headers = {} if given is None else {"x-request-id": given}
    first, second = [(await ask(app, "GET", "/", headers=headers)).json["request_id"] for _ in range(2)]
    assert first != second
    assert given not in (first, second)
    assert len(first) == 36


async def test_what_is_no_request_has_no_request_id() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    await with_request_id(app)({"type": "lifespan"}, None, None)
    assert seen == [{"type": "lifespan"}]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnauthenticatedError("who?"), 401),
        (BodyTooLargeError(5), 413),
        (NotFoundError("thing", "x"), 404),
        (ForbiddenError("no"), 403),
        (IdentityAwayError("who knows?"), 503),
        (LonglineError("what?"), 500),
    ],
)
async def test_a_protocol_without_a_form_of_its_own_refuses_plainly(error: LonglineError, status: int) -> None:
    answer = await ask(refuse_plainly(error), "GET", "/")
    assert answer.status == status
    assert answer.json == {"error": {"code": error.code, "message": str(error)}}
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


async def test_a_refusal_may_say_what_is_wrong_with_the_credentials() -> None:
    class ExpiredError(UnauthenticatedError):
        challenge = 'Bearer error="invalid_token"'

    answer = await ask(refuse_plainly(ExpiredError()), "GET", "/")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def mounted_at(prefix: str) -> AppWrapper:
    def wrap(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "root_path": prefix}, receive, send)

        return call

    return AppWrapper(order=1, wrap=wrap)


@pytest.mark.parametrize(
    ("path", "app", "root_path"), [("/api", "root", "/api"), ("/api/a/b", "a", "/api/a"), ("/api/x", "root", "/api")]
)
async def test_the_whole_server_may_be_mounted_below_a_path(path: str, app: str, root_path: str) -> None:
    mounts = [ProtocolMount(path="", app=telling("root")), ProtocolMount(path="/a", app=telling("a"))]
    told = (await ask(serve(*mounts, wrappers=[mounted_at("/api")]), "GET", path)).json
    assert isinstance(told, dict)
    assert (told["app"], told["path"], told["root_path"]) == (app, path, root_path)
