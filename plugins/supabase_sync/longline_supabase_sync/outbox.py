"""What the triggers wrote down: the changes since a place that is kept in memory, none lost and none twice."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from psycopg.sql import SQL

from longline.errors import SourceAwayError
from longline_supabase_sync.database import Database, Parameters, Row, load_sql

logger = logging.getLogger(__name__)

Fetch: TypeAlias = Callable[[SQL, Parameters], Awaitable[Sequence[Row]]]

_EXISTS: Final = load_sql("outbox_exists")
_READ: Final = load_sql("outbox_read")
_PURGE: Final = load_sql("outbox_purge")
_PURGE_SECONDS: Final = 3600.0


class Outbox:
    """A reader's place in the outbox: a snapshot of what had happened when it looked last."""

    def __init__(self) -> None:
        self._seen: str | None = None
        self._purged_at = float("-inf")
        self._is_refused = False

    def begin(self, seen: str) -> None:
        """What happens from this snapshot on is news; nothing where there is a place already."""
        self._seen = self._seen or seen

    async def is_there(self, fetch: Fetch) -> bool:
        """Whether there is one. A place to begin is noted."""
        row = (await fetch(_EXISTS, {}))[0]
        self.begin(str(row["seen"]))
        return bool(row["is_there"])

    async def read(self, fetch: Fetch) -> tuple[Sequence[str], Callable[[], None]]:
        """The agents that changed, each once, and what to call when they were dealt with: until then the next read
        gives them again."""
        rows = await fetch(_READ, {"seen": self._seen})

        def done() -> None:
            self._seen = str(rows[0]["seen"])

        return [*dict.fromkeys(str(row["agent_id"]) for row in rows if row["agent_id"] is not None)], done

    async def purge(self, database: Database) -> None:
        """Remove what is over a day old, at most once an hour. A user that may not do so is told of once."""
        now = asyncio.get_running_loop().time()
        if now - self._purged_at < _PURGE_SECONDS:
            return
        self._purged_at = now
        try:
            await database.write(_PURGE, {})
        except SourceAwayError as error:
            if not self._is_refused:
                logger.warning("outbox of agent changes not purged", extra={"reason": error.reason})
            self._is_refused = True
