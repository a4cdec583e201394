"""What plugins keep: the protocol that every storage implements, so that no plugin brings SQL of its own."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from longline.models.collections import Count, Document, DocumentQuery, LogEntry, NewDocument
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline.models.runs import Run

RecordRule = Callable[[Run], Sequence[NewDocument]]
"""A run that ends → what is to be stored in the transaction of its end. May be called in another thread."""


def record_nothing(run: Run) -> Sequence[NewDocument]:  # noqa: ARG001  # a RecordRule
    """The rule that stores nothing."""
    return ()


class CollectionStore(Protocol):
    """Documents, logs and counters by collection and owner. All times go by the clock of the storage. What has expired
    looks exactly like what was never there, whether it was deleted yet or not. What is one owner's cannot be reached
    with the name of another."""

    # -- documents --------------------------------------------------------------------------------------------------

    async def put(self, new: NewDocument, *, expected: int | None = None) -> Document:
        """Store a document whole. `expected` None: over whatever is there; 0: only where nothing is; else only over
        that version. Nobody holds it any more. Raises VersionConflictError."""
        ...

    async def get(self, collection: str, owner: str, key: str) -> Document:
        """The document. Raises NotFoundError."""
        ...

    async def search(self, query: DocumentQuery) -> Page[Document]:
        """The matching documents in order, with the true total."""
        ...

    async def delete(self, collection: str, owner: str, key: str, *, expected: int | None = None) -> bool:
        """Remove a document, with `expected` only that version; whether there was one. Raises VersionConflictError."""
        ...

    async def take_due(self, collection: str, *, holder: str, lease_seconds: float, limit: int) -> Sequence[Document]:
        """Take up documents whose `due_at` has come, the longest due first: each goes to one taker, in all processes.

        A taken document is due again after `lease_seconds`, with a version of its own. Who has done the work deletes
        it, or puts it with a later `due_at` or none, over the version that was handed out: if that was too late and
        somebody else has taken it up, the version does not fit. A storage that one server has for itself makes what a
        dead server had taken due at once when it is opened."""
        ...

    async def next_due(self, collection: str) -> datetime | None:
        """When the earliest document is due, in the past too; None if none will be."""
        ...

    # -- logs -------------------------------------------------------------------------------------------------------

    async def append(
        self,
        collection: str,
        owner: str,
        log: str,
        values: Sequence[JsonObject],
        *,
        expires_at: datetime | None = None,
    ) -> Sequence[LogEntry]:
        """Add entries to the end of a log, in this order, all or none."""
        ...

    async def read(self, collection: str, owner: str, log: str, *, after: int = 0, limit: int) -> Sequence[LogEntry]:
        """Entries after a position, in order. No entry appears later before one that was read."""
        ...

    async def delete_log(self, collection: str, owner: str, log: str) -> bool:
        """Remove all entries of a log; whether there were any. Later entries get later positions all the same."""
        ...

    # -- counters ---------------------------------------------------------------------------------------------------

    async def add(self, collection: str, owner: str, key: str, amount: int = 1, *, window_seconds: float) -> Count:
        """Add to a counter and get what it stands at. The first addition opens a window; when that has ended the count
        starts again from nothing. Additions at the same time are all counted."""
        ...

    # -- housekeeping -----------------------------------------------------------------------------------------------

    async def delete_expired(self, *, limit: int) -> int:
        """Really delete up to `limit` rows of each kind whose time has passed, in one short transaction; how many went.
        Fewer than `limit` means that nothing is left for now."""
        ...
