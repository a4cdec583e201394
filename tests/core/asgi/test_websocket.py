"""How a WebSocket is turned away so that a page can tell why."""

import pytest

from longline.asgi.types import Message
from longline.asgi.websocket import refuse_websocket, short_reason

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("offered", "chosen"), [([], {}), (["bearer", "xyz"], {"subprotocol": "bearer"})])
async def test_who_is_turned_away_reads_a_code_and_a_reason(offered: list[str], chosen: dict[str, str]) -> None:
    """Chrome drops a connection that was asked for subprotocols and names none: a page would see no code but 1006."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await refuse_websocket(403, "not yours")({"type": "websocket", "subprotocols": offered}, receive, send)
    assert sent == [
        {"type": "websocket.accept", **chosen},
        {"type": "websocket.close", "code": 4403, "reason": "not yours"},
    ]


def test_a_reason_fits_into_its_frame_without_half_a_character() -> None:
    assert short_reason("ü" * 100) == "ü" * 60
    assert short_reason("x" + "ü" * 100) == "x" + "ü" * 59
