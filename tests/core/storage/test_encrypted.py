"""A storage behind a cipher keeps every promise of a storage."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from langgraph_sdk import Encryption, EncryptionContext
from tests.core.storage.handlers import aes, new_encryption

from longline.defaults.encryption import SdkCipher
from longline.models.collections import NewDocument
from longline.models.runs import Run, RunStatus
from longline.models.threads import ThreadState, ThreadStatus
from longline.storage.cipher import Seal
from longline.storage.encrypted import EncryptedStorage
from longline.storage.encrypted_collections import EncryptedCollections
from longline.storage.protocols import Storage
from longline.storage.queue import UnreadableRun
from longline.storage.sealed_models import SealedModels
from longline.testing.storage_assistants import AssistantStoreContract
from longline.testing.storage_checkpoints import CheckpointContract
from longline.testing.storage_collections import CollectionContract
from longline.testing.storage_counts import CountsContract
from longline.testing.storage_crons import CronSearchContract, CronStoreContract
from longline.testing.storage_events import EventLogContract
from longline.testing.storage_filters import FilterContract
from longline.testing.storage_items import ItemsContract
from longline.testing.storage_queue import RunQueueContract
from longline.testing.storage_records import RunRecordContract
from longline.testing.storage_retention import RetentionContract
from longline.testing.storage_samples import OVER, Displacing, claim_by, moment, put, sample_run, sample_thread
from longline.testing.storage_state_writes import StateWritesContract
from longline.testing.storage_threads import ThreadSearchContract, ThreadStoreContract
from longline.testing.storage_ticks import CronTickContract
from longline.testing.storage_turns import TurnContract
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


def _only_blobs() -> Encryption:
    """Handlers that leave JSON as it is, so that all of it can be searched."""
    encryption, real = new_encryption(), aes(os.urandom(32))
    assert real._blob_encryptor is not None
    assert real._blob_decryptor is not None
    encryption.encrypt.blob(real._blob_encryptor)
    encryption.decrypt.blob(real._blob_decryptor)

    @encryption.encrypt.json
    async def encrypt_json(ctx: EncryptionContext, data: dict[str, object]) -> dict[str, object]:
        return dict(data)

    @encryption.decrypt.json
    async def decrypt_json(ctx: EncryptionContext, data: dict[str, object]) -> dict[str, object]:
        return dict(data)

    return encryption


@pytest.fixture
def encryption() -> Encryption:
    return aes(os.urandom(32))


@pytest.fixture
async def storage(anyio_backend: str, tmp_path: Path, encryption: Encryption) -> AsyncIterator[Storage]:
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/sealed.db") as opened:
        yield EncryptedStorage(opened, SdkCipher(encryption))


@pytest.mark.anyio
async def test_a_run_of_another_key_is_tried_again_and_then_ends(anyio_backend: str, tmp_path: Path) -> None:
    told: list[UnreadableRun] = []
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/keys.db") as plain:
        mine, others = (EncryptedStorage(plain, SdkCipher(aes(os.urandom(32)))) for _ in range(2))
        run = await put(mine, sample_run())
        for attempt in range(1, 201):
            assert await others.runs.claim(claim_by(lease_seconds=OVER), limit=9, on_unreadable=told.append) == []
            stored = await plain.runs.get(run.thread_id, run.run_id)
            assert stored.attempt == attempt
            assert stored.status == (RunStatus.RUNNING if attempt < 200 else RunStatus.ERROR)
        assert [(one.run_id, one.failure.error) for one in told] == [(run.run_id, "EncryptionError")]
        assert await others.runs.claim(claim_by(), limit=9) == []


@pytest.mark.anyio
async def test_what_could_not_be_decrypted_for_a_while_does_not_count_as_an_attempt_that_died(
    anyio_backend: str, tmp_path: Path
) -> None:
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/keys.db") as plain:
        mine, others = (EncryptedStorage(plain, SdkCipher(aes(os.urandom(32)))) for _ in range(2))
        run = await put(mine, sample_run())
        for _ in range(20):
            assert await others.runs.claim(claim_by(lease_seconds=OVER), limit=9) == []
        (claimed,) = await mine.runs.claim(claim_by(), limit=9)
        assert (claimed.run_id, claimed.spec) == (run.run_id, run.spec)
        assert claimed.attempt - 1 - claimed.released <= 1


@pytest.mark.anyio
async def test_a_run_that_cannot_be_decrypted_is_left_alone_for_a_lease_and_others_go_on(
    anyio_backend: str, tmp_path: Path
) -> None:
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/keys.db") as plain:
        mine, others = (EncryptedStorage(plain, SdkCipher(aes(os.urandom(32)))) for _ in range(2))
        run = await put(mine, sample_run())
        readable = await put(others, sample_run())
        assert await others.runs.claim(claim_by(), limit=1) == []
        (claimed,) = await others.runs.claim(claim_by(), limit=1)
        assert claimed.run_id == readable.run_id
        assert await others.runs.claim(claim_by(), limit=1) == []
        assert (await plain.runs.get(run.thread_id, run.run_id)).attempt == 1


@pytest.mark.anyio
async def test_work_that_could_not_be_decrypted_for_a_while_was_not_taken_up(
    anyio_backend: str, tmp_path: Path
) -> None:
    right, wrong = (SdkCipher(aes(os.urandom(32))) for _ in range(2))
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/keys.db") as plain:
        seal = Seal(right)
        store = EncryptedCollections(plain.collections, SealedModels(seal))
        await store.put(NewDocument(collection="tests.due", owner="", key="k", value={"n": 1}, due_at=moment()))

        async def take() -> list[tuple[object, int]]:
            taken = await store.take_due("tests.due", holder="w", lease_seconds=OVER, limit=9)
            return [(one.value, one.takes) for one in taken]

        seal._cipher = wrong
        assert [await take() for _ in range(20)] == [[]] * 20
        seal._cipher = right
        assert [await take(), await take()] == [[({"n": 1}, 1)], [({"n": 1}, 2)]]


@pytest.mark.anyio
async def test_a_run_that_is_displaced_is_recorded_as_it_was(storage: Storage) -> None:
    seen: list[Run] = []

    def record(run: Run) -> list[NewDocument]:
        seen.append(run)
        return [NewDocument(collection="tests.ends", owner="", key=run.run_id, value={"input": run.spec.input})]

    first = await put(storage, sample_run())
    await storage.runs.enqueue(sample_run(first.thread_id), admit=Displacing("interrupt"), record=record)
    assert [(run.spec, run.metadata) for run in seen] == [(first.spec, first.metadata)]
    assert (await storage.collections.get("tests.ends", "", first.run_id)).value == {"input": first.spec.input}


class TestAssistants(AssistantStoreContract):
    @pytest.fixture
    def encryption(self) -> Encryption:
        return _only_blobs()


class TestThreads(ThreadStoreContract):
    async def test_set_state_stores_the_bytes_as_they_are(self, storage: Storage) -> None:
        """The values, not their spelling: they go through the handlers as objects."""
        made = await storage.threads.create(sample_thread())
        for given, read in ((b'{ "spaced" : "\xc3\xa9" }', b'{"spaced":"\xc3\xa9"}'), (b"[1, null]", b"[1,null]")):
            state = ThreadState(status=ThreadStatus.IDLE, values=given, interrupts=b"{}")
            await storage.threads.set_state(made.thread_id, state, at=moment(5))
            found = await storage.threads.get(made.thread_id)
            assert (found.values, found.interrupts) == (read, b"{}")


class TestThreadSearch(ThreadSearchContract):
    @pytest.fixture
    def encryption(self) -> Encryption:
        return _only_blobs()


class TestFilters(FilterContract):
    @pytest.fixture
    def encryption(self) -> Encryption:
        return _only_blobs()


class TestRunQueue(RunQueueContract):
    pass


class TestEventLog(EventLogContract):
    pass


class TestCheckpoints(CheckpointContract):
    pass


class TestItems(ItemsContract):
    @pytest.fixture
    def encryption(self) -> Encryption:
        return _only_blobs()


class TestCounts(CountsContract):
    pass


class TestCrons(CronStoreContract):
    pass


class TestCronSearch(CronSearchContract):
    @pytest.fixture
    def encryption(self) -> Encryption:
        return _only_blobs()


class TestCronTicks(CronTickContract):
    pass


class TestCollections(CollectionContract):
    @pytest.fixture
    def encryption(self) -> Encryption:
        return _only_blobs()


class TestRecords(RunRecordContract):
    pass


class TestRetention(RetentionContract):
    pass


class TestStateWrites(StateWritesContract):
    pass


class TestTurns(TurnContract):
    pass
