"""Which runs execute here, and when: claims with leases, a bound on how many, cancels, drain."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from longline.clock import Clock
from longline.errors import LeaseLostError, StorageError
from longline.events.broker import Broker
from longline.events.herald import Herald
from longline.events.relay import Relay
from longline.models.runs import CancelRequest, Claim, LeaseState, Run
from longline.runs.control import RunControl, Stopped
from longline.runs.engine import Engine
from longline.runs.heartbeat import Heartbeat
from longline.settings import ServerSettings
from longline.storage.queue import RunQueue

logger = logging.getLogger(__name__)

_LAST_SECONDS = 10.0  # after which a run that will not end is left to its lease
_SOON_SECONDS = 0.01  # the least pause before the next look: clocks of servers differ a little

WORK_TOPIC = "work"
"""A run was put on the queue that its creator has no room for."""
CANCEL_TOPIC = "cancel"
"""The signal is the id of a run that its worker must stop."""


@dataclass(slots=True)
class _Running:
    run: Run
    control: RunControl
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _State:
    running: dict[str, _Running] = field(default_factory=dict)
    reserved: int = 0
    is_draining: bool = False
    due: datetime | None = None
    is_due_known: bool = False


class Scheduler:
    """Executes up to `runs` runs at once. `owner` names this process in leases, unlike any other process, ever. With
    `only_own_runs` it takes none off the queue: it executes what is created in this process while there is room."""

    def __init__(  # noqa: PLR0913  # the parts of scheduling, each named
        self,
        *,
        queue: RunQueue,
        engine: Engine,
        broker: Broker,
        herald: Herald,
        relay: Relay,
        settings: ServerSettings,
        owner: str,
        clock: Clock,
        only_own_runs: bool = False,
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._broker = broker
        self._herald = herald
        self._relay = relay
        self._settings = settings
        self._clock = clock
        self._only_own_runs = only_own_runs
        self._state = _State()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.claim = Claim(owner=owner, lease_seconds=settings.lease_seconds)
        self._heartbeat = Heartbeat(
            queue,
            owner=owner,
            seconds=settings.heartbeat_seconds,
            lease_seconds=settings.lease_seconds,
            report=self._heard,
        )

    # -- what services call -----------------------------------------------------------------------------------------

    def reserve(self) -> Claim | None:
        """A claim for a run about to be created here, if there is room; then `start` or `unreserve` must follow."""
        if self._room() <= 0:
            return None
        self._state.reserved += 1
        return self.claim

    def unreserve(self) -> None:
        """The reserved place was not used."""
        self._state.reserved -= 1
        self._wake.set()

    def start(self, run: Run, *, is_reserved: bool = False) -> None:
        """Execute a run that was claimed with `claim`."""
        if is_reserved:
            self._state.reserved -= 1
        older = self._state.running.get(run.run_id)
        if older is not None:  # its lease ran out unnoticed and this process took the run over from itself
            older.control.abandon()
        self._heartbeat.add(run.lease)
        self._idle.clear()
        running = _Running(run, RunControl())
        self._state.running[run.run_id] = running
        running.task = asyncio.create_task(self._execute(running), name=f"run-{run.run_id}")

    async def announce(self) -> None:
        """Somebody should look at the queue: this process, or another."""
        self._look()
        if self._broker.spans_processes:
            await self._broker.publish(WORK_TOPIC, "")

    async def stop_run(self, run_id: str, request: CancelRequest) -> None:
        """Have the worker of a flagged run stop it, wherever it is."""
        if not self._stop_here(run_id, Stopped(request)) and self._broker.spans_processes:
            await self._broker.publish(CANCEL_TOPIC, run_id)

    async def drop(self, run_id: str) -> None:
        """Have nobody execute a run any more whose row is gone: nothing of it can be stored."""
        if not self._abandon(run_id) and self._broker.spans_processes:
            await self._broker.publish(CANCEL_TOPIC, run_id)

    @property
    def running_count(self) -> int:
        """How many runs execute here now."""
        return len(self._state.running)

    @property
    def is_draining(self) -> bool:
        """Whether this process takes no more runs, because it ends."""
        return self._state.is_draining

    # -- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Claim and execute until cancelled."""
        self._heartbeat.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(CANCEL_TOPIC))
                if not self._only_own_runs:
                    group.create_task(self._listen(WORK_TOPIC))
                    group.create_task(self._claim_forever())
        finally:
            await self._heartbeat.stop()

    async def drain(self, seconds: float) -> None:
        """Take no more runs; let those here end for `seconds`, then hand them back to the queue."""
        self._state.is_draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            for run_id in tuple(self._state.running):
                self._stop_here(run_id, Stopped(None))
            try:
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._idle.wait()
            except TimeoutError:
                logger.error("runs not ended at shutdown", extra={"runs": len(self._state.running)})  # noqa: TRY400
                for running in tuple(self._state.running.values()):
                    if running.task is not None:
                        running.task.cancel()
            await self.announce()  # others need not wait for their next poll

    async def _claim_forever(self) -> None:
        is_away = False
        while True:
            self._wake.clear()
            pause = self._settings.poll_seconds
            try:
                await self._claim_some()
                pause = await self._pause()
                is_away = False
            except StorageError as error:
                self._heartbeat.storage_was_away()
                self._state.is_due_known = False
                if not is_away:
                    logger.error("queue not readable", extra={"reason": error.reason, "retry_seconds": pause})  # noqa: TRY400  # the storage's fault, said once
                is_away = True
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                self._state.is_due_known = False

    async def _claim_some(self) -> None:
        while (room := self._room()) > 0:
            is_behind = self._heartbeat.is_behind()
            if is_behind:  # a pause of the process: renew what lives before taking what seems dead
                self._heartbeat.beat_now()
            claim = replace(self.claim, takes_over=not (is_behind or self._heartbeat.is_recovering()))
            runs = await self._queue.claim(claim, limit=room, on_unreadable=self._engine.voice.tell_unreadable)
            for run in runs:
                self.start(run)
            if len(runs) < room:
                return

    def _look(self) -> None:
        """Have the queue looked at, where there may be something new."""
        self._state.is_due_known = False
        self._wake.set()

    async def _pause(self) -> float:
        """Until the next look at the queue: a delayed run is started on time, not at the next poll. Storage is asked
        for it where there may be something new; that a run ended here delays no other."""
        state = self._state
        if not state.is_due_known:
            state.is_due_known = True
            state.due = await self._queue.next_due()
        if state.due is None or self._room() <= 0:
            return self._settings.poll_seconds
        left = (state.due - self._clock()).total_seconds()
        return min(self._settings.poll_seconds, max(left, _SOON_SECONDS))

    async def _listen(self, topic: str) -> None:
        async with self._broker.subscribe(topic) as subscription:
            while True:
                signal = await subscription.receive()
                if topic == WORK_TOPIC or signal is None:
                    self._look()
                elif signal in self._state.running:
                    self._heartbeat.beat_now()  # the row says what was asked for

    def _heard(self, states: Sequence[LeaseState]) -> None:
        """What the heartbeat learned: leases that are lost, cancels that were asked for elsewhere."""
        for state in states:
            running = self._state.running.get(state.run_id)
            if running is None or running.control.is_concluding or running.run.attempt != state.attempt:
                continue  # it ended, or went on elsewhere, while the heartbeat asked
            if not state.held:
                logger.error("lease lost", extra={"run_id": state.run_id, "attempt": state.attempt})
                self._abandon(state.run_id)
                continue
            if state.watched:
                self._herald.watch(state.run_id)
            if state.cancel is not None:
                self._stop_here(state.run_id, Stopped(state.cancel))

    def _abandon(self, run_id: str) -> bool:
        running = self._state.running.get(run_id)
        if running is None:
            return False
        running.control.abandon()
        return True

    def _stop_here(self, run_id: str, stopped: Stopped) -> bool:
        running = self._state.running.get(run_id)
        if running is None:
            return False
        running.control.stop(stopped)
        return True

    def _room(self) -> int:
        if self._state.is_draining:
            return 0
        return self._settings.runs - len(self._state.running) - self._state.reserved

    async def _execute(self, running: _Running) -> None:
        run = running.run
        try:
            await self._relay.tell_before(run.thread_id, run.turn, run)
            await self._engine.execute(run, running.control)
        except LeaseLostError:
            logger.warning("run abandoned", extra={"run_id": run.run_id, "attempt": run.attempt})
            self._relay.adopt(run)
        except Exception:
            logger.exception("run not finished", extra={"run_id": run.run_id, "attempt": run.attempt})
            self._relay.adopt(run)
        finally:
            self._heartbeat.remove(run.lease)
            is_awaited = self._room() <= 0 or not run.spec.temporary
            if self._state.running.get(run.run_id) is running:
                del self._state.running[run.run_id]
            if is_awaited:  # its place, or its thread
                self._wake.set()
            if not self._state.running:
                self._idle.set()
