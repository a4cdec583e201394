"""What is about to be read or written, with the keys and types that the SDK documents, and back."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from longline.encoding import encode
from longline.models.json import JsonObject, JsonValue

_IDS: Final = frozenset({"assistant_id", "cron_id", "run_id", "thread_id"})
_PATHS: Final = frozenset({"namespace", "suffix"})
_WRITABLE: Final = frozenset({"filter", "ids", "metadata", "namespace", "suffix"})
_TIMES: Final = frozenset({"end_time"})


def for_handler(value: JsonObject) -> dict[str, object]:
    """Ids as UUIDs, paths of the store as tuples, times as datetimes. Its metadata is the handler's to change."""
    return {key: _for_handler(key, item) for key, item in value.items()}


def write_back(changed: dict[str, object], value: JsonObject) -> None:
    """Take over what the handler made of it. Raises TypeError for what has no JSON form."""
    written = {key: _written(key, item) for key, item in changed.items()}
    value.clear()
    value.update(written)


def _for_handler(key: str, item: JsonValue) -> object:
    if key in _IDS and isinstance(item, str):
        return _uuid(item)
    if key == "ids" and isinstance(item, list):
        return [_uuid(entry) if isinstance(entry, str) else entry for entry in item]
    if key in _PATHS and isinstance(item, list | tuple):
        return tuple(item)
    if key in _TIMES and isinstance(item, str):
        return datetime.fromisoformat(item)
    return item


def _uuid(text: str) -> UUID | str:
    try:
        return UUID(text)
    except ValueError:
        return text


def _written(key: str, item: Any) -> JsonValue:  # whatever a handler puts there
    """Most of it is as it came, and may be large: only what a handler may have written anything into is looked at."""
    if key not in _WRITABLE and not isinstance(item, UUID | datetime | tuple):
        return item  # type: ignore[no-any-return]  # as it came
    if key == "ids" or item is None or isinstance(item, str):
        return [str(entry) for entry in item] if isinstance(item, list) else item
    found: JsonValue = orjson.loads(encode(item))
    return found
