"""What plugins keep, by the collections that they declared: documents, logs and counters, each with its default end."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from longline.clock import Clock
from longline.errors import UnknownCollectionError
from longline.models.collections import (
    CollectionKind,
    CollectionSpec,
    Count,
    Document,
    DocumentQuery,
    LogEntry,
    NewDocument,
)
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.pages import Page, SortOrder
from longline.storage.collections import CollectionStore
from longline.storage.due import DueSignals

_LEAST_SECONDS: Final = 0.01  # the clock of the storage may be behind ours: do not ask it without a pause


class Collections:
    """The collections of this server. A name that no plugin declared is refused with UnknownCollectionError. Every
    method of what is handed out may raise StorageError."""

    def __init__(
        self,
        store: CollectionStore,
        specs: Mapping[str, CollectionSpec],
        *,
        signals: DueSignals,
        holder: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._specs = specs
        self._signals = signals
        self._holder = holder
        self._clock = clock

    def documents(self, name: str) -> "Documents":
        """A collection of documents. Raises UnknownCollectionError."""
        return Documents(self._store, self._spec("documents", name), self._signals, self._holder, self._clock)

    def log(self, name: str) -> "Logs":
        """A collection of logs. Raises UnknownCollectionError."""
        return Logs(self._store, self._spec("log", name), self._clock)

    def counters(self, name: str) -> "Counters":
        """A collection of counters. Raises UnknownCollectionError."""
        return Counters(self._store, self._spec("counters", name))

    async def delete_expired(self, *, limit: int) -> int:
        """See CollectionStore."""
        return await self._store.delete_expired(limit=limit)

    def _spec(self, kind: CollectionKind, name: str) -> CollectionSpec:
        spec = self._specs.get(name)
        if spec is None or spec.kind != kind:
            raise UnknownCollectionError(kind, name, [spec.name for spec in self._specs.values() if spec.kind == kind])
        return spec


class Documents:
    """Versioned documents, each of one owner: a principal's identity, or "" for the server's own."""

    def __init__(
        self, store: CollectionStore, spec: CollectionSpec, signals: DueSignals, holder: str, clock: Clock
    ) -> None:
        self._store = store
        self._spec = spec
        self._signals = signals
        self._holder = holder
        self._clock = clock

    async def put(
        self,
        owner: str,
        key: str,
        value: JsonObject,
        *,
        expected: int | None = None,
        expires_at: datetime | None = None,
        due_at: datetime | None = None,
    ) -> Document:
        """See CollectionStore. Raises VersionConflictError."""
        new = NewDocument(
            collection=self._spec.name,
            owner=owner,
            key=key,
            value=value,
            expires_at=expires_at or _default_end(self._spec, self._clock),
            due_at=due_at,
        )
        stored = await self._store.put(new, expected=expected)
        self._signals.announce([new])
        return stored

    async def get(self, owner: str, key: str) -> Document:
        """The document. Raises NotFoundError."""
        return await self._store.get(self._spec.name, owner, key)

    async def search(
        self,
        owner: str | None,
        where: Filter = EVERYTHING,
        *,
        sort_order: SortOrder = "asc",
        limit: int = 10,
        offset: int = 0,
    ) -> Page[Document]:
        """The owner's matching documents by age. `owner` None is for the server's own work: everybody's."""
        return await self._store.search(
            DocumentQuery(
                collection=self._spec.name, owner=owner, where=where, sort_order=sort_order, limit=limit, offset=offset
            )
        )

    async def delete(self, owner: str, key: str, *, expected: int | None = None) -> bool:
        """Whether there was one to remove. Raises VersionConflictError."""
        return await self._store.delete(self._spec.name, owner, key, expected=expected)

    async def take_due(self, *, lease_seconds: float, limit: int) -> Sequence[Document]:
        """Take up what is due, for this process; see CollectionStore."""
        return await self._store.take_due(
            self._spec.name, holder=self._holder, lease_seconds=lease_seconds, limit=limit
        )

    async def wait_due(self, seconds: float) -> None:
        """Until something here may be due, but no longer than `seconds`: what another process stored is only found by
        looking."""
        due = await self._store.next_due(self._spec.name)
        left = seconds if due is None else (due - self._clock()).total_seconds()
        await self._signals.wait(self._spec.name, min(max(left, _LEAST_SECONDS), seconds))


class Logs:
    """Append-only logs, each of one owner."""

    def __init__(self, store: CollectionStore, spec: CollectionSpec, clock: Clock) -> None:
        self._store = store
        self._spec = spec
        self._clock = clock

    async def append(
        self, owner: str, log: str, values: Sequence[JsonObject], *, expires_at: datetime | None = None
    ) -> Sequence[LogEntry]:
        """Add entries at the end, all or none."""
        ends_at = expires_at or _default_end(self._spec, self._clock)
        return await self._store.append(self._spec.name, owner, log, values, expires_at=ends_at)

    async def read(self, owner: str, log: str, *, after: int = 0, limit: int = 100) -> Sequence[LogEntry]:
        """Entries after a position, in order."""
        return await self._store.read(self._spec.name, owner, log, after=after, limit=limit)

    async def delete(self, owner: str, log: str) -> bool:
        """Remove a log; whether there was anything in it."""
        return await self._store.delete_log(self._spec.name, owner, log)


class Counters:
    """Counters that start anew with each window, each of one owner."""

    def __init__(self, store: CollectionStore, spec: CollectionSpec) -> None:
        self._store = store
        self._spec = spec

    async def add(self, owner: str, key: str, amount: int = 1, *, window_seconds: float) -> Count:
        """Add, and get what it stands at and when its window ends."""
        return await self._store.add(self._spec.name, owner, key, amount, window_seconds=window_seconds)


def _default_end(spec: CollectionSpec, clock: Clock) -> datetime | None:
    return None if spec.ttl_seconds is None else clock() + timedelta(seconds=spec.ttl_seconds)
