"""What storages do with what is past its time, and how a state update is stored whole."""

from typing import TYPE_CHECKING, Protocol

from longline.models.filters import EVERYTHING, Filter
from longline.models.retention import SweepOrder, Swept

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver


class Retention(Protocol):
    """Things past their time are removed for good: no read gives them any more, and after `scrub` the files of a
    storage that owns its files do not hold them either. A thread with an unfinished run is never touched, and none is
    deleted for its age that an enabled cron comes back to."""

    async def sweep(self, order: SweepOrder) -> Swept:
        """One batch, in short transactions between which others may write. A thread that is due goes with its runs,
        events and checkpoints (`delete`), or keeps its latest checkpoints (`keep_latest`); long histories go piece by
        piece, the thread itself last. Items go whose time is up. Call it again until it says that it is done."""
        ...

    async def keep_latest(self, thread_id: str, *, visible: Filter = EVERYTHING) -> None:
        """Remove all checkpoints of a thread, with their writes, but those of its latest state: the latest of its
        root, of subgraphs with a memory of their own and of those that the state waits for, and what they are rebuilt
        from. Raises NotFoundError, and ThreadBusyError while a run is unfinished."""
        ...

    async def scrub(self) -> None:
        """Give freed space back, and make what was deleted unreadable in the storage's own files. A database server
        does the former by itself, and its log, replicas and backups are its operator's: there it does nothing."""
        ...


class StateWrites(Protocol):
    """The writes of one state update, collected and stored as one."""

    @property
    def saver(self) -> "BaseCheckpointSaver[str]":
        """A saver that reads what is stored, and keeps what is written for `commit`."""
        ...

    async def commit(self) -> None:
        """Store all of it in one transaction, in which the thread has no unfinished run; that is activity: the thread
        has its whole time again. Raises ThreadBusyError or NotFoundError, and then stores nothing."""
        ...
