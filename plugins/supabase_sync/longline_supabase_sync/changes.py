"""Hears of changed agents: notifications wake, the outbox of the triggers tells. Where no notification arrives it looks
again and again."""

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from psycopg.sql import SQL

from longline.errors import SourceAwayError
from longline.ids import parse_uuid
from longline_supabase_sync.database import Connection, Database, Parameters, Row, bounded, connect, load_sql
from longline_supabase_sync.errors import translated
from longline_supabase_sync.outbox import Outbox
from longline_supabase_sync.places import Place

logger = logging.getLogger(__name__)

_LISTEN: Final = SQL("LISTEN agents_changed")
_SAY: Final = load_sql("say")
_PROBE_SECONDS: Final = 10.0  # of silence, after which the server is asked whether it is there
_TRIAL_SECONDS: Final = 2.0  # a notification takes a millisecond where it arrives at all
_PAUSES: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to connect again
_NO_TRIGGERS: Final = "run `longline supabase install-triggers --apply`"


@dataclass(frozen=True, slots=True)
class Line:
    """A connection that hears."""

    connection: Connection

    async def fetch(self, statement: SQL, parameters: Parameters) -> Sequence[Row]:
        """Rows, over this very connection: a server that went away is noticed."""
        return await bounded(self.connection, self._rows(statement, parameters), _PROBE_SECONDS)

    async def wait(self, seconds: float) -> Sequence[str]:
        """What was said, as soon as something is; nothing after that many seconds."""
        return [said.payload async for said in self.connection.notifies(timeout=seconds, stop_after=1)]

    async def _rows(self, statement: SQL, parameters: Parameters) -> Sequence[Row]:
        cursor = await self.connection.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description is not None else []


class Changes:
    """The agents that change in a project. The place in the outbox outlives whoever reads."""

    def __init__(self, database: Database, direct: Place, *, poll_seconds: float) -> None:
        self.outbox: Final = Outbox()
        self._database = database
        self._direct = direct
        self._poll_seconds = poll_seconds
        self._failures = 0
        self._is_away = False
        self._told: str | None = None

    async def keys(self) -> AsyncGenerator[Sequence[str], None]:
        """The ids of agents, as many as changed, until nobody reads any more; a database that is away is waited for."""
        while True:
            try:
                async with self._line() as line, aclosing(self._follow(line)) as news:
                    async for keys in news:
                        yield keys
            except SourceAwayError as error:
                self._say_away(error)
            await asyncio.sleep(_PAUSES[min(self._failures, len(_PAUSES) - 1)])
            self._failures += 1

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Line | None]:
        """A connection that hears, or None where none does."""
        if self._direct.is_pooler:
            self._say_deaf()
            yield None
            return
        with translated():
            connection = await connect(self._direct)
        try:
            line = Line(connection)
            with translated():
                hears = await self._hears(line)
            if not hears:
                self._say_deaf()
            yield line if hears else None
        finally:
            await connection.close()

    async def _hears(self, line: Line) -> bool:
        """Whether the line hears what another connection says: not so behind a transaction pooler."""
        await line.fetch(_LISTEN, {})
        word = uuid.uuid4().hex
        await self._database.fetch(_SAY, {"word": f"trial {word}"})
        deadline = asyncio.get_running_loop().time() + _TRIAL_SECONDS
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            if any(word in said for said in await line.wait(left)):
                return True
        return False

    async def _follow(self, line: Line | None) -> AsyncGenerator[Sequence[str], None]:
        fetch = self._database.fetch if line is None else line.fetch
        said: Sequence[str] = ()
        while True:
            with translated():
                is_there = await self.outbox.is_there(fetch)
                news, done = await self.outbox.read(fetch) if is_there else (_keys_in(said), _nothing)
            self._say_back(is_there=is_there, hears=line is not None)
            if news:
                yield news
            done()
            if is_there:
                await self.outbox.purge(self._database)
            with translated():
                said = await self._wait(line)

    async def _wait(self, line: Line | None) -> Sequence[str]:
        if line is not None:
            return await line.wait(_PROBE_SECONDS)
        await asyncio.sleep(self._poll_seconds)
        return ()

    # -- what the log says, once each -------------------------------------------------------------------------------

    def _say_deaf(self) -> None:
        self._say(
            "notifications of agents do not pass the pooler; set supabase_sync.direct_url to the database without it",
            logging.WARNING,
            looking_every_seconds=self._poll_seconds,
        )

    def _say_back(self, *, is_there: bool, hears: bool) -> None:
        self._failures = 0
        if self._is_away:
            self._is_away = False
            logger.info("changes of agents are followed again", extra={"place": self._direct.name})
        if not is_there:
            self._say("changes of agents are not written down", logging.INFO, way_out=_NO_TRIGGERS)
        elif hears:
            self._told = None

    def _say_away(self, error: SourceAwayError) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("changes of agents cannot be followed", extra={"reason": error.reason})

    def _say(self, message: str, level: int, **facts: object) -> None:
        if self._told != message:
            self._told = message
            logger.log(level, message, extra={"place": self._direct.name, **facts})


def _keys_in(said: Sequence[str]) -> Sequence[str]:
    """The agents that somebody's own triggers spoke of."""
    return [key for word in dict.fromkeys(said) if (key := parse_uuid(word)) is not None]


def _nothing() -> None:
    """There is no place to keep."""
