"""Signals between processes by LISTEN and NOTIFY, on one connection that is made anew as often as it breaks."""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import psycopg

from longline.errors import InvalidInputError, StorageError
from longline.events.broker import Subscription
from longline.tasks import BackgroundTask, supervise
from longline_storage_postgres.connections import Connection, bounded, connect, direct_url, place_of, wait_readable
from longline_storage_postgres.errors import storage_error, translated
from longline_storage_postgres.settings import PostgresSettings
from longline_storage_postgres.starting import patiently
from longline_storage_postgres.statements import load_statements
from longline_storage_postgres.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

_SQL = load_statements("broker")
_LARGEST: Final = 7_000  # bytes of a signal; Postgres takes 8,000 with the topic
_OUTBOX: Final = 1_000  # signals that wait for a database that is away; the oldest are dropped
_BATCH: Final = 500  # signals in one statement
_PROBE_SECONDS: Final = 5.0  # of silence, after which the server is asked whether it is there; as long for its answer
_TRIAL_SECONDS: Final = 1.0  # a notification takes a millisecond where it arrives at all
_PAUSES: Final = (0.05, 0.1, 0.25, 0.5, 1.0)  # seconds between attempts to connect again
_AWAY: Final = "the database does not answer"
_UNSENDABLE: Final = "a signal is at most 7000 bytes of UTF-8 without NUL"


@dataclass(slots=True)
class _Outgoing:
    payload: str
    sent: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self) -> None:
        """It was sent, or will be when somebody can."""
        if not self.sent.done():
            self.sent.set_result(None)


class PostgresBroker:
    """See Broker. Signals come back through the server to this process too, so that all hear them in one order.

    While the database is away, the newest signals wait for it, and `publish` does not. Those that were on their way
    when the connection broke are not sent twice. Who subscribes gets None whenever the connection was made anew.
    """

    spans_processes = True

    def __init__(self, url: str, settings: PostgresSettings, *, is_heard: bool) -> None:
        self._url = url
        self._settings = settings
        self._is_heard = is_heard
        self._subscriptions = Subscriptions()
        self._outbox: deque[_Outgoing] = deque(maxlen=_OUTBOX)
        self._something = asyncio.Event()
        self._connected = asyncio.Event()
        self._away_since: float | None = None

    async def publish(self, topic: str, signal: str) -> None:
        """See Broker. Returns when the signal was sent; at once while the database is away. Raises
        InvalidInputError."""
        _check(signal)
        if not self._is_heard:
            self._subscriptions.put(topic, signal)
        outgoing = _Outgoing(f"{topic} {signal}")
        self._outbox.append(outgoing)
        self._something.set()
        if self._connected.is_set():
            await outgoing.sent

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Subscription]:
        """See Broker."""
        with self._subscriptions.open(topic) as subscription:
            yield subscription

    async def connected(self) -> None:
        """Until signals travel."""
        await self._connected.wait()

    async def run(self) -> None:
        """Send and receive until cancelled."""
        failures = 0
        while True:
            try:
                async with connect(self._url, self._settings) as connection:
                    await self._prepare(connection)
                    failures = 0
                    await self._converse(connection)
            except (psycopg.Error, OSError, TimeoutError, StorageError) as error:
                self._say_away(error)
            finally:
                self._connected.clear()
                self._settle(self._outbox)
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    async def poll(self) -> None:
        """Where nothing is heard: tell everybody again and again to look, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            self._subscriptions.lose()

    async def _prepare(self, connection: Connection) -> None:
        connection.add_notify_handler(self._hear)
        if self._is_heard:
            await bounded(connection, connection.execute(_SQL["prepare"]), _PROBE_SECONDS)
            await bounded(connection, connection.execute(_SQL["listen"]), _PROBE_SECONDS)
        self._connected.set()
        self._subscriptions.lose()
        if self._away_since is not None:
            seconds = round(asyncio.get_running_loop().time() - self._away_since, 1)
            logger.info("notifications came back", extra={"place": place_of(self._url), "away_seconds": seconds})
            self._away_since = None

    async def _converse(self, connection: Connection) -> None:
        while True:
            self._something.clear()
            if self._outbox:
                await self._send(connection)
            elif not await wait_readable(connection, self._something, _PROBE_SECONDS):
                await bounded(connection, connection.execute(_SQL["probe"]), _PROBE_SECONDS)

    async def _send(self, connection: Connection) -> None:
        batch = [self._outbox.popleft() for _ in range(min(len(self._outbox), _BATCH))]
        try:
            await bounded(connection, connection.execute(_SQL["send"], {"payloads": _numbered(batch)}), _PROBE_SECONDS)
        finally:
            self._settle(batch)

    def _hear(self, notification: psycopg.Notify) -> None:
        _, topic, signal = notification.payload.split(" ", 2)
        self._subscriptions.put(topic, signal)

    def _settle(self, outgoing: Sequence[_Outgoing]) -> None:
        for one in outgoing:
            one.settle()

    def _say_away(self, error: Exception) -> None:
        if self._away_since is not None:
            return
        self._away_since = asyncio.get_running_loop().time()
        place = place_of(self._url)
        reason = storage_error(error, place).reason if isinstance(error, psycopg.Error) else f"{place}: {_AWAY}"
        logger.warning("notifications stopped", extra={"reason": reason})


def _check(signal: str) -> None:
    try:
        is_fine = "\0" not in signal and len(signal.encode()) <= _LARGEST
    except UnicodeEncodeError:
        is_fine = False
    if not is_fine:
        raise InvalidInputError(_UNSENDABLE)


def _numbered(batch: Sequence[_Outgoing]) -> list[str]:
    """Payloads that differ: of several equal ones in a transaction, Postgres sends only the first."""
    return [f"{number} {outgoing.payload}" for number, outgoing in enumerate(batch)]


@asynccontextmanager
async def connect_broker(url: str, settings: PostgresSettings) -> AsyncIterator[PostgresBroker]:
    """Signals by way of the database, for as long as the context lasts. Raises StorageError."""
    direct = direct_url(url, settings)
    is_heard = await patiently(lambda: _hears_itself(direct, settings), direct, settings)
    if not is_heard:
        logger.warning(
            "notifications do not pass the pooler; set DATABASE_DIRECT_URL to the database without it",
            extra={"place": place_of(direct), "looking_every_seconds": settings.poll_seconds},
        )
    broker = PostgresBroker(direct, settings, is_heard=is_heard)
    tasks = [asyncio.create_task(supervise(BackgroundTask(name="notifications", run=broker.run)), name="notifications")]
    if not is_heard:
        tasks.append(asyncio.create_task(supervise(BackgroundTask(name="looking", run=broker.poll)), name="looking"))
    try:
        with suppress(TimeoutError):  # away again since the trial: it goes on trying
            async with asyncio.timeout(settings.connect_seconds):
                await broker.connected()
        yield broker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _hears_itself(url: str, settings: PostgresSettings) -> bool:
    """Whether one connection hears what another says: not so behind a transaction pooler."""
    token, heard = uuid.uuid4().hex, asyncio.Event()
    with translated(place_of(url)):
        async with connect(url, settings) as listening, connect(url, settings) as speaking:
            listening.add_notify_handler(lambda notification: heard.set() if notification.payload == token else None)
            await listening.execute(_SQL["try_listen"])
            await speaking.execute(_SQL["try_send"], {"token": token})
            deadline = asyncio.get_running_loop().time() + _TRIAL_SECONDS
            while not heard.is_set() and (left := deadline - asyncio.get_running_loop().time()) > 0:
                await wait_readable(listening, heard, left)
            await listening.execute(_SQL["try_unlisten"])
    return heard.is_set()
