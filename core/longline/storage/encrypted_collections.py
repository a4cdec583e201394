"""Crons and what plugins keep behind a cipher."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from longline.errors import EncryptionError
from longline.models.collections import Count, Document, DocumentQuery, LogEntry, NewDocument
from longline.models.crons import Cron, CronQuery
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline.models.runs import Claim
from longline.storage.cipher import Place
from longline.storage.collections import CollectionStore
from longline.storage.crons import CronRevision, CronStore
from longline.storage.sealed_models import SealedModels, page

logger = logging.getLogger(__name__)

_MOST_FAILED: Final = 10_000  # documents that could not be decrypted, which are remembered


class EncryptedCrons:
    """See CronStore."""

    def __init__(self, inner: CronStore, models: SealedModels) -> None:
        self._inner = inner
        self._models = models

    async def create(self, cron: Cron) -> Cron:
        """See CronStore."""
        return await self._models.open_cron(await self._inner.create(await self._models.close_cron(cron)))

    async def get(self, cron_id: str, *, visible: Filter = EVERYTHING) -> Cron:
        """See CronStore."""
        return await self._models.open_cron(await self._inner.get(cron_id, visible=visible))

    async def search(self, query: CronQuery) -> Page[Cron]:
        """See CronStore."""
        return await page(await self._inner.search(query), self._models.open_cron)

    async def update(self, cron_id: str, revise: CronRevision, *, at: datetime, visible: Filter = EVERYTHING) -> Cron:
        """See CronStore."""
        models = self._models

        def revise_closed(cron: Cron) -> Cron:
            revised = revise(models.seal.from_thread(models.open_cron(cron)))
            return models.seal.from_thread(models.close_cron(revised))

        return await models.open_cron(await self._inner.update(cron_id, revise_closed, at=at, visible=visible))

    async def delete(self, cron_id: str, *, visible: Filter = EVERYTHING) -> None:
        """See CronStore."""
        await self._inner.delete(cron_id, visible=visible)

    async def take_due(self, claim: Claim, *, limit: int) -> Sequence[Cron]:
        """See CronStore. One that cannot be decrypted is held, and tried again later."""
        taken = []
        for cron in await self._inner.take_due(claim, limit=limit):
            try:
                taken.append(await self._models.open_cron(cron))
            except EncryptionError as error:
                logger.warning("cron not decrypted", extra={"cron_id": cron.cron_id, "reason": error.reason})
        return taken

    async def advance(self, cron_id: str, tick: datetime, next_tick: datetime | None) -> bool:
        """See CronStore."""
        return await self._inner.advance(cron_id, tick, next_tick)

    async def next_due(self) -> datetime | None:
        """See CronStore."""
        return await self._inner.next_due()


class EncryptedCollections:
    """See CollectionStore."""

    def __init__(self, inner: CollectionStore, models: SealedModels) -> None:
        self._inner = inner
        self._models = models
        self._failed: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    async def put(self, new: NewDocument, *, expected: int | None = None) -> Document:
        """See CollectionStore."""
        stored = await self._inner.put(await self._models.close_document(new), expected=expected)
        return replace(stored, value=new.value)

    async def get(self, collection: str, owner: str, key: str) -> Document:
        """See CollectionStore."""
        return await self._models.open_document(await self._inner.get(collection, owner, key))

    async def search(self, query: DocumentQuery) -> Page[Document]:
        """See CollectionStore."""
        return await page(await self._inner.search(query), self._models.open_document)

    async def delete(self, collection: str, owner: str, key: str, *, expected: int | None = None) -> bool:
        """See CollectionStore."""
        return await self._inner.delete(collection, owner, key, expected=expected)

    async def take_due(self, collection: str, *, holder: str, lease_seconds: float, limit: int) -> Sequence[Document]:
        """See CollectionStore. One that cannot be decrypted is held, and tried again later; that does not count as
        taken up, as far as this process knows."""
        taken = []
        found = await self._inner.take_due(collection, holder=holder, lease_seconds=lease_seconds, limit=limit)
        for document in found:
            name = (collection, document.owner, document.key)
            try:
                opened = await self._models.open_document(document)
            except EncryptionError as error:
                self._count_failure(name)
                logger.warning("document not decrypted", extra={"collection": collection, "reason": error.reason})
            else:
                taken.append(replace(opened, takes=max(1, opened.takes - self._failed.get(name, 0))))
        return taken

    def _count_failure(self, name: tuple[str, str, str]) -> None:
        self._failed[name] = self._failed.get(name, 0) + 1
        self._failed.move_to_end(name)
        if len(self._failed) > _MOST_FAILED:
            self._failed.popitem(last=False)

    async def next_due(self, collection: str) -> datetime | None:
        """See CollectionStore."""
        return await self._inner.next_due(collection)

    async def append(
        self,
        collection: str,
        owner: str,
        log: str,
        values: Sequence[JsonObject],
        *,
        expires_at: datetime | None = None,
    ) -> Sequence[LogEntry]:
        """See CollectionStore."""
        place = Place("collection", collection)
        closed = [await self._models.seal.close(place, value) for value in values]
        entries = await self._inner.append(collection, owner, log, closed, expires_at=expires_at)
        return [replace(entry, value=value) for entry, value in zip(entries, values, strict=True)]

    async def read(self, collection: str, owner: str, log: str, *, after: int = 0, limit: int) -> Sequence[LogEntry]:
        """See CollectionStore."""
        found = await self._inner.read(collection, owner, log, after=after, limit=limit)
        return [await self._models.open_log_entry(collection, entry) for entry in found]

    async def delete_log(self, collection: str, owner: str, log: str) -> bool:
        """See CollectionStore."""
        return await self._inner.delete_log(collection, owner, log)

    async def add(self, collection: str, owner: str, key: str, amount: int = 1, *, window_seconds: float) -> Count:
        """See CollectionStore."""
        return await self._inner.add(collection, owner, key, amount, window_seconds=window_seconds)

    async def delete_expired(self, *, limit: int) -> int:
        """See CollectionStore."""
        return await self._inner.delete_expired(limit=limit)
