"""What tests of crons share: who tells of their runs, and time that has passed."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from longline.models.crons import Cron
from longline.models.events import RunEvent
from longline.models.runs import Lease, Run, RunOutcome
from longline.storage.protocols import Storage
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

EVERY_SECOND = "* * * * * *"
YEARLY = "0 0 1 1 *"


class Told:
    """A listener that keeps the runs that it was told of."""

    wants_events = False

    def __init__(self) -> None:
        self.created: list[Run] = []
        self.ended: list[str] = []
        self._changed = asyncio.Event()

    def on_created(self, run: Run) -> None:
        self.created.append(run)
        self._changed.set()

    def on_started(self, run: Run) -> None:
        pass

    def on_event(self, event: RunEvent) -> None:
        pass

    def on_ended(self, lease: Lease, outcome: RunOutcome) -> None:
        self.ended.append(lease.run_id)
        self._changed.set()

    async def wait(self, count: int, *, ended: bool = False) -> list[Run]:
        """Until so many runs were created (or have ended)."""
        async with asyncio.timeout(20):
            while len(self.ended if ended else self.created) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.created


def stored(folder: Path) -> AbstractAsyncContextManager[Storage]:
    """The storage of a server that is closed now."""
    return sqlite_backend(SqliteSettings()).connect(f"sqlite:///{folder}/server.db")


def ago(**passed: float) -> datetime:
    """A moment in the past, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**passed)


async def make_due(folder: Path, cron_id: str, tick: datetime, **changed: object) -> Cron:
    """As if the cron had been due while no server ran."""
    async with stored(folder) as storage:
        return await storage.crons.update(
            cron_id,
            lambda cron: replace(cron, next_tick=tick, **changed),  # type: ignore[arg-type]  # its own fields
            at=tick,
        )


def config_of(run: Run) -> dict[str, object]:
    """The run's configurable values."""
    found = run.spec.config["configurable"]
    assert isinstance(found, dict)
    return dict(found)
