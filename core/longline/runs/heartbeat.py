"""Heartbeats from a thread of their own: a node that blocks the event loop must not lose a run that is alive."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence

from longline.errors import StorageError
from longline.models.runs import Lease, LeaseState
from longline.storage.queue import RunQueue
from longline.threads import in_thread

logger = logging.getLogger(__name__)


class Heartbeat:
    """Renews the leases of this process every `seconds` and reports what it learns to the event loop."""

    def __init__(
        self,
        queue: RunQueue,
        *,
        owner: str,
        seconds: float,
        lease_seconds: float,
        report: Callable[[Sequence[LeaseState]], None],
    ) -> None:
        self._queue = queue
        self._owner = owner
        self._seconds = seconds
        self._lease_seconds = lease_seconds
        self._report = report
        self._leases: dict[tuple[str, int], Lease] = {}
        self._last_beat = time.monotonic()
        self._away_at: float | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._nudge = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin, reporting to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="longline-heartbeat", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stop renewing; returns once the thread is gone."""
        self._stop.set()
        self._nudge.set()
        if self._thread is not None:
            await in_thread(self._thread.join)

    def beat_now(self) -> None:
        """Do not wait for the next beat: somebody says that there is something to learn."""
        self._nudge.set()

    def is_behind(self) -> bool:
        """Whether leases of live runs may have run out: there are some, and none was renewed for half a lease."""
        with self._lock:
            return bool(self._leases) and time.monotonic() - self._last_beat > max(
                self._lease_seconds / 2, self._seconds * 1.5
            )

    def storage_was_away(self) -> None:
        """Nobody could renew a lease a moment ago, here and perhaps elsewhere."""
        self._away_at = time.monotonic()

    def is_recovering(self) -> bool:
        """Whether the storage was away less than a lease ago: leases that ran out meanwhile may be of the living, who
        get that long to renew them."""
        return self._away_at is not None and time.monotonic() - self._away_at < self._lease_seconds

    def add(self, lease: Lease) -> None:
        """Renew this lease from now on."""
        with self._lock:
            if not self._leases:
                self._last_beat = time.monotonic()
            self._leases[lease.run_id, lease.attempt] = lease

    def remove(self, lease: Lease) -> None:
        """Renew it no more."""
        with self._lock:
            self._leases.pop((lease.run_id, lease.attempt), None)

    def _run(self) -> None:
        has_failed = False
        while not self._stop.is_set():
            self._nudge.wait(self._seconds)
            self._nudge.clear()
            with self._lock:
                leases = list(self._leases.values())
            if not leases:
                continue
            try:
                states = self._queue.keep(self._owner, leases, lease_seconds=self._lease_seconds)
            except StorageError as error:
                self.storage_was_away()
                if not has_failed:
                    logger.error("leases not renewed", extra={"runs": len(leases), "reason": error.reason})  # noqa: TRY400  # the storage's fault, said once
                has_failed = True
                continue
            except Exception:  # the thread must outlive a fault: without it every lease of this process runs out
                logger.exception("heartbeat failed", extra={"runs": len(leases)})
                continue
            has_failed = False
            self._last_beat = time.monotonic()
            told = [state for state in states if not state.held or state.cancel is not None or state.watched]
            if told and self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._report, told)
