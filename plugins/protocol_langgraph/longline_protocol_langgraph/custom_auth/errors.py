"""What handlers of an Auth object say no with."""

import logging
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson
from starlette.exceptions import HTTPException as StarletteHTTPException

from longline.encoding import encode
from longline.errors import ForbiddenError, LonglineError, UnauthenticatedError

if TYPE_CHECKING:
    from langgraph_sdk.auth.exceptions import HTTPException

logger = logging.getLogger(__name__)

_LEAST: Final = 400
_MOST: Final = 599
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING: Final = frozenset({"connection", "content-length", "content-type", "transfer-encoding"})
"""What says how the answer is written: the server knows that alone."""


class HandlerUnauthenticatedError(UnauthenticatedError):
    """The authenticate handler turned the caller away, with a status, a text and headers of its own."""

    def __init__(self, status: int, detail: object, headers: Mapping[str, str]) -> None:
        super().__init__(str(detail))
        self.status = status
        self.detail = detail
        self.headers = headers


class HandlerForbiddenError(ForbiddenError):
    """An `on` handler refused the action, with a status, a text and headers of its own."""

    def __init__(self, status: int, detail: object, headers: Mapping[str, str]) -> None:
        super().__init__(str(detail))
        self.status = status
        self.detail = detail
        self.headers = headers


class HandlerFailedError(LonglineError):
    """A handler raised something else, or returned what nobody can act on. The caller is told nothing about it."""

    code = "auth_handler_failed"

    def __init__(self, handler: str, cause: str) -> None:
        super().__init__(f"auth handler {handler} failed: {cause}")
        self.handler = handler


def http_exceptions() -> "tuple[type[HTTPException], type[StarletteHTTPException]]":
    """What handlers may raise to choose the answer. Imports langgraph_sdk, which an Auth object has done already."""
    from langgraph_sdk.auth.exceptions import HTTPException  # noqa: PLC0415  # slow, and only where there is an Auth

    return HTTPException, StarletteHTTPException


def unauthenticated(error: "HTTPException | StarletteHTTPException") -> LonglineError:
    """The refusal that the authenticate handler raised, as ours."""
    status = _status(error)
    if status is None:
        return HandlerFailedError("authenticate", f"{error.status_code!r} is not the status of a refusal")
    return HandlerUnauthenticatedError(status, _detail(error, status), dict(_headers(error)))


def forbidden(error: "HTTPException | StarletteHTTPException", handler: str) -> LonglineError:
    """The refusal that an `on` handler raised, as ours."""
    status = _status(error)
    if status is None:
        return HandlerFailedError(handler, f"{error.status_code!r} is not the status of a refusal")
    return HandlerForbiddenError(status, _detail(error, status), dict(_headers(error)))


# What cannot be sent must not turn a refusal into a broken connection.


def _status(error: "HTTPException | StarletteHTTPException") -> int | None:
    status: object = error.status_code  # whatever the handler gave
    return int(status) if isinstance(status, int) and _LEAST <= status <= _MOST else None


def _detail(error: "HTTPException | StarletteHTTPException", status: int) -> object:
    try:
        return orjson.loads(encode(error.detail))
    except (TypeError, ValueError):
        logger.warning("detail of a refusal left out", extra={"type": type(error.detail).__name__})
        return HTTPStatus(status).phrase if status in set(HTTPStatus) else "refused"


def _headers(error: "HTTPException | StarletteHTTPException") -> Iterator[tuple[str, str]]:
    lines = error.headers if isinstance(error.headers, Mapping) else {}
    for name, text in ((str(name), str(value)) for name, value in lines.items()):
        if name.lower() in _FRAMING or not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(text):
            logger.warning("header of a refusal left out", extra={"header": name})
        else:
            yield name, text
