"""JSON Schema for values that callers send: nothing is fetched, and what is unique is told without comparing each with
each, for which a few thousand objects would hold the whole server up."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, TypeVar

import orjson
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own
from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import extend, validator_for  # type: ignore[import-untyped]
from referencing import Registry

from longline.models.json import JsonObject, JsonValue
from longline.threads import in_thread

_NOTHING_ELSEWHERE: Final[Registry[object]] = Registry()
_LARGEST: Final = 2.0**63  # what the encoder takes
_SMALL: Final = 1 << 14  # bytes of arguments, each of whose values takes 10 µs

T = TypeVar("T")


async def look_at(arguments: JsonObject, look: Callable[[JsonObject], T]) -> T:
    """What `look` returns or raises: beside the event loop where the arguments are many."""
    return await in_thread(look, arguments) if _is_large(arguments) else look(arguments)


def validator_of(schema: JsonObject) -> Draft202012Validator:
    """A validator in the dialect that the schema names, 2020-12 if it names none. References lead to nowhere else."""
    return _kind_of(validator_for(schema, default=Draft202012Validator))(schema, registry=_NOTHING_ELSEWHERE)


def _is_large(arguments: JsonObject) -> bool:
    try:
        return len(orjson.dumps(arguments)) > _SMALL
    except TypeError:  # a number beyond 64 bits, a text that is no Unicode: refused at once
        return False


@lru_cache(maxsize=16)  # there are seven dialects
def _kind_of(dialect: type[Draft202012Validator]) -> type[Draft202012Validator]:
    extended: type[Draft202012Validator] = extend(dialect, {"uniqueItems": _unique_items})
    return extended


def _unique_items(
    validator: Draft202012Validator, wanted: JsonValue, value: JsonValue, _schema: JsonObject
) -> Iterator[ValidationError]:
    if not wanted or not isinstance(value, list) or not validator.is_type(value, "array"):
        return
    if len({orjson.dumps(_plain(one), option=orjson.OPT_SORT_KEYS) for one in value}) != len(value):
        yield ValidationError("the items are not unique")


def _plain(value: JsonValue) -> JsonValue:
    """The value with whole numbers in one form: 1 and 1.0 are the same in a schema."""
    match value:
        case float() if value.is_integer() and abs(value) < _LARGEST:
            return int(value)
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
    return value
