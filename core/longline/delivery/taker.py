"""Takes up what is due in a collection, for ever: a few at once, each in its own time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from longline.errors import StorageError, VersionConflictError
from longline.models.collections import Document
from longline.services.collections import Documents

_LEASE_MARGIN_SECONDS: Final = 20.0


class Taker:
    """Does `work` on each document that is due, in one process of all. `noun` says in the log what a document is. What
    it had in hand when it was cancelled is due again: after its lease, or at the next start."""

    def __init__(
        self,
        documents: Documents,
        work: Callable[[Document], Awaitable[None]],
        *,
        noun: str,
        logger: logging.Logger,
        work_seconds: float,
        concurrency: int,
        poll_seconds: float,
    ) -> None:
        self._documents = documents
        self._work = work
        self._noun = noun
        self._logger = logger
        self._lease_seconds = work_seconds + _LEASE_MARGIN_SECONDS
        self._poll_seconds = poll_seconds
        self._room = asyncio.Semaphore(concurrency)

    async def run(self) -> None:
        """Take for ever. Work that has begun goes on while the storage is away."""
        is_away = False
        async with asyncio.TaskGroup() as group:
            while True:
                room = await self._enter()
                taken: Sequence[Document] = ()
                try:
                    taken = await self._take(room)
                    is_away = False
                except StorageError as error:
                    if not is_away:
                        self._logger.error("%ss not readable", self._noun, extra={"reason": error.reason})  # noqa: TRY400  # the storage's fault, said once
                    is_away = True
                    await asyncio.sleep(self._poll_seconds)
                for document in taken:
                    group.create_task(self._do(document), name=f"{self._noun}-{document.key}")
                for _ in range(room - len(taken)):
                    self._room.release()

    async def _enter(self) -> int:
        """Wait for room for one document and take all there is; for how many."""
        await self._room.acquire()
        room = 1
        while not self._room.locked():
            await self._room.acquire()
            room += 1
        return room

    async def _take(self, limit: int) -> Sequence[Document]:
        """What is due; nothing after a wait for it."""
        taken = await self._documents.take_due(lease_seconds=self._lease_seconds, limit=limit)
        if not taken:
            await self._documents.wait_due(self._poll_seconds)
        return taken

    async def _do(self, document: Document) -> None:
        """The work, which fails for nothing: what is not stored of it is due again."""
        facts = {"key": document.key, "attempt": document.takes}
        try:
            await self._work(document)
        except VersionConflictError:
            self._logger.warning("%s handled twice", self._noun, extra=facts)
        except StorageError as error:
            self._logger.error("%s state not stored", self._noun, extra={**facts, "reason": error.reason})  # noqa: TRY400  # the storage's fault
        except Exception:  # one that nobody thought of must not take the others with it
            self._logger.exception("%s not handled", self._noun, extra=facts)
        finally:
            self._room.release()
