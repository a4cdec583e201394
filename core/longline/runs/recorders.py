"""What is stored with the end of a run, in the transaction of the end: the outbox of plugins."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import orjson

from longline.clock import Clock
from longline.errors import UnknownCollectionError
from longline.models.collections import CollectionSpec, NewDocument
from longline.models.json import JsonBytes
from longline.models.runs import CancelRequest, Run, RunOutcome, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline.runs.failures import describe_cancel
from longline.storage.collections import RecordRule, record_nothing
from longline.storage.due import DueSignals

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnding:
    """A run that is about to end. `run` is as callers see it (secrets are hidden), with the status that it ends with;
    `values` are those that the graph left, as JSON; `started_at` is when its last attempt began, None if it never ran;
    `failure` says why it failed or who stopped it."""

    run: Run
    values: JsonBytes | None
    failure: RunFailure | None
    started_at: datetime | None
    ended_at: datetime
    is_waiting: bool = False
    """The run succeeded, and its graph waits for an answer."""


class EndRecorder(Protocol):
    """Writes documents that are stored if and only if the end of a run is: an outbox that no crash can tear from the
    run. Called where runs end, sometimes in a thread of the storage: it must return at once, await nothing and touch
    nothing but its arguments. An exception is logged; the run ends all the same, without the record."""

    def wants(self, run: Run) -> bool:
        """Whether the end of this run is to be recorded. Asked of every run; its secrets are sealed."""
        ...

    def record(self, ending: RunEnding) -> Sequence[NewDocument]:
        """The documents, in collections that a plugin declared."""
        ...


@runtime_checkable
class EndJudge(EndRecorder, Protocol):
    """A recorder that also has a word for how the run ended, by which callers find runs (`RunQuery.verdicts`)."""

    def verdict(self, ending: RunEnding) -> str | None:
        """The word; None: the status says it all. The first word of all recorders counts."""
        ...


class EndRecorders:
    """All recorders as one, which never fails."""

    def __init__(
        self,
        recorders: Sequence[EndRecorder],
        *,
        collections: Mapping[str, CollectionSpec],
        hide: Callable[[Run], Run],
        signals: DueSignals,
        clock: Clock,
    ) -> None:
        self._recorders = tuple(recorders)
        self._collections = collections
        self._hide = hide
        self._signals = signals
        self._clock = clock

    def of_outcome(
        self, run: Run, outcome: RunOutcome, *, values: JsonBytes | None, started_at: datetime
    ) -> RunOutcome:
        """An attempt's end with its records and its verdict."""
        recorders = self._interested(run)
        if not recorders:
            return outcome
        failure = outcome.failure or outcome.state.error
        ending = self._ending(run, outcome.status, failure, values=values, started_at=started_at)
        waits = outcome.status is RunStatus.SUCCESS and outcome.state.status is ThreadStatus.INTERRUPTED
        ending = replace(ending, is_waiting=waits)
        verdict = self._verdict(recorders, ending)
        ending = replace(ending, run=replace(ending.run, verdict=verdict))
        return replace(outcome, records=self._records(recorders, ending), verdict=verdict)

    def rule(self, request: CancelRequest | None) -> RecordRule:
        """What to store of runs that end before they were started."""
        if request is None or not self._recorders:
            return record_nothing

        def record(run: Run) -> Sequence[NewDocument]:
            recorders = self._interested(run)
            if not recorders:
                return ()
            ending = self._ending(run, RunStatus.INTERRUPTED, describe_cancel(request), values=None, started_at=None)
            return self._records(recorders, ending)

        return record

    def announce(self, records: Sequence[NewDocument]) -> None:
        """The records are stored."""
        self._signals.announce(records)

    def announce_all(self) -> None:
        """Some records may have been stored."""
        self._signals.wake_all()

    def _interested(self, run: Run) -> list[EndRecorder]:
        interested = []
        for recorder in self._recorders:
            try:
                if recorder.wants(run):
                    interested.append(recorder)
            except Exception:
                logger.exception("end recorder failed", extra={"recorder": repr(recorder), "run_id": run.run_id})
        return interested

    def _ending(
        self,
        run: Run,
        status: RunStatus,
        failure: RunFailure | None,
        *,
        values: JsonBytes | None,
        started_at: datetime | None,
    ) -> RunEnding:
        at = self._clock()
        shown = replace(self._hide(run), status=status, failure=failure, updated_at=at)
        return RunEnding(run=shown, values=values, failure=failure, started_at=started_at, ended_at=at)

    def _verdict(self, recorders: Sequence[EndRecorder], ending: RunEnding) -> str | None:
        for recorder in recorders:
            try:
                if isinstance(recorder, EndJudge) and (word := recorder.verdict(ending)) is not None:
                    return _storable(word)
            except Exception:
                facts = {"recorder": repr(recorder), "run_id": ending.run.run_id}
                logger.exception("end recorder failed", extra=facts)
        return None

    def _records(self, recorders: Sequence[EndRecorder], ending: RunEnding) -> tuple[NewDocument, ...]:
        records: list[NewDocument] = []
        for recorder in recorders:
            try:
                records += [self._checked(document, ending.ended_at) for document in recorder.record(ending)]
            except Exception:
                facts = {"recorder": repr(recorder), "run_id": ending.run.run_id}
                logger.exception("end recorder failed", extra=facts)
        return tuple(records)

    def _checked(self, document: NewDocument, at: datetime) -> NewDocument:
        spec = self._collections.get(document.collection)
        if spec is None or spec.kind != "documents":
            raise UnknownCollectionError("documents", document.collection, self._collections)
        orjson.dumps(document.value)  # what cannot be stored would keep the run from ending
        if document.expires_at is None and spec.ttl_seconds is not None:
            return replace(document, expires_at=at + timedelta(seconds=spec.ttl_seconds))
        return document


def _storable(word: str) -> str:
    """Raises ValueError, AttributeError: what cannot be stored would keep the run from ending."""
    word.encode()
    if "\0" in word:
        raise ValueError("a verdict holds no NUL")  # noqa: TRY003  # a plugin's mistake
    return word
