"""What an authenticate handler may ask for, by the names of its parameters."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from longline.asgi.types import Message
from longline.auth.authenticator import Credentials
from longline.ids import parse_uuid

_PARAMETERS: Final = {"threads": "thread_id", "runs": "run_id", "assistants": "assistant_id", "crons": "cron_id"}
"""What an id below each of these is called."""


async def _request(shown: Credentials) -> object:
    async def receive() -> Message:
        return {"type": "http.request", "body": await shown.read_body(), "more_body": False}

    scope = {**shown.scope, "type": "http", "method": shown.method, "path_params": _path_params(shown.path)}
    return Request(scope, receive)


async def _body(shown: Credentials) -> object:
    """The JSON value; None for an empty body, and for one that is not JSON: the endpoint says so."""
    try:
        return orjson.loads(await shown.read_body())
    except orjson.JSONDecodeError:
        return None


async def _headers(shown: Credentials) -> object:
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in shown.headers.items()}


async def _authorization(shown: Credentials) -> object:
    return shown.headers.get("authorization")


async def _path(shown: Credentials) -> object:
    return shown.path


async def _method(shown: Credentials) -> object:
    return shown.method


async def _path_params_of(shown: Credentials) -> object:
    return _path_params(shown.path)


async def _query_params(shown: Credentials) -> object:
    return dict(parse_qsl(shown.query, keep_blank_values=True))


async def _scopes(shown: Credentials) -> object:  # noqa: ARG001  # an argument like the others
    return []


_ARGUMENTS: Final[dict[str, Callable[[Credentials], Awaitable[object]]]] = {
    "request": _request,
    "body": _body,
    "headers": _headers,
    "authorization": _authorization,
    "path": _path,
    "method": _method,
    "path_params": _path_params_of,
    "query_params": _query_params,
    "scopes": _scopes,
}


def wanted_by(handler: Callable[..., object]) -> Sequence[str]:
    """The arguments that a handler names. Raises ValueError for one that nobody gives."""
    names = []
    for name, parameter in inspect.signature(handler).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            names += list(_ARGUMENTS)
        elif name in _ARGUMENTS and parameter.kind is not parameter.POSITIONAL_ONLY:
            names.append(name)
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL:
            known = ", ".join(_ARGUMENTS)
            raise ValueError(f"its parameter {name!r} is not known; it may take by name: {known}")  # noqa: TRY003  # for the caller
    return tuple(dict.fromkeys(names))


async def arguments_for(names: Sequence[str], shown: Credentials) -> dict[str, object]:
    """The values of these arguments for one request. Raises BodyTooLargeError."""
    return {name: await _ARGUMENTS[name](shown) for name in names}


def _path_params(path: str) -> dict[str, str]:
    """The ids in a path, by what the API calls them."""
    parts = path.strip("/").split("/")
    return {
        _PARAMETERS[place]: following
        for place, following in pairwise(parts)
        if place in _PARAMETERS and parse_uuid(following) is not None
    }
