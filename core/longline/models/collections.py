"""What plugins keep without tables of their own: versioned documents, append-only logs and counters."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.pages import SortOrder

CollectionKind = Literal["documents", "log", "counters"]
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """A collection that a plugin declares. `name` is `<plugin>.<noun>`; what is put without an end of its own goes
    after `ttl_seconds` (None: it stays). Counters end with their window and take none."""

    name: str
    kind: CollectionKind
    ttl_seconds: float | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a collection is called <plugin>.<noun>, in lower case; got {self.name!r}")  # noqa: TRY003
        if self.ttl_seconds is not None and (self.kind == "counters" or self.ttl_seconds <= 0):
            raise ValueError(f"collection {self.name!r} cannot have a ttl of {self.ttl_seconds} seconds")  # noqa: TRY003


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document to store. `owner` is whose it is (an identity; "" for the server's own), `key` its name there.
    `expires_at` is when it goes, `due_at` when somebody is to take it up (see CollectionStore.take_due)."""

    collection: str
    owner: str
    key: str
    value: JsonObject
    expires_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as stored. `version` is above 0 and one more with each write, takes included; none is used again for
    the key, not even after the document was deleted or expired. `takes` counts how often it was ever taken up; `holder`
    is who has taken it up and not put it back, None if nobody has."""

    collection: str
    owner: str
    key: str
    value: JsonObject
    version: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    due_at: datetime | None = None
    takes: int = 0
    holder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    """Which documents of a collection, by age and then by owner and key. `owner` None: everybody's, which is for the
    server's own work and never for what a caller sees."""

    collection: str
    owner: str | None
    where: Filter = EVERYTHING
    sort_order: SortOrder = "asc"
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """An entry of a log. Positions of a log increase and are never used again; they may have gaps."""

    position: int
    at: datetime
    value: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a counter stands at, and when its window ends."""

    value: int
    ends_at: datetime
