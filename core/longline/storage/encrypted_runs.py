"""Runs and their events behind a cipher."""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Final

from longline.clock import now
from longline.errors import EncryptionError, LeaseLostError
from longline.models.chains import ChainHead
from longline.models.collections import NewDocument
from longline.models.events import EventBatch, EventId, KeptEntry, RunEvent, ThreadPlace
from longline.models.filters import EVERYTHING, Filter
from longline.models.runs import (
    Admission,
    CancelledRun,
    CancelRequest,
    Claim,
    Displacement,
    Finished,
    Lease,
    LeaseState,
    NewRun,
    Run,
    RunOutcome,
    RunQuery,
    RunStatus,
)
from longline.models.threads import RunFailure, ThreadState, ThreadStatus
from longline.storage.collections import RecordRule, record_nothing
from longline.storage.protocols import EventLog
from longline.storage.queue import AdmissionRule, RunQueue, UnreadableRun
from longline.storage.sealed_models import SealedModels, each

logger = logging.getLogger(__name__)

_TRIES: Final = 200
"""Attempts after which a run that cannot be decrypted ends: about ten minutes of the default lease, for a key service
may be away."""
_PART_OF_LEASE: Final = 0.75
"""Of what a run that cannot be decrypted keeps: it is handed back before the lease has run out."""


class EncryptedRuns:
    """See RunQueue. A run that cannot be decrypted is put aside for most of a lease, so that it holds up nobody, and
    handed back then: that is no attempt that died. After many tries it ends."""

    def __init__(self, inner: RunQueue, models: SealedModels) -> None:
        self._inner = inner
        self._models = models
        self._aside: deque[tuple[float, Lease]] = deque()

    async def enqueue(
        self,
        new: NewRun,
        *,
        admit: AdmissionRule,
        claim: Claim | None = None,
        visible: Filter = EVERYTHING,
        record: RecordRule = record_nothing,
    ) -> Admission:
        """See RunQueue."""
        closed = await self._models.close_new_run(new)
        admission = await self._inner.enqueue(
            closed, admit=self._admitting(admit), claim=claim, visible=visible, record=self._recording(record)
        )
        return replace(admission, run=replace(admission.run, metadata=new.metadata, spec=new.spec))

    async def claim(
        self, claim: Claim, *, limit: int, on_unreadable: Callable[[UnreadableRun], None] | None = None
    ) -> Sequence[Run]:
        """See RunQueue."""
        await self._hand_back()
        claimed = []
        for run in await self._inner.claim(claim, limit=limit, on_unreadable=on_unreadable):
            try:
                claimed.append(await self._models.open_run(run))
            except EncryptionError as error:
                self._aside.append((monotonic() + claim.lease_seconds * _PART_OF_LEASE, run.lease))
                await self._note(run, error, on_unreadable)
        return claimed

    def keep(self, owner: str, leases: Sequence[Lease], *, lease_seconds: float) -> Sequence[LeaseState]:
        """See RunQueue."""
        return self._inner.keep(owner, leases, lease_seconds=lease_seconds)

    async def holds(self, lease: Lease) -> bool:
        """See RunQueue."""
        return await self._inner.holds(lease)

    async def release(self, lease: Lease) -> None:
        """See RunQueue."""
        await self._inner.release(lease)

    async def finish(self, lease: Lease, outcome: RunOutcome, *, at: datetime) -> Finished:
        """See RunQueue. An end that the cipher refuses, though it works, is stored as an error: otherwise the run would
        never end."""
        try:
            closed = await self._models.close_outcome(outcome)
        except EncryptionError as error:
            if not await self._models.seal.works():
                raise
            logger.error("run end not encrypted", extra={"run_id": lease.run_id, "reason": error.reason})  # noqa: TRY400  # the handlers' fault
            closed = await self._models.close_outcome(_refused(error))
        return await self._inner.finish(lease, closed, at=at)

    async def get(self, thread_id: str, run_id: str) -> Run:
        """See RunQueue."""
        return await self._models.open_run(await self._inner.get(thread_id, run_id))

    async def search(self, query: RunQuery) -> Sequence[Run]:
        """See RunQueue."""
        return await each(await self._inner.search(query), self._models.open_run)

    async def count(self, query: RunQuery) -> int:
        """See RunQueue."""
        return await self._inner.count(query)

    async def give_up(self, thread_id: str, head: ChainHead, *, at: datetime) -> bool:
        """See RunQueue."""
        return await self._inner.give_up(thread_id, head, at=at)

    async def cancel(
        self, run_ids: Sequence[str], request: CancelRequest, *, at: datetime, record: RecordRule = record_nothing
    ) -> Sequence[CancelledRun]:
        """See RunQueue."""
        return await self._inner.cancel(run_ids, request, at=at, record=self._recording(record))

    async def delete(self, thread_id: str, run_id: str) -> bool:
        """See RunQueue."""
        return await self._inner.delete(thread_id, run_id)

    async def next_due(self) -> datetime | None:
        """See RunQueue."""
        return await self._inner.next_due()

    async def count_unfinished(self) -> Mapping[str, int]:
        """See RunQueue."""
        return await self._inner.count_unfinished()

    def _admitting(self, admit: AdmissionRule) -> AdmissionRule:
        """The rule for runs as they are stored."""

        def admitting(unfinished: Sequence[Run]) -> Displacement:
            opened = self._models.seal.from_thread(each(unfinished, self._models.open_run)) if unfinished else ()
            return admit(opened)

        return admitting

    def _recording(self, record: RecordRule) -> RecordRule:
        """The rule for runs as they are stored, giving documents as they are stored."""
        if record is record_nothing:
            return record

        async def close(documents: Sequence[NewDocument]) -> list[NewDocument]:
            return await each(documents, self._models.close_document)

        def closing(run: Run) -> Sequence[NewDocument]:
            said = record(self._models.seal.from_thread(self._models.open_run(run)))
            return self._models.seal.from_thread(close(said)) if said else ()

        return closing

    async def _hand_back(self) -> None:
        while self._aside and self._aside[0][0] <= monotonic():
            _, lease = self._aside.popleft()
            try:
                await self._inner.release(lease)
            except LeaseLostError:  # it has ended, or another worker has it
                continue

    async def _note(
        self, run: Run, error: EncryptionError, on_unreadable: Callable[[UnreadableRun], None] | None
    ) -> None:
        facts = {"run_id": run.run_id, "attempt": run.attempt, "reason": error.reason}
        if run.attempt < _TRIES:
            logger.warning("run not decrypted", extra=facts)
            return
        logger.error("run not decrypted, given up", extra=facts)
        outcome = _refused(error)
        try:
            finished = await self._inner.finish(run.lease, outcome, at=now())
        except LeaseLostError:  # it was deleted a moment ago
            return
        if on_unreadable is not None:
            on_unreadable(
                UnreadableRun(
                    run_id=run.run_id,
                    thread_id=run.thread_id,
                    turn=run.turn,
                    failure=_failure(error),
                    is_thread_gone=run.spec.temporary,
                    others_gone=finished.gone,
                )
            )


def _failure(error: EncryptionError) -> RunFailure:
    return RunFailure(error=type(error).__name__, message=error.reason)


def _refused(error: EncryptionError) -> RunOutcome:
    failure = _failure(error)
    state = ThreadState(status=ThreadStatus.ERROR, error=failure)
    return RunOutcome(status=RunStatus.ERROR, state=state, keep_values=True, failure=failure)


async def close_batches(
    batches: Sequence[EventBatch], models: SealedModels
) -> tuple[Sequence[EventBatch], frozenset[str]]:
    """Events to store, and the runs whose events the cipher refuses though it works. Raises EncryptionError where it
    does not."""
    closed, refused = [], set()
    for one in batches:
        try:
            closed.append(EventBatch(one.lease, tuple(await each(one.events, models.close_event))))
        except EncryptionError as error:
            if not await models.seal.works():
                raise
            logger.error("events not encrypted", extra={"run_id": one.lease.run_id, "reason": error.reason})  # noqa: TRY400  # the handlers' fault
            refused.add(one.lease.run_id)
    return closed, frozenset(refused)


class EncryptedEvents:
    """See EventLog."""

    def __init__(self, inner: EventLog, models: SealedModels) -> None:
        self._inner = inner
        self._models = models

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        """See EventLog. Events that the cipher refuses, though it works, cost their run its lease: otherwise those of
        all runs would wait for them."""
        closed, refused = await close_batches(batches, self._models)
        return await self._inner.append(closed) | refused

    async def read(self, run_id: str, *, after: EventId, limit: int) -> Sequence[RunEvent]:
        """See EventLog."""
        return await each(await self._inner.read(run_id, after=after, limit=limit), self._models.open_event)

    async def last(self, run_id: str) -> EventId:
        """See EventLog."""
        return await self._inner.last(run_id)

    async def read_thread(self, thread_id: str, *, after: ThreadPlace, limit: int) -> Sequence[KeptEntry]:
        """See EventLog."""
        return await each(await self._inner.read_thread(thread_id, after=after, limit=limit), self._models.open_entry)

    async def turn(self, thread_id: str) -> int:
        """See EventLog."""
        return await self._inner.turn(thread_id)
