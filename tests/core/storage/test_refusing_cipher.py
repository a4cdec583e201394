"""Handlers that cannot encrypt one value hold up nobody; handlers that are away lose nothing."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.core.storage.handlers import aes

from longline.defaults.encryption import SdkCipher
from longline.errors import EncryptionError
from longline.models.events import BEGINNING, EventBatch, RunEvent
from longline.models.json import JsonObject
from longline.models.runs import RunOutcome, RunStatus
from longline.models.threads import ThreadState, ThreadStatus
from longline.storage.cipher import Place
from longline.storage.encrypted import EncryptedStorage
from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin, moment, sample_run
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

pytestmark = pytest.mark.anyio

TOO_MUCH = "too much for the key service"


@dataclass
class Refusing:
    """A cipher that refuses some values, or, while it is away, all."""

    inner: SdkCipher
    is_away: bool = False

    async def encrypt_json(self, place: Place, value: JsonObject) -> JsonObject:
        self._look(str(value))
        return await self.inner.encrypt_json(place, value)

    async def decrypt_json(self, place: Place, value: JsonObject) -> JsonObject:
        return await self.inner.decrypt_json(place, value)

    async def encrypt_blob(self, place: Place, data: bytes) -> bytes:
        self._look(data.decode(errors="ignore"))
        return await self.inner.encrypt_blob(place, data)

    async def decrypt_blob(self, place: Place, data: bytes) -> bytes:
        return await self.inner.decrypt_blob(place, data)

    def _look(self, text: str) -> None:
        if self.is_away or TOO_MUCH in text:
            raise ValueError(text)


@pytest.fixture
def cipher() -> Refusing:
    return Refusing(SdkCipher(aes(os.urandom(32))))


@pytest.fixture
async def storage(anyio_backend: str, tmp_path: Path, cipher: Refusing) -> AsyncIterator[Storage]:
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/sealed.db") as opened:
        yield EncryptedStorage(opened, cipher)


async def started(storage: Storage, text: str) -> EventBatch:
    run = await begin(storage, sample_run())
    event = RunEvent(run.run_id, 1, 1, "values", (), text.encode(), turn=run.turn, at_ms=0)
    return EventBatch(lease=run.lease, events=(event,))


async def test_events_that_cannot_be_encrypted_cost_their_run_its_lease_and_others_nothing(storage: Storage) -> None:
    good, bad = await started(storage, "fine"), await started(storage, TOO_MUCH)
    assert await storage.events.append([bad, good]) == {bad.lease.run_id}
    (stored,) = await storage.events.read(good.lease.run_id, after=BEGINNING, limit=9)
    assert stored.data == b"fine"
    assert await storage.events.read(bad.lease.run_id, after=BEGINNING, limit=9) == []


async def test_an_end_that_cannot_be_encrypted_is_stored_as_an_error(storage: Storage) -> None:
    run = await begin(storage, sample_run())
    state = ThreadState(status=ThreadStatus.IDLE, values=f'{{"text": "{TOO_MUCH}"}}'.encode())
    await storage.runs.finish(run.lease, RunOutcome(status=RunStatus.SUCCESS, state=state), at=moment(1))
    found = await storage.runs.get(run.thread_id, run.run_id)
    assert found.status is RunStatus.ERROR
    assert found.failure is not None
    assert found.failure.error == "EncryptionError"
    thread = await storage.threads.get(run.thread_id)
    assert (thread.status, thread.error) == (ThreadStatus.ERROR, found.failure)


async def test_while_the_handlers_are_away_nothing_is_stored_and_nothing_lost(
    storage: Storage, cipher: Refusing
) -> None:
    batch = await started(storage, "fine")
    cipher.is_away = True
    with pytest.raises(EncryptionError):
        await storage.events.append([batch])
    outcome = RunOutcome(
        status=RunStatus.SUCCESS, state=ThreadState(status=ThreadStatus.IDLE, values=b'{"text": "fine"}')
    )
    with pytest.raises(EncryptionError):
        await storage.runs.finish(batch.lease, outcome, at=moment(1))
    cipher.is_away = False
    assert await storage.events.append([batch]) == frozenset()
    await storage.runs.finish(batch.lease, outcome, at=moment(1))
    assert (await storage.runs.get(batch.lease.thread_id, batch.lease.run_id)).status is RunStatus.SUCCESS
