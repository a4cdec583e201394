"""Path and query parameters, checked."""

from collections.abc import Collection, Iterable

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


def choice(request: Request, name: str, options: Collection[str], *, default: str) -> str:
    """One of the options. Raises InvalidParameterError."""
    text = request.query_params.get(name, default)
    if text not in options:
        raise InvalidParameterError(name, text, f"one of {', '.join(sorted(options))}")
    return text


def choices(request: Request, name: str, options: Collection[str]) -> list[str]:
    """Every value of a parameter that may be given several times or with commas. Raises InvalidParameterError."""
    found = list(_split(request.query_params.getlist(name)))
    for text in found:
        if text not in options:
            raise InvalidParameterError(name, text, f"one of {', '.join(sorted(options))}")
    return found


def _split(values: Iterable[str]) -> Iterable[str]:
    return (part.strip() for value in values for part in value.split(",") if part.strip())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST))
