"""What is deleted is gone from the bytes of the file, and the file gets smaller."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from longline.models.retention import SweepOrder
from longline.models.threads import NewThread, ThreadTtl
from longline.storage.protocols import Storage
from longline.testing.storage_samples import batch_of, begin, ended, moment, sample_run
from longline_storage_sqlite.connections import open_writer
from longline_storage_sqlite.migrate import run_migrations
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

SECRET = "correct horse battery staple"
LONG = 20_000  # characters: several pages of overflow


def files_that_hold(file: Path, secret: str = SECRET) -> list[str]:
    """The database's files in which the secret can be read."""
    return [path.name for path in sorted(file.parent.glob(file.name + "*")) if secret.encode() in path.read_bytes()]


async def sweep_all(storage: Storage, at: datetime) -> None:
    while not (await storage.retention.sweep(SweepOrder(at=at, streams_before=at))).is_done:
        pass
    await storage.retention.scrub()


async def remember_everywhere(storage: Storage, thread_id: str) -> None:
    """The secret in every kind of row that a thread has."""
    metadata = {"note": SECRET * 100}
    await storage.threads.create(
        NewThread(thread_id=thread_id, metadata=metadata, created_at=moment(), ttl=ThreadTtl(minutes=1))
    )
    run = await begin(storage, sample_run(thread_id, creates_thread=False))
    await storage.events.append([batch_of(run.lease, *[(SECRET * 1000).encode()] * 5)])
    saver = await storage.checkpointer()
    for number in range(10):
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"text": SECRET * (LONG // len(SECRET)), "n": number}
        config = await saver.aput(
            {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}},
            checkpoint,
            {"source": "loop", "step": number, "parents": {}},
            {},
        )
        await saver.aput_writes(config, [("text", SECRET * 50)], "task")
    await storage.runs.finish(run.lease, ended(values=b'{"text":"' + SECRET.encode() * 500 + b'"}'), at=moment(1))


@pytest.mark.anyio
async def test_a_swept_thread_cannot_be_read_in_the_files_any_more(storage: Storage, database_file: Path) -> None:
    await remember_everywhere(storage, "t")
    await storage.retention.scrub()
    assert files_that_hold(database_file) == ["longline.db"]
    await sweep_all(storage, moment(100))
    assert files_that_hold(database_file) == []


@pytest.mark.anyio
async def test_pruned_checkpoints_cannot_be_read_in_the_files_any_more(storage: Storage, database_file: Path) -> None:
    saver = await storage.checkpointer()
    await storage.threads.create(NewThread(thread_id="t", metadata={}, created_at=moment()))
    for text in (SECRET * 1000, "harmless"):
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"text": text}
        config = await saver.aput(
            {"configurable": {"thread_id": "t", "checkpoint_ns": ""}},
            checkpoint,
            {"source": "loop", "step": 1, "parents": {}},
            {},
        )
        await saver.aput_writes(config, [("text", text)], "task")
    assert files_that_hold(database_file)
    await storage.retention.keep_latest("t")
    await storage.retention.scrub()
    assert files_that_hold(database_file) == []


@pytest.mark.anyio
async def test_items_past_their_time_cannot_be_read_in_the_files_any_more(
    storage: Storage, database_file: Path
) -> None:
    items = await storage.items()
    for number in range(20):
        await items.aput(("n", str(number % 3)), f"{number} {SECRET}", {"text": SECRET * 300}, ttl=5)
    await items.aput(("n",), "stays", {"text": "harmless"})
    assert files_that_hold(database_file)
    await sweep_all(storage, datetime.now(UTC) + timedelta(minutes=6))
    assert files_that_hold(database_file) == []
    assert [item.key for item in await items.asearch(("n",))] == ["stays"]


@pytest.mark.anyio
async def test_what_a_caller_deletes_is_gone_after_the_next_sweep(storage: Storage, database_file: Path) -> None:
    await remember_everywhere(storage, "t")
    items = await storage.items()
    await items.aput(("n",), "k", {"text": SECRET})
    await items.aput(("n",), "k", {"text": "harmless"})
    await storage.threads.delete("t")
    await sweep_all(storage, moment(0))
    assert files_that_hold(database_file) == []


@pytest.mark.anyio
async def test_the_file_gets_smaller(storage: Storage, database_file: Path) -> None:
    await storage.retention.scrub()
    small = database_file.stat().st_size
    for number in range(8):
        await remember_everywhere(storage, str(number))
    await storage.retention.scrub()
    assert database_file.stat().st_size > small + 1_000_000
    await sweep_all(storage, moment(100))
    assert database_file.stat().st_size < small + 200_000


def _old_file(path: Path) -> None:
    """A file as it was made before space was given back, with deleted content in its free pages."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = OFF")
        run_migrations(connection, path)
        for number in range(20):
            connection.execute(
                "INSERT INTO assistants VALUES (?, 1, 0, 0)", (f"{number} {SECRET * (LONG // len(SECRET))}",)
            )
        connection.execute("DELETE FROM assistants")
    assert files_that_hold(path)


def auto_vacuum(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute("PRAGMA auto_vacuum").fetchone()[0]
    return found


@pytest.mark.anyio
async def test_a_small_file_of_before_is_rewritten_when_it_is_opened(
    database_file: Path, reopen: Callable[[], AbstractAsyncContextManager[Storage]]
) -> None:
    _old_file(database_file)
    async with reopen() as storage:
        await storage.check()
    assert (auto_vacuum(database_file), files_that_hold(database_file)) == (2, [])


@pytest.mark.anyio
async def test_a_large_file_of_before_is_left_to_the_migrate_command(
    database_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _old_file(database_file)
    monkeypatch.setattr("longline_storage_sqlite.database.SMALL_BYTES", 10_000)
    backend = sqlite_backend(SqliteSettings())
    url = f"sqlite:///{database_file}"
    async with backend.connect(url) as storage:
        await storage.check()
    assert auto_vacuum(database_file) == 0
    assert "database file keeps its size" in caplog.messages
    await backend.migrate(url)
    assert (auto_vacuum(database_file), files_that_hold(database_file)) == (2, [])


def test_a_new_file_gives_space_back(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "new.db", busy_timeout_seconds=1)) as connection:
        connection.execute("CREATE TABLE t (n)")
    assert auto_vacuum(tmp_path / "new.db") == 2
