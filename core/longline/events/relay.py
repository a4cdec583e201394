"""Brings what runs of other processes say to the readers of this one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from longline.errors import LonglineError, NotFoundError, StorageError
from longline.events.broker import Broker
from longline.events.catching_up import CatchingUp
from longline.events.followed import Followed
from longline.events.herald import FOLLOW_SECONDS, RELAY_TOPIC, Herald, read_signal
from longline.events.hub import EventHub, StateUpdated
from longline.models.events import BEGINNING, END_OF_TURN, EventId
from longline.models.json import JsonValue
from longline.models.runs import Run
from longline.storage.relay import FollowedRun, RelayStore

if TYPE_CHECKING:
    from langgraph.types import StateSnapshot

logger = logging.getLogger(__name__)

_NET_SECONDS: Final = 2.0
"""How often it is asked what has ended, whatever was heard."""
_AGAIN_SECONDS: Final = 20.0
_KEPT_SECONDS: Final = 120.0
"""How long relayed events and ends stay."""


class Relay:
    """Follows runs and threads that are read here and executed elsewhere, as long as somebody reads them.

    A signal says where there is something to read; the storage has it. Where signals are lost, or do not come at all,
    everything that is followed is looked at. Without a store there is no elsewhere, and nothing is done.
    """

    def __init__(  # the parts of following, each named
        self,
        *,
        store: RelayStore | None,
        hub: EventHub,
        herald: Herald,
        broker: Broker,
        owner: str,
        load_state: "Callable[[str], Awaitable[StateSnapshot]]",
    ) -> None:
        self._store = store
        self._hub = hub
        self._herald = herald
        self._broker = broker
        self._owner = owner
        self._load_state = load_state
        self._runs: dict[str, Followed] = {}
        self._threads: dict[str, int | None] = {}
        """The threads that are read here, and the newest turn that was seen of each; None where it was not there."""
        self._catching_up = None if store is None else CatchingUp(
            store=store, hub=hub, herald=herald, runs=self._runs, see_turn=self._see_turn
        )  # fmt: skip
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_away = False

    @property
    def reader(self) -> str | None:
        """Who reads what this process reads; None where there is no other process."""
        return None if self._store is None else self._owner

    # -- what services call -------------------------------------------------------------------------------------------

    def expect(self, run_id: str, thread_id: str, *, is_kept: bool) -> None:
        """A run is about to be created that is read here, with `reader` as NewRun.watched_by."""
        if self._store is not None:
            self._runs[run_id] = Followed(run_id, thread_id, BEGINNING, is_kept, is_expected=True)

    def forget(self, run_id: str) -> None:
        """The run that was expected starts here."""
        self._runs.pop(run_id, None)

    def expect_no_more(self, run_id: str) -> None:
        """The run that was expected is there, and starts wherever there is room."""
        if run_id in self._runs:
            self._runs[run_id].is_expected = False

    async def follow_run(self, run: Run) -> None:
        """Read an unfinished run from now on, wherever it executes. Raises StorageError."""
        if self._store is None or self._herald.is_mine(run.run_id):
            return
        followed = await self._store.watch_run(run.run_id, self._owner)
        if followed is not None:
            self._add(run.thread_id, followed, is_new=self._is_thread_read(run.thread_id))
            self._herald.say_reading("watch", run.run_id)

    async def follow_thread(self, thread_id: str) -> None:
        """Read everything that happens on a thread from now on, wherever it happens. Raises StorageError."""
        if self._store is None or self._threads.get(thread_id) is not None:
            return
        if thread_id not in self._threads:
            self._herald.say_reading("follow", thread_id)
        await self._watch_thread(self._store, thread_id)

    async def _watch_thread(self, store: RelayStore, thread_id: str) -> None:
        followed = await store.watch_thread(thread_id, self._owner, seconds=FOLLOW_SECONDS)
        was_read = self._is_thread_read(thread_id)
        if not was_read or followed is None:
            self._threads[thread_id] = None if followed is None else followed.turn
        for found in () if followed is None else followed.unfinished:
            if not self._herald.is_mine(found.run_id):
                self._add(thread_id, found, is_new=was_read)

    def _is_thread_read(self, thread_id: str) -> bool:
        """Whether the thread has been followed here for a while: a run on it that is not known yet began after that,
        and its readers are to get all of it."""
        return self._threads.get(thread_id) is not None and self._hub.has_readers("", thread_id)

    def adopt(self, run: Run) -> None:
        """A run was lost to another process: its readers here go on with what it says there."""
        if self._store is not None and self._hub.is_awaited(run.run_id, run.thread_id):
            followed = Followed(run.run_id, run.thread_id, EventId(run.attempt, END_OF_TURN), run.spec.resumable)
            self._runs[run.run_id] = followed
            self._look(followed, wants_end=True)

    async def tell_before(self, thread_id: str, turn: int, run: Run | None = None) -> None:
        """This turn of a thread, perhaps that of a run, is about to be told here: what its readers have not heard of
        what went before it elsewhere is told first."""
        self._see_turn(thread_id, turn)
        if run is not None and run.attempt > 1:
            followed = self._followed(run.run_id, run.thread_id, is_kept=run.spec.resumable)
            if followed is not None:
                followed.is_stale = True
        if any(followed.thread_id == thread_id for followed in self._runs.values()):
            await self._guarded(self._tell_before(thread_id, turn))

    async def _tell_before(self, thread_id: str, turn: int) -> None:
        if self._catching_up is not None:
            async with self._catching_up.order(thread_id):
                await self._catching_up.of_thread(thread_id, before=turn)

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled."""
        if self._store is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._look_again(self._store))
        finally:
            for task in tuple(self._tasks):
                task.cancel()

    async def _listen(self) -> None:
        async with self._broker.subscribe(RELAY_TOPIC) as subscription:
            while True:
                signal = await subscription.receive()
                if signal is None:
                    self._herald.say_again()
                    self._look_at_all()
                    continue
                sender, news = read_signal(signal)
                if sender != self._owner:
                    for one in news:
                        self._hear(one)

    def _hear(self, news: Sequence[JsonValue]) -> None:
        kind, key, *rest = news
        match kind, key, rest:
            case "said", str(), [str() as thread_id, bool() as is_kept]:
                self._hear_said(key, thread_id, is_kept=is_kept)
            case "ended", str(), [str() as thread_id]:
                followed = self._followed(key, thread_id, is_kept=False)
                if followed is not None:
                    self._look(followed, wants_end=True)
            case "watch", str(), []:
                self._herald.watch(key)
            case "follow", str(), []:
                self._herald.watch_thread(key)
            case "gone", str(), []:
                self._hub.close_thread(key)
            case "updated", str(), [int() as turn]:
                if self._hub.has_readers("", key):
                    self._start(self._tell_update(key, turn))
            case _:  # of a later version
                logger.debug("news not understood", extra={"kind": kind})

    def _hear_said(self, run_id: str, thread_id: str, *, is_kept: bool) -> None:
        followed = self._followed(run_id, thread_id, is_kept=is_kept)
        if followed is not None:
            followed.is_kept = is_kept
            self._look(followed)

    def _followed(self, run_id: str, thread_id: str, *, is_kept: bool) -> Followed | None:
        """What is followed under this id; a run of a thread that is read here begins to be."""
        if self._herald.is_mine(run_id) or not self._hub.is_awaited(run_id, thread_id):
            return None
        return self._runs.setdefault(run_id, Followed(run_id, thread_id, BEGINNING, is_kept))

    def _add(self, thread_id: str, found: FollowedRun, *, is_new: bool) -> None:
        if found.run_id not in self._runs:
            after = BEGINNING if is_new else found.last
            self._runs[found.run_id] = Followed(found.run_id, thread_id, after, found.is_kept, joined_after=found.last)

    def _look_at_all(self) -> None:
        """What was said meanwhile is not known, and which runs began."""
        if self._store is not None:
            self._start(self._look_for_runs(self._store))
        for followed in tuple(self._runs.values()):
            self._look(followed, wants_end=True)

    async def _look_for_runs(self, store: RelayStore) -> None:
        seen = {thread_id: turn for thread_id, turn in self._threads.items() if turn is not None}
        for run in await store.begun(seen) if seen else ():
            self._see_turn(run.thread_id, run.turn)
            followed = self._followed(run.run_id, run.thread_id, is_kept=run.is_kept)
            if followed is not None:
                self._look(followed, wants_end=True)

    def _see_turn(self, thread_id: str, turn: int) -> None:
        seen = self._threads.get(thread_id)
        if seen is not None:
            self._threads[thread_id] = max(seen, turn)

    def _look(self, followed: Followed, *, wants_end: bool = False) -> None:
        """Read what is new of a run; once at a time, and once more if something happens meanwhile."""
        followed.is_stale = True
        followed.wants_end = followed.wants_end or wants_end
        if followed.looking is None and self._catching_up is not None:
            followed.looking = self._start(self._catching_up.of_run(followed))

    def _start(self, work: Awaitable[None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except StorageError as error:  # it is looked at again
            if not self._is_away:
                logger.error("runs elsewhere not readable", extra={"reason": error.reason})  # noqa: TRY400  # the storage's fault, said once
            self._is_away = True
        except Exception:
            logger.exception("run elsewhere not followed")
        else:
            self._is_away = False

    async def _tell_update(self, thread_id: str, turn: int) -> None:
        try:
            state = await self._load_state(thread_id)
        except NotFoundError:
            return
        except StorageError:
            raise
        except LonglineError as error:  # its graph does not load here
            logger.warning("state update not told", extra={"thread_id": thread_id, "reason": str(error)})
            return
        await self._tell_before(thread_id, turn)
        self._hub.publish_update(thread_id, StateUpdated(turn=turn, state=state))

    async def _look_again(self, store: RelayStore) -> None:
        """The net below the signals, and the end of what nobody reads any more."""
        clock = asyncio.get_running_loop().time
        asked_at = clock()
        while True:
            await asyncio.sleep(_NET_SECONDS)
            self._drop_unread()
            await self._guarded(self._look_for_ends(store))
            is_time = clock() - asked_at > _AGAIN_SECONDS
            if is_time:
                asked_at = clock()
            await self._guarded(self._keep_watching(store, everything=is_time))

    async def _look_for_ends(self, store: RelayStore) -> None:
        """What ended without a word: its process died in that moment. Events are looked for only where nothing is
        heard of them."""
        if not self._broker.spans_processes:
            self._look_at_all()
            return
        elsewhere = [run_id for run_id in self._runs if not self._herald.is_mine(run_id)]
        for run_id in await store.ends(elsewhere) if elsewhere else ():
            if run_id in self._runs:
                self._look(self._runs[run_id], wants_end=True)

    def _drop_unread(self) -> None:
        for run_id, followed in tuple(self._runs.items()):
            if not self._hub.is_awaited(run_id, followed.thread_id) and followed.looking is None:
                del self._runs[run_id]
        for thread_id in tuple(self._threads):
            if not self._hub.has_readers("", thread_id):
                del self._threads[thread_id]

    async def _keep_watching(self, store: RelayStore, *, everything: bool) -> None:
        for thread_id, is_there in tuple(self._threads.items()):
            if everything or not is_there:
                if everything:
                    self._herald.say_reading("follow", thread_id)
                await self._watch_thread(store, thread_id)
        if everything:
            await store.forget(older_than_seconds=_KEPT_SECONDS)
