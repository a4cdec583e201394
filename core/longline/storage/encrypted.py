"""Any storage behind a cipher. Without one there is nothing of this in the way."""

from typing import TYPE_CHECKING

from longline.models.assistants import AssistantQuery
from longline.models.counts import StorageCounts
from longline.models.runs import Lease
from longline.models.threads import ThreadQuery
from longline.storage.cipher import Cipher, Seal, check_cipher
from longline.storage.encrypted_collections import EncryptedCollections, EncryptedCrons
from longline.storage.encrypted_items import encrypted_items
from longline.storage.encrypted_relay import EncryptedRelay
from longline.storage.encrypted_runs import EncryptedEvents, EncryptedRuns
from longline.storage.encrypted_saver import encrypted_saver
from longline.storage.encrypted_stores import EncryptedAssistants, EncryptedThreads
from longline.storage.protocols import Storage
from longline.storage.retention import StateWrites
from longline.storage.sealed_models import SealedModels

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore


async def behind(cipher: Cipher | None, storage: Storage, *, is_owner_searched: bool) -> Storage:
    """The storage behind the cipher, if there is one, once that has shown that it works: see check_cipher. What was
    stored last must be readable: a server with another key must not write beside it. Raises EncryptionError,
    SettingsError."""
    if cipher is None:
        return storage
    await check_cipher(Seal(cipher), is_owner_searched=is_owner_searched)
    sealed = EncryptedStorage(storage, cipher)
    await sealed.assistants.search(AssistantQuery(limit=1, sort_by="updated_at"))
    await sealed.threads.search(ThreadQuery(limit=1, sort_by="updated_at"))
    return sealed


class EncryptedStorage:
    """See Storage. What the cipher encrypts never reaches the storage in clear. To be made on the event loop."""

    def __init__(self, inner: Storage, cipher: Cipher) -> None:
        self._inner = inner
        self._seal = seal = Seal(cipher)
        models = SealedModels(seal)
        self.capabilities = inner.capabilities
        self.assistants = EncryptedAssistants(inner.assistants, models)
        self.threads = EncryptedThreads(inner.threads, models)
        self.runs = EncryptedRuns(inner.runs, models)
        self.events = EncryptedEvents(inner.events, models)
        self.crons = EncryptedCrons(inner.crons, models)
        self.collections = EncryptedCollections(inner.collections, models)
        self.retention = inner.retention
        self.relay = None if inner.relay is None else EncryptedRelay(inner.relay, models)
        self.facts = inner.facts

    async def checkpointer(self, lease: Lease | None = None) -> "BaseCheckpointSaver[str]":
        """See Storage."""
        inner = await self._inner.checkpointer(lease)
        return encrypted_saver(inner, self._seal)

    async def state_writes(self, thread_id: str) -> StateWrites:
        """See Storage."""
        return _EncryptedStateWrites(await self._inner.state_writes(thread_id), self._seal)

    async def items(self) -> "BaseStore":
        """See Storage."""
        inner = await self._inner.items()
        return encrypted_items(inner, self._seal)

    async def counts(self) -> StorageCounts:
        """See Storage."""
        return await self._inner.counts()

    async def check(self) -> None:
        """See Storage."""
        await self._inner.check()


class _EncryptedStateWrites:
    """See StateWrites."""

    def __init__(self, inner: StateWrites, seal: Seal) -> None:
        self._inner = inner
        self.saver = encrypted_saver(inner.saver, seal)

    async def commit(self) -> None:
        """See StateWrites."""
        await self._inner.commit()
