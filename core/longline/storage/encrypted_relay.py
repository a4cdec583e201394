"""What processes leave for each other's readers, behind a cipher."""

from collections.abc import Mapping, Sequence

from longline.models.events import EventBatch, EventId, RunEvent
from longline.storage.encrypted_runs import close_batches
from longline.storage.relay import BegunRun, FollowedRun, FollowedThread, RelayedEnd, RelayStore
from longline.storage.sealed_models import SealedModels, each


class EncryptedRelay:
    """See RelayStore."""

    def __init__(self, inner: RelayStore, models: SealedModels) -> None:
        self._inner = inner
        self._models = models

    async def watch_run(self, run_id: str, owner: str) -> FollowedRun | None:
        """See RelayStore."""
        return await self._inner.watch_run(run_id, owner)

    async def watch_thread(self, thread_id: str, owner: str, *, seconds: float) -> FollowedThread | None:
        """See RelayStore."""
        return await self._inner.watch_thread(thread_id, owner, seconds=seconds)

    async def begun(self, after: Mapping[str, int]) -> Sequence[BegunRun]:
        """See RelayStore."""
        return await self._inner.begun(after)

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        """See RelayStore. Events that the cipher refuses cost their run its lease, as in the log."""
        closed, refused = await close_batches(batches, self._models)
        return await self._inner.append(closed) | refused

    async def read(self, run_id: str, *, after: EventId, limit: int) -> Sequence[RunEvent]:
        """See RelayStore."""
        return await each(await self._inner.read(run_id, after=after, limit=limit), self._models.open_event)

    async def ends(self, run_ids: Sequence[str]) -> Mapping[str, RelayedEnd | None]:
        """See RelayStore."""
        found = await self._inner.ends(run_ids)
        return {run_id: None if end is None else await self._models.open_end(end) for run_id, end in found.items()}

    async def forget(self, *, older_than_seconds: float) -> int:
        """See RelayStore."""
        return await self._inner.forget(older_than_seconds=older_than_seconds)
