"""Items: what agents remember across threads, by namespace and key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from longline.models.json import JsonObject, JsonValue

Namespace = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """An item as it was found. `score` says how near it is to what was asked for; None where nothing was compared."""

    namespace: Namespace
    key: str
    value: JsonObject
    created_at: datetime
    updated_at: datetime
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item to store. `index` names the parts of the value to embed (None: as configured, False: none). Without
    `has_ttl` the item stays as long as the settings say, else `ttl_minutes` (None: for good)."""

    namespace: Namespace
    key: str
    value: JsonObject
    index: Sequence[str] | bool | None = None
    has_ttl: bool = False
    ttl_minutes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemQuery:
    """Which items below a namespace. `filter` compares members of the value, by equality or operators ($eq, $ne, $gt,
    $gte, $lt, $lte); `query` asks by meaning where there is an index, else it is ignored."""

    namespace: Namespace = ()
    filter: Mapping[str, JsonValue] | None = None
    query: str | None = None
    limit: int = 10
    offset: int = 0
    refresh_ttl: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceQuery:
    """Which namespaces: those with this beginning and end, cut off after `max_depth` labels. `*` stands for any one
    label."""

    prefix: Namespace = ()
    suffix: Namespace = ()
    max_depth: int | None = None
    limit: int = 100
    offset: int = 0
