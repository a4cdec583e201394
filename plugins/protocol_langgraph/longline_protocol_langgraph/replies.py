"""Whole answers: JSON, errors, nothing."""

from collections.abc import Mapping

import orjson
from starlette.responses import PlainTextResponse, Response

from longline.errors import LonglineError
from longline_protocol_langgraph.statuses import detail_of, headers_of, status_of


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
    if status == 500:  # noqa: PLR2004  # HTTP
        return fault_reply()
    return json_reply({"detail": detail_of(error)}, status=status, headers=headers_of(error))


def fault_reply() -> Response:
    """The server's own fault: the cause is in its log."""
    return PlainTextResponse("Internal Server Error", status_code=500)
