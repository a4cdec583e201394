"""One claimed run from its first event to its stored end. Data flows one way: graph → log and readers → run row."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Final

import orjson

from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.errors import LeaseLostError, StorageError, TooManyAttemptsError
from longline.events.hub import EventHub, RunEnd
from longline.events.writer import EventWriter
from longline.graphs.owned_items import ItemFaces
from longline.graphs.registry import GraphRegistry
from longline.models.events import RunEnding, RunEvent, milliseconds_of
from longline.models.runs import CancelRequest, Lease, Run, RunOutcome, RunStatus
from longline.models.threads import RunFailure, ThreadState, ThreadStatus
from longline.runs.containment import contain, enter_run
from longline.runs.control import RunControl, Stopped
from longline.runs.execution import Execution, GraphRunner, GraphUse, describe_state
from longline.runs.failures import describe_cancel, describe_failure
from longline.runs.listeners import Listeners
from longline.runs.recorders import EndRecorders
from longline.runs.stream_modes import StreamPart
from longline.storage.protocols import Storage
from longline.storage.queue import UnreadableRun

logger = logging.getLogger(__name__)

_FAIR_SHARE: Final = 64  # events after which a stream that never waits lets others run
_FIRST_WORD: Final = 2  # events are numbered from 1, and the first is our own
_RETRY_SECONDS: Final = 0.2
_STATE_SECONDS: Final = 5.0  # a factory that hangs must not keep its run from ending


class Engine:
    """Executes claimed runs."""

    def __init__(  # noqa: PLR0913  # the parts of a run, each named
        self,
        *,
        storage: Storage,
        graphs: GraphRegistry,
        vault: Vault,
        hub: EventHub,
        writer: EventWriter,
        listeners: Listeners,
        recorders: EndRecorders,
        clock: Clock,
        max_attempts: int,
        items: ItemFaces,
    ) -> None:
        self._max_attempts = max_attempts
        self._storage = storage
        self.runner = GraphRunner(graphs, storage, vault, items)
        self._hub = hub
        self._writer = writer
        self._listeners = listeners
        self._recorders = recorders
        self._clock = clock

    async def execute(self, run: Run, control: RunControl) -> None:
        """Run one attempt to its end. `control` stops its graph. Raises LeaseLostError when another worker has taken
        over or the run is gone: then nothing more is stored."""
        attempt = _Attempt(self, run)
        started_at = self._clock()
        self._listeners.on_started(run)
        try:
            ended = await self._outcome(attempt, run, control)
        finally:
            self._writer.forget(run.lease)
        control.is_concluding = True
        if ended is None:
            await self._storage.runs.release(run.lease)
            logger.info("run handed back", extra={"run_id": run.run_id, "attempt": run.attempt})
            return
        outcome, end = ended
        values = outcome.state.values or end.result
        records = self._recorders.of_outcome(run, outcome, values=values, started_at=started_at)
        outcome = replace(outcome, records=records)
        at = self._clock()
        gone = await self._finish(run.lease, outcome, at)
        self._recorders.announce(records)
        self._listeners.on_ended(run.lease, outcome)
        self._tell_end(run, end, at, gone)

    def _tell_end(self, run: Run, end: RunEnd, at: datetime, gone: Sequence[str]) -> None:
        self._hub.close(run.run_id, end)
        ending = RunEnding(
            run_id=run.run_id, turn=run.turn, status=end.status, failure=end.failure, at_ms=milliseconds_of(at)
        )
        self._hub.tell_thread(run.thread_id, ending, is_kept=run.spec.resumable and end.status is not None)
        if run.spec.temporary:
            self._hub.close_gone(run.thread_id, gone)

    def tell_unreadable(self, run: UnreadableRun) -> None:
        """A run whose row cannot be read has ended: whoever waits for it hears of it."""
        end = RunEnd(status=RunStatus.ERROR, failure=run.failure)
        self._hub.close(run.run_id, end)
        ending = RunEnding(
            run_id=run.run_id, turn=run.turn, status=end.status, failure=run.failure, at_ms=self.milliseconds()
        )
        self._hub.tell_thread(run.thread_id, ending, is_kept=False)
        if run.is_thread_gone:
            self._hub.close_gone(run.thread_id, run.others_gone)

    def milliseconds(self) -> int:
        """Now, since 1970."""
        return milliseconds_of(self._clock())

    async def _outcome(self, attempt: "_Attempt", run: Run, control: RunControl) -> tuple[RunOutcome, RunEnd] | None:
        """How the attempt ended; None if it is to be handed back. Whatever goes wrong on the way, it has an end."""
        if run.cancel is not None:
            control.stop(Stopped(run.cancel))
        error = await self._run_graph(attempt, run, control)
        if control.is_abandoned:
            raise LeaseLostError(run.run_id, run.attempt)
        try:
            if error is None:
                return self._succeeded(attempt)
            if control.stopped is not None and isinstance(error, asyncio.CancelledError):
                request = control.stopped.request
                return None if request is None else await self._cancelled(run, request)
            return await self._failed(attempt, run, error)
        except LeaseLostError:
            raise
        except Exception as fault:
            logger.exception("run end not told", extra={"run_id": run.run_id})
            failure = describe_failure(fault)
            left = _ended(None, ThreadStatus.ERROR, failure)
            outcome = RunOutcome(status=RunStatus.ERROR, state=left, keep_values=True, failure=failure)
            return outcome, RunEnd(status=RunStatus.ERROR, failure=failure)

    async def _run_graph(self, attempt: "_Attempt", run: Run, control: RunControl) -> BaseException | None:
        """Stream the graph in a task of its own, which may be cancelled at any time; what it died of. Raises
        LeaseLostError."""
        died = run.attempt - 1 - run.released
        if died >= self._max_attempts:
            return TooManyAttemptsError(run.run_id, died)
        graph: asyncio.Task[object] = asyncio.create_task(contain(attempt.stream()), name=f"graph-{run.run_id}")
        control.begin(graph)
        try:
            await asyncio.wait({graph})
        finally:
            graph.cancel()  # only ever needed when this task itself is cancelled
        if graph.cancelled():
            return asyncio.CancelledError("the graph was cancelled")
        error = graph.exception()
        if isinstance(error, LeaseLostError):
            raise error
        return error

    def _succeeded(self, attempt: "_Attempt") -> tuple[RunOutcome, RunEnd]:
        execution = attempt.execution
        outcome = RunOutcome(status=RunStatus.SUCCESS, state=execution.state)
        return outcome, RunEnd(status=RunStatus.SUCCESS, result=execution.result)

    async def _failed(self, attempt: "_Attempt", run: Run, error: BaseException) -> tuple[RunOutcome, RunEnd]:
        failure = describe_failure(error)
        logger.warning(
            "run failed",
            extra={"run_id": run.run_id, "error": failure.error},
            exc_info=error if not isinstance(error, StorageError) else None,
        )
        try:
            await attempt.say_failure(failure)
        except StorageError as lost:  # then the events were the failure: the row still gets its end
            logger.error("failure not streamed", extra={"run_id": run.run_id, "reason": lost.reason})  # noqa: TRY400
        state = await self._state_of(run)
        left = _ended(state, ThreadStatus.ERROR, failure)
        outcome = RunOutcome(status=RunStatus.ERROR, state=left, keep_values=state is None, failure=failure)
        return outcome, RunEnd(status=RunStatus.ERROR, failure=failure)

    async def _cancelled(self, run: Run, request: CancelRequest) -> tuple[RunOutcome, RunEnd]:
        failure = describe_cancel(request)
        await self._flush_what_there_is(run)
        reached = state = await self._state_of(run)
        if request.action == "rollback":
            await self._erase_checkpoints(run)
            state = await self._state_of(run)
        status = ThreadStatus.IDLE if request.action == "rollback" else ThreadStatus.INTERRUPTED
        left = _ended(state, status, failure)
        is_erased = request.action == "rollback"
        outcome = RunOutcome(status=RunStatus.INTERRUPTED, state=left, keep_values=state is None, erase=is_erased)
        result = reached.values if reached is not None else None
        return outcome, RunEnd(status=None if is_erased else RunStatus.INTERRUPTED, result=result)

    async def _state_of(self, run: Run) -> ThreadState | None:
        """What the thread's latest checkpoint holds; None where that cannot be told (the graph does not load)."""
        if run.spec.temporary:
            return ThreadState(status=ThreadStatus.IDLE)
        use = GraphUse(graph_id=run.spec.graph_id, access="threads.read", config=run.spec.config)
        try:
            async with asyncio.timeout(_STATE_SECONDS), self.runner.open(use) as (graph, config, _):
                head = {"configurable": {"thread_id": config["configurable"]["thread_id"]}}
                return describe_state(await graph.aget_state(head))  # type: ignore[arg-type]  # a RunnableConfig
        except Exception as error:  # a factory may fail here as it failed before; the run ends all the same
            logger.debug("thread state not readable", extra={"thread_id": run.thread_id}, exc_info=error)
            return None

    async def _erase_checkpoints(self, run: Run) -> None:
        saver = await self._storage.checkpointer(run.lease)
        await saver.adelete_for_runs([run.run_id])

    async def _flush_what_there_is(self, run: Run) -> None:
        """A reader that is told of the end must have been told of all before. Raises LeaseLostError."""
        try:
            await self.flush(run)
        except StorageError as lost:
            logger.error("events not stored", extra={"run_id": run.run_id, "reason": lost.reason})  # noqa: TRY400  # not ours

    async def _finish(self, lease: Lease, outcome: RunOutcome, at: datetime) -> Sequence[str]:
        """Store the end; while the storage is away, try again: the run did end. The ids of unfinished runs that went
        with it."""
        is_logged = False
        while True:
            try:
                return await self._storage.runs.finish(lease, outcome, at=at)
            except StorageError as error:
                if not is_logged:
                    logger.error("run end not stored", extra={"run_id": lease.run_id, "reason": error.reason})  # noqa: TRY400  # the storage's fault, said once
                    is_logged = True
                await asyncio.sleep(_RETRY_SECONDS)

    async def publish(self, run: Run, events: list[RunEvent]) -> None:
        """Events of one attempt, in order: to the log first if they are kept, else straight to the readers here."""
        if self._listeners.want_events:
            for event in events:
                self._listeners.on_event(event)
        if run.spec.resumable:
            await self._writer.put(run.lease, events)
        else:
            self._hub.publish(run.run_id, events, thread_id=run.thread_id)

    async def flush(self, run: Run) -> None:
        """Wait until all events of the attempt are stored."""
        if run.spec.resumable:
            await self._writer.flush(run.lease)

    def tell_first_event(self, run: Run) -> None:
        """The graph of an attempt has begun to speak."""
        self._listeners.on_first_event(run)

    def is_heard(self, run: Run) -> bool:
        """Whether anybody wants the events of this run."""
        return run.spec.resumable or self._listeners.want_events or self._hub.has_readers(run.run_id, run.thread_id)


class _Attempt:
    """Numbers the events of one attempt and passes them on."""

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._seq = 0
        self.execution = Execution(engine.runner, run)

    async def stream(self) -> None:
        """All events of the attempt, `metadata` first."""
        enter_run()
        run = self._run
        await self._say(StreamPart("metadata", (), orjson.dumps({"run_id": run.run_id, "attempt": run.attempt})))
        async with aclosing(self.execution.stream()) as parts:
            async for part in parts:
                await self._say(part)
                if self._seq % _FAIR_SHARE == 0:
                    await asyncio.sleep(0)
        await self._engine.flush(run)

    async def say_failure(self, failure: RunFailure) -> None:
        """The last event of an attempt that failed."""
        data = orjson.dumps({"error": failure.error, "message": failure.message})
        await self._say(StreamPart("error", (), data))
        await self._engine.flush(self._run)

    async def _say(self, part: StreamPart) -> None:
        self._seq += 1
        run = self._run
        if self._seq == _FIRST_WORD:
            self._engine.tell_first_event(run)
        if self._engine.is_heard(run):
            event = RunEvent(
                run.run_id, run.attempt, self._seq, part.mode, part.namespace, part.data,
                turn=run.turn, at_ms=self._engine.milliseconds(),
            )  # fmt: skip
            await self._engine.publish(run, [event])


def _ended(state: ThreadState | None, status: ThreadStatus, failure: RunFailure) -> ThreadState:
    known = state or ThreadState(status=status)
    return ThreadState(status=status, values=known.values, interrupts=known.interrupts, error=failure)
