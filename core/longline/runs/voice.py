"""What runs say, on its way: to the log, to the readers here and to those of other processes, and to listeners."""

from datetime import datetime

from longline.clock import Clock
from longline.events.herald import Herald
from longline.events.hub import EventHub, RunEnd
from longline.events.writer import EventWriter
from longline.models.events import RunEnding, RunEvent, milliseconds_of
from longline.models.runs import Finished, Run, RunOutcome, RunStatus
from longline.runs.listeners import Listeners
from longline.storage.queue import UnreadableRun


class Voice:
    """Events of runs that execute here, in order, and how they end. `relay_writer` stores for other processes what the
    log does not keep; None where there are none."""

    def __init__(
        self,
        *,
        hub: EventHub,
        herald: Herald,
        writer: EventWriter,
        relay_writer: EventWriter | None,
        listeners: Listeners,
        clock: Clock,
    ) -> None:
        self._hub = hub
        self._herald = herald
        self._writer = writer
        self._relay_writer = relay_writer
        self._listeners = listeners
        self._clock = clock

    def begin(self, run: Run) -> None:
        """An attempt begins here."""
        self._herald.begin(run)
        self._listeners.on_started(run)

    def forget(self, run: Run) -> None:
        """The attempt is over, or was lost."""
        self._herald.forget(run)
        self._writer.forget(run.lease)
        if self._relay_writer is not None:
            self._relay_writer.forget(run.lease)

    async def publish(self, run: Run, events: list[RunEvent]) -> None:
        """Events of one attempt, in order: to the log first if they are kept, else straight to the readers here."""
        if self._listeners.want_events:
            for event in events:
                self._listeners.on_event(event)
        if run.spec.resumable:
            await self._writer.put(run.lease, events)
        else:
            self._hub.publish(run.run_id, events, thread_id=run.thread_id)
            if self._relay_writer is not None and self._herald.is_watched(run.run_id):
                await self._relay_writer.put(run.lease, events)

    async def flush(self, run: Run) -> None:
        """Wait until all events of the attempt that are to be stored are."""
        if run.spec.resumable:
            await self._writer.flush(run.lease)
        elif self._relay_writer is not None:
            await self._relay_writer.flush(run.lease)

    def tell_first_event(self, run: Run) -> None:
        """The graph of an attempt has begun to speak."""
        self._listeners.on_first_event(run)

    def is_heard(self, run: Run) -> bool:
        """Whether anybody wants the events of this run."""
        return (
            run.spec.resumable
            or self._listeners.want_events
            or self._hub.has_readers(run.run_id, run.thread_id)
            or self._herald.is_watched(run.run_id)
        )

    def tell_end(self, run: Run, outcome: RunOutcome, end: RunEnd, at: datetime, finished: Finished) -> None:
        """The attempt's end is stored."""
        self._listeners.on_ended(run.lease, outcome)
        ending = RunEnding(
            run_id=run.run_id, turn=run.turn, status=end.status, failure=end.failure, at_ms=milliseconds_of(at)
        )
        is_kept = run.spec.resumable and end.status is not None
        self._herald.tell_end(run.thread_id, end, ending, is_kept=is_kept, is_watched=finished.is_watched)
        if run.spec.temporary:
            self._herald.close_gone(run.thread_id, finished.gone, is_watched=finished.is_watched)

    def tell_unreadable(self, run: UnreadableRun) -> None:
        """A run whose row cannot be read has ended: whoever waits for it hears of it."""
        end = RunEnd(status=RunStatus.ERROR, failure=run.failure)
        ending = RunEnding(
            run_id=run.run_id, turn=run.turn, status=end.status, failure=run.failure, at_ms=self.milliseconds()
        )
        self._herald.tell_end(run.thread_id, end, ending, is_kept=False)
        if run.is_thread_gone:
            self._herald.close_gone(run.thread_id, run.others_gone)

    def milliseconds(self) -> int:
        """Now, since 1970."""
        return milliseconds_of(self._clock())
