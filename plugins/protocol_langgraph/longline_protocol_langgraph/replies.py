"""Whole answers: JSON, errors, nothing."""

from collections.abc import Mapping

import orjson
from starlette.responses import PlainTextResponse, Response

from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.asgi.websocket import refuse_websocket
from longline.errors import InvalidLabelError, LonglineError
from longline_protocol_langgraph.statuses import detail_of, headers_of, is_said_on_purpose, status_of


def json_reply(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Compact JSON. `orjson.Fragment`s are taken over as they are."""
    return encoded_reply(orjson.dumps(value), status=status, headers=headers)


def encoded_reply(data: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that is encoded already."""
    return Response(data, status_code=status, headers=headers, media_type="application/json")


def empty_reply(status: int = 204) -> Response:
    """A status alone."""
    return Response(status_code=status)


def error_reply(error: LonglineError) -> Response:
    """`{"detail": …}` with the status of the error; a fault of the server says nothing of itself."""
    status = status_of(error)
    if status == 500 and not is_said_on_purpose(error):  # noqa: PLR2004  # HTTP
        return fault_reply()
    if isinstance(error, InvalidLabelError):
        return Response(str(error), status_code=status)  # without a type: so clients know it
    return json_reply({"detail": detail_of(error)}, status=status, headers=headers_of(error))


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at paths that are not served."""
    if scope["type"] == "websocket":
        await refuse_websocket(404, "Not Found")(scope, receive, send)
        return
    await json_reply({"detail": "Not Found"}, status=404)(scope, receive, send)


def refusal(error: LonglineError) -> ASGIApp:
    """The answer to a request that did not get as far as its route: by HTTP, or by closing a WebSocket."""
    status = status_of(error)
    is_fault = status == 500 and not is_said_on_purpose(error)  # noqa: PLR2004  # HTTP
    reason = "Internal Server Error" if is_fault else str(detail_of(error))
    reply, close = error_reply(error), refuse_websocket(status, reason)

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await (close if scope["type"] == "websocket" else reply)(scope, receive, send)

    return refuse


def fault_reply() -> Response:
    """The server's own fault: the cause is in its log."""
    return PlainTextResponse("Internal Server Error", status_code=500)
