"""One claimed run from its first event to its stored end. Data flows one way: graph → log and readers → run row."""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import orjson

from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.errors import LeaseLostError, StorageError, TooManyAttemptsError
from longline.events.hub import RunEnd
from longline.graphs.owned_items import ItemFaces
from longline.graphs.registry import GraphRegistry
from longline.models.events import RunEvent
from longline.models.runs import CancelRequest, Finished, Lease, Run, RunOutcome, RunStatus
from longline.models.threads import RunFailure, ThreadState, ThreadStatus
from longline.runs.containment import contain, enter_run
from longline.runs.control import RunControl, Stopped
from longline.runs.execution import Execution, GraphRunner, GraphUse, describe_state
from longline.runs.failures import describe_cancel, describe_failure, loggable
from longline.runs.recorders import EndRecorders
from longline.runs.scrubbing import Scrub
from longline.runs.shown import scrub
from longline.runs.stream_modes import StreamPart
from longline.runs.voice import Voice
from longline.storage.protocols import Storage

logger = logging.getLogger(__name__)

_FAIR_SHARE: Final = 64  # events after which a stream that never waits lets others run
_FIRST_WORD: Final = 2  # events are numbered from 1, and the first is our own
_RETRY_SECONDS: Final = 0.2
_STATE_SECONDS: Final = 5.0  # a factory that hangs must not keep its run from ending


class Engine:
    """Executes claimed runs."""

    def __init__(  # the parts of a run, each named
        self,
        *,
        storage: Storage,
        graphs: GraphRegistry,
        vault: Vault,
        voice: Voice,
        recorders: EndRecorders,
        clock: Clock,
        max_attempts: int,
        items: ItemFaces,
    ) -> None:
        self._max_attempts = max_attempts
        self._storage = storage
        self._vault = vault
        self.runner = GraphRunner(graphs, storage, vault, items, clock)
        self.voice = voice
        self._recorders = recorders
        self._clock = clock

    async def execute(self, run: Run, control: RunControl) -> None:
        """Run one attempt to its end. `control` stops its graph. Raises LeaseLostError when another worker has taken
        over or the run is gone: then nothing more is stored."""
        attempt = _Attempt(self.voice, Execution(self.runner, run), run)
        started_at = self._clock()
        self.voice.begin(run)
        try:
            ended = await self._outcome(attempt, run, control)
            await self._conclude(run, ended, control, started_at)
        finally:
            self.voice.forget(run)

    async def _conclude(
        self, run: Run, ended: tuple[RunOutcome, RunEnd] | None, control: RunControl, started_at: datetime
    ) -> None:
        control.is_concluding = True
        if ended is None:
            await self._storage.runs.release(run.lease)
            logger.info("run handed back", extra={"run_id": run.run_id, "attempt": run.attempt})
            return
        outcome, end = ended
        values = outcome.state.values or end.result
        outcome = self._recorders.of_outcome(run, outcome, values=values, started_at=started_at)
        outcome = replace(outcome, result=end.result)
        at = self._clock()
        finished = await self._finish(run.lease, outcome, at)
        self._recorders.announce(outcome.records)
        self.voice.tell_end(run, outcome, end, at, finished)

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
            shown = loggable(fault, self._scrub_of(run))
            logger.exception("run end not told", extra={"run_id": run.run_id}, exc_info=shown)
            failure = describe_failure(fault, self._scrub_of(run))
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
        failure = describe_failure(error, self._scrub_of(run))
        logger.warning(
            "run failed",
            extra={"run_id": run.run_id, "error": failure.error},
            exc_info=loggable(error, self._scrub_of(run)) if not isinstance(error, StorageError) else None,
        )
        try:
            await attempt.say_failure(failure)
        except StorageError as lost:  # then the events were the failure: the row still gets its end
            logger.error("failure not streamed", extra={"run_id": run.run_id, "reason": lost.reason})  # noqa: TRY400
        state = await self._state_of(run)
        left = _ended(state, ThreadStatus.ERROR, failure)
        outcome = RunOutcome(status=RunStatus.ERROR, state=left, keep_values=state is None, failure=failure)
        return outcome, RunEnd(status=RunStatus.ERROR, failure=failure)

    def _scrub_of(self, run: Run) -> Scrub:
        return partial(scrub, self._vault, run)

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
            await self.voice.flush(run)
        except StorageError as lost:
            logger.error("events not stored", extra={"run_id": run.run_id, "reason": lost.reason})  # noqa: TRY400  # not ours

    async def _finish(self, lease: Lease, outcome: RunOutcome, at: datetime) -> Finished:
        """Store the end; while the storage is away, try again: the run did end."""
        is_logged = False
        while True:
            try:
                return await self._storage.runs.finish(lease, outcome, at=at)
            except StorageError as error:
                if not is_logged:
                    logger.error("run end not stored", extra={"run_id": lease.run_id, "reason": error.reason})  # noqa: TRY400  # the storage's fault, said once
                    is_logged = True
                await asyncio.sleep(_RETRY_SECONDS)


class _Attempt:
    """Numbers the events of one attempt and passes them on."""

    def __init__(self, voice: Voice, execution: Execution, run: Run) -> None:
        self._voice = voice
        self._run = run
        self._seq = 0
        self.execution = execution

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
        await self._voice.flush(run)

    async def say_failure(self, failure: RunFailure) -> None:
        """The last event of an attempt that failed."""
        data = orjson.dumps({"error": failure.error, "message": failure.message})
        await self._say(StreamPart("error", (), data))
        await self._voice.flush(self._run)

    async def _say(self, part: StreamPart) -> None:
        self._seq += 1
        run = self._run
        if self._seq == _FIRST_WORD:
            self._voice.tell_first_event(run)
        if self._voice.is_heard(run):
            event = RunEvent(
                run.run_id, run.attempt, self._seq, part.mode, part.namespace, part.data,
                turn=run.turn, at_ms=self._voice.milliseconds(),
            )  # fmt: skip
            await self._voice.publish(run, [event])


def _ended(state: ThreadState | None, status: ThreadStatus, failure: RunFailure) -> ThreadState:
    known = state or ThreadState(status=status)
    return ThreadState(status=status, values=known.values, interrupts=known.interrupts, error=failure)
