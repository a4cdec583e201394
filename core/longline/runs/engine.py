"""One claimed run from its first event to its stored end. Data flows one way: graph → log and readers → run row."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

import orjson

from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.errors import LeaseLostError, StorageError, TooManyAttemptsError
from longline.events.hub import EventHub, RunEnd
from longline.events.writer import EventWriter
from longline.graphs.registry import GraphRegistry
from longline.models.events import RunEvent
from longline.models.runs import CancelRequest, Lease, Run, RunOutcome, RunStatus
from longline.models.threads import RunFailure, ThreadState, ThreadStatus
from longline.runs.execution import Execution, GraphRunner, GraphUse, describe_state
from longline.runs.failures import describe_cancel, describe_failure
from longline.runs.listeners import Listeners
from longline.runs.stream_modes import StreamPart
from longline.storage.protocols import Storage

logger = logging.getLogger(__name__)

_FAIR_SHARE: Final = 64  # events after which a stream that never waits lets others run
_RETRY_SECONDS: Final = 0.2


class Stopped(Exception):  # noqa: N818  # not an error: why an attempt was stopped from outside
    """Raised into an attempt: `request` is the cancel that asked for it, None if the run goes back to the queue."""

    def __init__(self, request: CancelRequest | None) -> None:
        super().__init__("run stopped")
        self.request = request


@dataclass(slots=True)
class RunControl:
    """What the scheduler and an attempt must know of each other."""

    stopped: Stopped | None = None
    """Why the attempt is being cancelled, set before it is."""
    is_concluding: bool = False
    """The attempt's end is being stored: it must not be cancelled any more, and its lease may be gone any moment."""


class Engine:
    """Executes claimed runs."""

    def __init__(  # the parts of a run, each named
        self,
        *,
        storage: Storage,
        graphs: GraphRegistry,
        vault: Vault,
        hub: EventHub,
        writer: EventWriter,
        listeners: Listeners,
        clock: Clock,
        max_attempts: int,
    ) -> None:
        self._max_attempts = max_attempts
        self._storage = storage
        self.runner = GraphRunner(graphs, storage, vault)
        self._hub = hub
        self._writer = writer
        self._listeners = listeners
        self._clock = clock

    async def execute(self, run: Run, control: RunControl) -> None:
        """Run one attempt to its end. Cancelled from outside, `control` tells why. Raises LeaseLostError when another
        worker has taken over: then nothing more is stored."""
        attempt = _Attempt(self, run)
        self._listeners.on_started(run)
        try:
            outcome, end = await self._outcome(attempt, run, control)
        except _HandedBack:
            control.is_concluding = True
            await self._storage.runs.release(run.lease)
            logger.info("run handed back", extra={"run_id": run.run_id, "attempt": run.attempt})
            return
        finally:
            self._writer.forget(run.lease)
        control.is_concluding = True
        await self._finish(run.lease, outcome)
        self._listeners.on_ended(run.lease, outcome)
        self._hub.close(run.run_id, end)

    async def _outcome(self, attempt: "_Attempt", run: Run, control: RunControl) -> tuple[RunOutcome, RunEnd]:
        try:
            died = run.attempt - 1 - run.released
            if died >= self._max_attempts:
                return await self._failed(attempt, run, TooManyAttemptsError(run.run_id, died))
            execution = await attempt.stream()
            outcome = RunOutcome(status=RunStatus.SUCCESS, state=execution.state)
            return outcome, RunEnd(status=RunStatus.SUCCESS, result=execution.result)
        except asyncio.CancelledError as error:
            stopped = control.stopped
            if stopped is None and _is_cancelled():
                raise
            _uncancel()
            if stopped is None:  # the graph cancelled itself
                return await self._failed(attempt, run, RuntimeError(f"the graph was cancelled from inside: {error}"))
            if stopped.request is None:
                raise _HandedBack from None
            return await self._cancelled(run, stopped.request)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a graph raises ends its run, not the worker
            return await self._failed(attempt, run, error)

    async def _failed(self, attempt: "_Attempt", run: Run, error: Exception) -> tuple[RunOutcome, RunEnd]:
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
            async with self.runner.open(use) as (graph, config, _):
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

    async def _finish(self, lease: Lease, outcome: RunOutcome) -> None:
        """Store the end; while the storage is away, try again: the run did end."""
        is_logged = False
        while True:
            try:
                await self._storage.runs.finish(lease, outcome, at=self._clock())
            except StorageError as error:
                if not is_logged:
                    logger.error("run end not stored", extra={"run_id": lease.run_id, "reason": error.reason})  # noqa: TRY400  # the storage's fault, said once
                    is_logged = True
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def publish(self, run: Run, events: list[RunEvent]) -> None:
        """Events of one attempt, in order: to the log first if they are kept, else straight to the readers here."""
        if self._listeners.want_events:
            for event in events:
                self._listeners.on_event(event)
        if run.spec.resumable:
            await self._writer.put(run.lease, events)
        else:
            self._hub.publish(run.run_id, events)

    async def flush(self, run: Run) -> None:
        """Wait until all events of the attempt are stored."""
        if run.spec.resumable:
            await self._writer.flush(run.lease)

    def is_heard(self, run: Run) -> bool:
        """Whether anybody wants the events of this run."""
        return run.spec.resumable or self._listeners.want_events or self._hub.has_readers(run.run_id)


class _HandedBack(Exception):  # noqa: N818  # control flow between two methods of this module
    pass


class _Attempt:
    """Numbers the events of one attempt and passes them on."""

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._seq = 0

    async def stream(self) -> Execution:
        """All events of the attempt, `metadata` first; the execution, for what it left behind."""
        run = self._run
        execution = Execution(self._engine.runner, run)
        await self._say(StreamPart("metadata", (), orjson.dumps({"run_id": run.run_id, "attempt": run.attempt})))
        async for part in execution.stream():
            await self._say(part)
            if self._seq % _FAIR_SHARE == 0:
                await asyncio.sleep(0)
        await self._engine.flush(run)
        return execution

    async def say_failure(self, failure: RunFailure) -> None:
        """The last event of an attempt that failed."""
        data = orjson.dumps({"error": failure.error, "message": failure.message})
        await self._say(StreamPart("error", (), data))
        await self._engine.flush(self._run)

    async def _say(self, part: StreamPart) -> None:
        self._seq += 1
        run = self._run
        if self._engine.is_heard(run):
            event = RunEvent(run.run_id, run.attempt, self._seq, part.mode, part.namespace, part.data)
            await self._engine.publish(run, [event])


def _ended(state: ThreadState | None, status: ThreadStatus, failure: RunFailure) -> ThreadState:
    known = state or ThreadState(status=status)
    return ThreadState(status=status, values=known.values, interrupts=known.interrupts, error=failure)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _uncancel() -> None:
    """The cancel was ours and is answered: what follows may await."""
    task = asyncio.current_task()
    if task is not None:
        while task.uncancel() > 0:
            pass
