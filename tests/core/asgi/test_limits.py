"""No request body is larger than the server takes, whatever its headers say."""

import pytest

from longline.asgi.limits import limited
from longline.asgi.mount import ProtocolMount
from longline.asgi.respond import json_response
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import BodyTooLargeError
from longline.testing.protocol_client import ask, open_socket

pytestmark = pytest.mark.anyio

LIMIT = 10


class Reader:
    """An app that reads the whole body and says how long it was."""

    def __init__(self) -> None:
        self.received = 0
        self.was_called = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.was_called = True
        more = scope["type"] == "http"
        while more:
            message = await receive()
            self.received += len(message.get("body", b""))
            more = message.get("more_body", False)
        await json_response(200, self.received)(scope, receive, send)


def limiting(app: ASGIApp) -> ASGIApp:
    return limited(app, ProtocolMount(path="", app=app), LIMIT)


@pytest.mark.parametrize("size", [0, 1, LIMIT])
async def test_a_body_up_to_the_limit_is_read_whole(size: int) -> None:
    assert (await ask(limiting(Reader()), "POST", "/", body=b"x" * size)).json == size
    assert (await ask(limiting(Reader()), "POST", "/", body=[b"x"] * size or [b""])).json == size


@pytest.mark.parametrize("length", [str(LIMIT + 1), "99999999999999999999", "9" * 5_000])
async def test_a_body_that_announces_to_be_larger_is_refused_unread(length: str) -> None:
    reader = Reader()
    answer = await ask(limiting(reader), "POST", "/", headers={"Content-Length": length}, body=b"x")
    assert answer.status == 413
    assert answer.json["error"] == {
        "code": "body_too_large",
        "message": f"the request body is larger than {LIMIT} bytes",
    }
    assert not reader.was_called


@pytest.mark.parametrize("headers", [{}, {"content-length": "5"}, {"content-length": "-1"}, {"content-length": "many"}])
async def test_a_body_that_grows_past_the_limit_is_refused_as_soon_as_it_does(headers: dict[str, str]) -> None:
    reader = Reader()
    chunks = iter([b"x" * 6, b"x" * 6, b"never asked for"])
    sent = []

    async def receive():
        return {"type": "http.request", "body": next(chunks), "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    await limiting(reader)(scope, receive, send)
    assert sent[0]["status"] == 413
    assert reader.received == 6
    assert next(chunks) == b"never asked for"


async def test_after_the_answer_has_begun_the_fault_goes_to_the_server() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()

    with pytest.raises(BodyTooLargeError):
        await ask(limiting(app), "POST", "/", body=[b"x" * (LIMIT + 1)])


async def test_an_app_that_answers_for_itself_is_left_to_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except BodyTooLargeError as error:
            await json_response(418, str(error))(scope, receive, send)

    assert (await ask(limiting(app), "POST", "/", body=[b"x" * (LIMIT + 1)])).status == 418


async def test_websockets_have_no_body_to_limit() -> None:
    reader = Reader()
    await open_socket(limiting(reader), "/", headers={"content-length": "99"})
    assert reader.was_called
