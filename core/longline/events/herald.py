"""Tells readers what happens: those of this process at once, those of others by signals."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Final

import orjson

from longline.events.broker import Broker
from longline.events.hub import EventHub, RunEnd, StateUpdated
from longline.models.events import RunEnding, RunEvent
from longline.models.json import JsonValue
from longline.models.runs import Run

RELAY_TOPIC: Final = "relay"
"""The signal is a JSON object: who says it, and its news."""
FOLLOW_SECONDS: Final = 60.0
"""How long a thread counts as read without being named again."""
_LARGEST: Final = 6_000
"""Bytes of a signal; a broker takes 7 000."""
_MOST_WAITING: Final = 10_000
_MOST_ASKED: Final = 1_000
"""Runs that others read and that do not execute here, which may begin in the next moment."""

News = tuple[JsonValue, ...]


class Outbox:
    """News for other processes, sent in order, as many at a time as fit. News that wait too long are dropped, the
    oldest first: readers elsewhere look for themselves as well."""

    def __init__(self, broker: Broker, owner: str) -> None:
        self._broker = broker
        self._owner = owner
        self._waiting: deque[News] = deque(maxlen=_MOST_WAITING)
        self._there_is_some = asyncio.Event()

    def put(self, news: News) -> None:
        """Send this soon. What is said twice in a row is sent once."""
        if not self._waiting or self._waiting[-1] != news:
            self._waiting.append(news)
        self._there_is_some.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._there_is_some.wait()
            await self.send()

    async def send(self) -> None:
        """Send what waits."""
        self._there_is_some.clear()
        while self._waiting:
            await self._broker.publish(RELAY_TOPIC, self._take())

    def _take(self) -> str:
        parts: dict[bytes, None] = {}  # news that repeat themselves within a signal are one
        size = 0
        while self._waiting:
            part = orjson.dumps(self._waiting[0])
            if parts and size + len(part) > _LARGEST:
                break
            self._waiting.popleft()
            parts.pop(part, None)  # the later one counts: what was said between them comes first
            parts[part] = None
            size += len(part) + 1
        return (b'{"from":%s,"news":[%s]}' % (orjson.dumps(self._owner), b",".join(parts))).decode()


class Herald:
    """What runs of this process say and how runs and threads end, told to everybody who reads them.

    Without an `outbox` there is nobody but this process. With one, other processes are told of the events of those runs
    only that they read (`watch`), and of every end that they cannot see otherwise.
    """

    def __init__(self, hub: EventHub, outbox: Outbox | None = None) -> None:
        self._hub = hub
        self._outbox = outbox
        self._mine: dict[str, Run] = {}
        self._watched: set[str] = set()
        self._asked: dict[str, None] = {}
        self._followed_until: dict[str, float] = {}

    # -- runs that execute here ---------------------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        """The run executes here from now on."""
        self._mine[run.run_id] = run
        if run.watched or run.run_id in self._asked or self._followed_until.get(run.thread_id, 0.0) > monotonic():
            self._watched.add(run.run_id)

    def forget(self, run: Run) -> None:
        """The attempt is over, or was lost."""
        if self._mine.get(run.run_id) is run:
            del self._mine[run.run_id]
            self._watched.discard(run.run_id)

    def is_mine(self, run_id: str) -> bool:
        """Whether the run executes here."""
        return run_id in self._mine

    def is_watched(self, run_id: str) -> bool:
        """Whether another process reads a run that executes here."""
        return run_id in self._watched

    def watch(self, run_id: str) -> None:
        """Another process reads the run, if it executes here, or will in a moment. It is told to look at once."""
        run = self._mine.get(run_id)
        if run is None:
            self._asked[run_id] = self._asked.pop(run_id, None)
            if len(self._asked) > _MOST_ASKED:
                del self._asked[next(iter(self._asked))]
        elif run_id not in self._watched:
            self._watched.add(run_id)
            self._say_said(run_id, run.thread_id, is_kept=run.spec.resumable)

    def say_again(self) -> None:
        """What was said before may not have been heard: every run that executes here and is read elsewhere is named."""
        for run_id in self._watched:
            run = self._mine[run_id]
            self._say_said(run_id, run.thread_id, is_kept=run.spec.resumable)

    def watch_thread(self, thread_id: str) -> None:
        """Another process reads whatever executes here on this thread, for a while."""
        now = monotonic()
        self._followed_until = {key: until for key, until in self._followed_until.items() if until > now}
        self._followed_until[thread_id] = now + FOLLOW_SECONDS
        for run in tuple(self._mine.values()):
            if run.thread_id == thread_id:
                self.watch(run.run_id)

    # -- what happens -------------------------------------------------------------------------------------------------

    def publish(self, run_id: str, events: Sequence[RunEvent], *, thread_id: str = "", is_kept: bool = False) -> None:
        """Hand events to readers. `is_kept`: the log has them already, so that other processes can read them there."""
        self._hub.publish(run_id, events, thread_id=thread_id, is_kept=is_kept)
        if is_kept and run_id in self._watched:
            self._say_said(run_id, thread_id, is_kept=True)

    def say_relayed(self, run_id: str, thread_id: str) -> None:
        """Events that the log does not keep lie ready for other processes."""
        self._say_said(run_id, thread_id, is_kept=False)

    def tell_end(
        self, thread_id: str, end: RunEnd, ending: RunEnding, *, is_kept: bool, is_watched: bool = True
    ) -> None:
        """A run has ended, and that is stored. `is_watched`: another process may read it."""
        self._hub.tell_end(thread_id, end, ending, is_kept=is_kept)
        if is_watched:
            self._say("ended", ending.run_id, thread_id)

    def publish_update(self, thread_id: str, update: StateUpdated) -> None:
        """The state of a thread was updated."""
        self._hub.publish_update(thread_id, update)
        self._say("updated", thread_id, update.turn)

    def close_gone(self, thread_id: str, run_ids: Sequence[str], *, is_watched: bool = True) -> None:
        """A thread is gone, with these unfinished runs on it."""
        self._hub.close_gone(thread_id, run_ids)
        if is_watched or run_ids:
            for run_id in run_ids:
                self._say("ended", run_id, thread_id)
            self._say("gone", thread_id)

    def say_reading(self, kind: str, key: str) -> None:
        """This process reads a run (`watch`) or a thread (`follow`) from now on."""
        self._say(kind, key)

    def _say_said(self, run_id: str, thread_id: str, *, is_kept: bool) -> None:
        self._say("said", run_id, thread_id, is_kept)

    def _say(self, *news: JsonValue) -> None:
        if self._outbox is not None:
            self._outbox.put(news)


class Relayed:
    """See Publisher: what was stored for other processes is said to them alone, readers here have it already."""

    def __init__(self, herald: Herald) -> None:
        self._herald = herald

    def publish(
        self,
        run_id: str,
        events: Sequence[RunEvent],  # noqa: ARG002  # a protocol's form
        *,
        thread_id: str = "",
        is_kept: bool = False,  # noqa: ARG002  # the same
    ) -> None:
        """See Publisher."""
        self._herald.say_relayed(run_id, thread_id)


def read_signal(signal: str) -> tuple[str, Iterable[Sequence[JsonValue]]]:
    """Who sent a signal, and its news."""
    told = orjson.loads(signal)
    return told["from"], told["news"]
