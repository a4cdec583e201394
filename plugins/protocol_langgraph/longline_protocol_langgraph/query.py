"""Path and query parameters, checked."""

import re
from collections.abc import Collection, Iterable
from contextlib import suppress

import orjson
from starlette.requests import Request

from longline.ids import parse_uuid
from longline_protocol_langgraph.errors import InvalidIdError, InvalidParameterError

LARGEST = 2**31 - 1
"""The largest offset, version or limit that makes sense: more would not fit every storage's integers."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


def path_id(request: Request, kind: str) -> str:
    """The id of `kind` in the path, in its canonical spelling. Raises InvalidIdError."""
    return require_uuid(request.path_params[f"{kind}_id"], kind)


def require_uuid(text: str, kind: str) -> str:
    """The canonical spelling of a UUID. Raises InvalidIdError."""
    canonical = parse_uuid(text)
    if canonical is None:
        raise InvalidIdError(kind)
    return canonical


def flag(request: Request, name: str) -> bool:
    """A boolean parameter; False if it is missing. Raises InvalidParameterError."""
    text = request.query_params.get(name, "").lower()
    if text not in _TRUE | _FALSE:
        raise InvalidParameterError(name, text, "true or false")
    return text in _TRUE


def flag_or_number(request: Request, name: str) -> bool | int:
    """A boolean, or a number of levels. Raises InvalidParameterError."""
    text = request.query_params.get(name, "").lower()
    if text in ("0", "1") or not _is_number(text):
        return flag(request, name)
    return int(text)


def number(request: Request, name: str, *, default: int, least: int = 0, most: int = LARGEST) -> int:
    """A whole number. Raises InvalidParameterError."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not _is_number(text) or not least <= int(text) <= most:
        raise InvalidParameterError(name, text, f"a whole number from {least} to {most}")
    return int(text)


def score(request: Request, name: str) -> bool | float | None:
    """A number as JSON writes them, or true or false; None if it is missing. Raises InvalidParameterError."""
    text = request.query_params.get(name)
    if text is None:
        return None
    with suppress(orjson.JSONDecodeError):
        value = orjson.loads(text)
        if isinstance(value, bool) or (isinstance(value, int | float) and abs(value) <= LARGEST):
            return value
    raise InvalidParameterError(name, text, f"a number from -{LARGEST} to {LARGEST}, true or false")


def choice(request: Request, name: str, options: Collection[str], *, default: str) -> str:
    """One of the options. Raises InvalidParameterError."""
    text = request.query_params.get(name, default)
    if text not in options:
        raise InvalidParameterError(name, text, f"one of {', '.join(sorted(options))}")
    return text


def choices(request: Request, name: str, options: Collection[str]) -> list[str]:
    """Every value of a parameter given several times, with commas or as a JSON array. Raises InvalidParameterError."""
    found = list(_split(request.query_params.getlist(name)))
    for text in found:
        if text not in options:
            raise InvalidParameterError(name, text, f"one of {', '.join(sorted(options))}")
    return found


def matches(request: Request, name: str, pattern: str) -> list[str]:
    """Every value of a parameter that may be given several times. Raises InvalidParameterError."""
    found = request.query_params.getlist(name)
    for text in found:
        if not re.fullmatch(pattern, text):
            raise InvalidParameterError(name, text, f"like {pattern}")
    return found


def _split(values: Iterable[str]) -> Iterable[str]:
    return (part.strip() for value in values for part in _parts(value) if part.strip())


def _parts(value: str) -> list[str]:
    if value.startswith("["):  # the JavaScript SDK writes arrays so
        with suppress(orjson.JSONDecodeError):
            found = orjson.loads(value)
            if all(isinstance(part, str) for part in found):
                return list(found)
    return value.split(",")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST))
