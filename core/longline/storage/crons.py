"""The storage protocol of crons: what is kept of them, and who turns a tick into a run."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from longline.models.crons import Cron, CronQuery
from longline.models.filters import EVERYTHING, Filter
from longline.models.pages import Page
from longline.models.runs import Claim

CronRevision = Callable[[Cron], Cron]
"""A cron as it is → as it is to be. What it raises ends the update."""


class CronStore(Protocol):
    """Crons. One goes with its assistant and with its thread. What `visible` hides looks exactly like what is missing.

    A tick becomes a run in `RunQueue.enqueue`, which moves the cron on in the same transaction. What `take_due` gives
    keeps other processes from trying the same; that a tick becomes a run once does not depend on it.
    """

    async def create(self, cron: Cron) -> Cron:
        """Store a new cron. Raises AlreadyExistsError if the id is taken."""
        ...

    async def get(self, cron_id: str, *, visible: Filter = EVERYTHING) -> Cron:
        """The cron. Raises NotFoundError."""
        ...

    async def search(self, query: CronQuery) -> Page[Cron]:
        """The matching crons in the asked order, with the true total."""
        ...

    async def update(self, cron_id: str, revise: CronRevision, *, at: datetime, visible: Filter = EVERYTHING) -> Cron:
        """Replace the cron by what `revise` makes of it, atomically; its id and creation time stay, and nobody holds
        it afterwards. Raises NotFoundError."""
        ...

    async def delete(self, cron_id: str, *, visible: Filter = EVERYTHING) -> None:
        """Remove the cron; runs that it made stay. Raises NotFoundError."""
        ...

    async def take_due(self, claim: Claim, *, limit: int) -> Sequence[Cron]:
        """Take up to `limit` enabled crons whose `next_tick` has come and that nobody holds, the longest due first.
        They are held for `claim.lease_seconds`; then, if their tick is still due, they can be taken again."""
        ...

    async def advance(self, cron_id: str, tick: datetime, next_tick: datetime | None) -> bool:
        """Move on from a tick that makes no run. False, and nothing is changed, if the cron is not due at this tick any
        more: it made its run, was changed, or is gone."""
        ...

    async def next_due(self) -> datetime | None:
        """When the next cron can be taken: the earliest tick of an enabled one, for one that is held not before the end
        of that. None if no tick will ever come."""
        ...
