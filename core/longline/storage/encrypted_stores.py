"""Assistants and threads behind a cipher: what goes in is encrypted, what comes out is decrypted."""

from collections.abc import Sequence
from datetime import datetime

from longline.models.assistants import Assistant, AssistantChange, AssistantQuery
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline.models.threads import NewThread, Thread, ThreadQuery, ThreadState, ThreadTtl
from longline.storage.protocols import AssistantStore, ThreadStore
from longline.storage.sealed_models import SealedModels, each, page


class EncryptedAssistants:
    """See AssistantStore."""

    def __init__(self, inner: AssistantStore, models: SealedModels) -> None:
        self._inner = inner
        self._models = models

    async def create(self, assistant: Assistant) -> Assistant:
        """See AssistantStore."""
        created = await self._inner.create(await self._models.close_assistant(assistant))
        return await self._models.open_assistant(created)

    async def get(self, assistant_id: str, *, visible: Filter = EVERYTHING) -> Assistant:
        """See AssistantStore."""
        return await self._models.open_assistant(await self._inner.get(assistant_id, visible=visible))

    async def search(self, query: AssistantQuery) -> Page[Assistant]:
        """See AssistantStore."""
        return await page(await self._inner.search(query), self._models.open_assistant)

    async def update(
        self, assistant_id: str, change: AssistantChange, *, at: datetime, visible: Filter = EVERYTHING
    ) -> Assistant:
        """See AssistantStore."""
        closed = await self._models.close_change(change)
        return await self._models.open_assistant(await self._inner.update(assistant_id, closed, at=at, visible=visible))

    async def delete(self, assistant_id: str, *, visible: Filter = EVERYTHING) -> None:
        """See AssistantStore."""
        await self._inner.delete(assistant_id, visible=visible)

    async def versions(
        self,
        assistant_id: str,
        *,
        metadata: Filter = EVERYTHING,
        limit: int = 10,
        offset: int = 0,
        visible: Filter = EVERYTHING,
    ) -> Sequence[Assistant]:
        """See AssistantStore."""
        found = await self._inner.versions(assistant_id, metadata=metadata, limit=limit, offset=offset, visible=visible)
        return await each(found, self._models.open_assistant)

    async def set_latest(
        self, assistant_id: str, version: int, *, at: datetime, visible: Filter = EVERYTHING
    ) -> Assistant:
        """See AssistantStore."""
        latest = await self._inner.set_latest(assistant_id, version, at=at, visible=visible)
        return await self._models.open_assistant(latest)


class EncryptedThreads:
    """See ThreadStore."""

    def __init__(self, inner: ThreadStore, models: SealedModels) -> None:
        self._inner = inner
        self._models = models

    async def create(self, thread: NewThread) -> Thread:
        """See ThreadStore."""
        return await self._models.open_thread(await self._inner.create(await self._models.close_new_thread(thread)))

    async def get(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Thread:
        """See ThreadStore."""
        return await self._models.open_thread(await self._inner.get(thread_id, visible=visible))

    async def search(self, query: ThreadQuery) -> Page[Thread]:
        """See ThreadStore."""
        return await page(await self._inner.search(query), self._models.open_thread)

    async def update(
        self,
        thread_id: str,
        *,
        metadata: JsonObject,
        at: datetime,
        ttl: ThreadTtl | None = None,
        visible: Filter = EVERYTHING,
    ) -> Thread:
        """See ThreadStore."""
        closed = await self._models.close_metadata("thread", metadata)
        updated = await self._inner.update(thread_id, metadata=closed, at=at, ttl=ttl, visible=visible)
        return await self._models.open_thread(updated)

    async def set_state(self, thread_id: str, state: ThreadState, *, at: datetime) -> int:
        """See ThreadStore."""
        return await self._inner.set_state(thread_id, await self._models.close_state(state), at=at)

    async def copy(self, thread_id: str, new_thread_id: str, *, at: datetime, visible: Filter = EVERYTHING) -> Thread:
        """See ThreadStore."""
        return await self._models.open_thread(await self._inner.copy(thread_id, new_thread_id, at=at, visible=visible))

    async def delete(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Sequence[str]:
        """See ThreadStore."""
        return await self._inner.delete(thread_id, visible=visible)
