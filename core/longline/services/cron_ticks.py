"""Crons that are due become runs, each tick once, whatever becomes of the process that was at it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import cast

from longline.auth.kept_principal import recall_principal
from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.errors import (
    AlreadyExistsError,
    IdentityAwayError,
    InvalidScheduleError,
    InvalidTimezoneError,
    LonglineError,
    NotFoundError,
    StorageError,
)
from longline.events.broker import Broker
from longline.models.crons import Cron
from longline.models.json import JsonObject
from longline.models.runs import Claim
from longline.models.ticks import CronTick
from longline.runs.schedules import next_tick
from longline.services.run_requests import RunRequest
from longline.services.runs import RunService
from longline.storage.crons import CronStore

logger = logging.getLogger(__name__)

CRON_TOPIC = "crons"
"""A cron is new or was changed: the next tick may be another."""

_AT_ONCE = 20  # crons that are taken together
_NET_SECONDS = 5.0  # the longest sleep: the net below signals that are lost and clocks that are set
_PATIENCE_SECONDS = 2.0  # what one tick (a rule that asks somebody, a graph that loads) may hold up others
_LATE_LEASES = 4  # processes that die after each other with a tick in hand hold it for a lease each; and some to spare
_LATE = timedelta(minutes=1)  # what a busy server may be late; a tick that is later was missed


class CronTicker:
    """Makes a run of its creator for each tick of each cron.

    A tick and its run are one transaction of the storage (see `RunQueue.enqueue`), so that a tick makes one run however
    many processes are at it, and whichever of them dies. Ticks that were missed while no server ran make one run
    together, the first of them; none if the cron's end has passed since. A tick that cannot make its run is logged and
    passed over.
    """

    def __init__(
        self,
        *,
        store: CronStore,
        runs: RunService,
        broker: Broker,
        renew: Callable[[Principal], Awaitable[Principal]],
        vault: Vault,
        claim: Claim,
        clock: Clock,
    ) -> None:
        self._store = store
        self._runs = runs
        self._broker = broker
        self._renew = renew
        self._vault = vault
        self._claim = claim
        self._clock = clock
        self._is_away = False
        self._making: set[str] = set()

    async def run(self) -> None:
        """Wake at every tick, and whenever a cron was changed, until cancelled."""
        async with self._broker.subscribe(CRON_TOPIC) as changes, asyncio.TaskGroup() as ticks:
            while True:
                pause = await self._look(ticks)
                try:
                    async with asyncio.timeout(pause):
                        await changes.receive()
                except TimeoutError:
                    continue

    async def _look(self, ticks: asyncio.TaskGroup) -> float:
        """Make the runs that are due; the seconds until there may be more to do."""
        try:
            while due := await self._take_due():
                tasks = [ticks.create_task(self._pass(cron, tick), name=f"cron-{cron.cron_id}") for cron, tick in due]
                await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)
            next_due = await self._store.next_due()
        except StorageError as error:
            if not self._is_away:
                logger.error("crons not readable", extra={"reason": error.reason})  # noqa: TRY400  # the storage's fault, said once
            self._is_away = True
            return _NET_SECONDS
        self._is_away = False
        if next_due is None:
            return _NET_SECONDS
        return min(_NET_SECONDS, max((next_due - self._clock()).total_seconds(), 0.001))

    async def _take_due(self) -> Sequence[tuple[Cron, datetime]]:
        """Crons and the ticks that they are due at, without those whose tick takes longer than it is held."""
        taken = await self._store.take_due(self._claim, limit=_AT_ONCE)
        due = [(cron, cron.next_tick) for cron in taken if cron.cron_id not in self._making]
        found = [(cron, tick) for cron, tick in due if tick is not None]
        self._making.update(cron.cron_id for cron, _ in found)
        return found

    async def _pass(self, cron: Cron, tick: datetime) -> None:
        """Make the run of a tick, or move on without. A storage that is away leaves the tick due."""
        try:
            now = self._clock()
            following = _following(cron, after=self._reached(tick, now))
            if _is_over(cron, tick, now) or not await self._fire(cron, tick, following):
                await self._store.advance(cron.cron_id, tick, following)
        except (StorageError, IdentityAwayError) as error:
            logger.error("cron tick put off", extra={**_facts(cron, tick), "reason": error.reason})  # noqa: TRY400  # no fault of ours
        except Exception:
            logger.exception("cron tick put off", extra=_facts(cron, tick))  # other crons go on
        finally:
            self._making.discard(cron.cron_id)

    def _reached(self, tick: datetime, now: datetime) -> datetime:
        """After what the cron's next tick is to come. One that is only as late as the deaths of other processes make it
        was not missed: those behind it come one by one."""
        is_late = now - tick > timedelta(seconds=_LATE_LEASES * self._claim.lease_seconds)
        return now if is_late else tick

    async def _fire(self, cron: Cron, tick: datetime, following: datetime | None) -> bool:
        """Whether nothing is left to do: the tick made its run, and the cron has moved on with it, or the cron was
        changed meanwhile. Raises StorageError, IdentityAwayError."""
        moved = CronTick(cron_id=cron.cron_id, tick=tick, next_tick=following, cron_updated_at=cron.updated_at)
        try:
            asked = self._request(cron, moved)
            creator = await self._renew(recall_principal(cron.creator, self._vault))
            await self._runs.create(creator, asked)
        except (StorageError, IdentityAwayError):
            raise
        except AlreadyExistsError:
            logger.debug("cron tick not due any more", extra=_facts(cron, tick))
            return await self._was_changed(cron)
        except LonglineError as error:
            logger.warning("cron tick made no run", extra={**_facts(cron, tick), "reason": str(error)})
        except Exception:
            logger.exception("cron tick made no run", extra=_facts(cron, tick))
        else:
            return True
        return False

    async def _was_changed(self, cron: Cron) -> bool:
        """Whether the cron is another than it was: if its tick is still due, then with what it says now."""
        try:
            return (await self._store.get(cron.cron_id)).updated_at != cron.updated_at
        except NotFoundError:
            return True

    def _request(self, cron: Cron, tick: CronTick) -> RunRequest:
        spec = cron.spec
        return RunRequest(
            assistant=cron.assistant_id,
            thread_id=cron.thread_id,
            input=spec.input,
            metadata=spec.metadata or {},
            config=self._opened(spec.config) or {},
            context=self._opened(spec.context),
            stream_modes=spec.stream_modes or ("values",),
            subgraphs=bool(spec.subgraphs),
            resumable=bool(spec.resumable),
            interrupt_before=spec.interrupt_before,
            interrupt_after=spec.interrupt_after,
            multitask_strategy=spec.multitask_strategy or "enqueue",
            durability=spec.durability or "async",
            keep_thread=cron.thread_id is None and cron.keeps_threads,
            webhook=spec.webhook,
            tick=tick,
        )

    def _opened(self, sealed: JsonObject | None) -> JsonObject | None:
        """What the run's own layer seals again; secrets that cannot be opened any more are left out."""
        return (
            None if sealed is None else cast("JsonObject", self._vault.open_in_clear(sealed))
        )  # what was sealed was JSON


def _following(cron: Cron, *, after: datetime) -> datetime | None:
    try:
        return next_tick(cron.schedule, cron.timezone, after=after, end_at=cron.end_at)
    except (InvalidScheduleError, InvalidTimezoneError) as error:  # this machine reads it differently than the last one
        logger.warning("cron ended", extra={"cron_id": cron.cron_id, "reason": str(error)})
        return None


def _is_over(cron: Cron, tick: datetime, now: datetime) -> bool:
    return cron.end_at is not None and now > cron.end_at and now - tick > _LATE


def _facts(cron: Cron, tick: datetime) -> dict[str, object]:
    return {"cron_id": cron.cron_id, "tick": tick.isoformat()}
