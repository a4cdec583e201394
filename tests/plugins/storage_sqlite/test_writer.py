"""The writer thread: groups, failures beside successes, commits that fail, and an orderly end."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from longline.errors import NotFoundError, StorageError
from longline_storage_sqlite.connections import open_writer
from longline_storage_sqlite.writer import Writer

Work = Callable[[sqlite3.Connection], int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
def connection(path: Path) -> sqlite3.Connection:
    connection = open_writer(path, busy_timeout_seconds=0.1)
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
    return connection


@pytest.fixture
def writer(connection: sqlite3.Connection, path: Path) -> Iterator[Writer]:
    writer = Writer(connection, path, most_waiting=50)
    yield writer
    writer.close()


def insert(number: int, size: int = 0) -> Work:
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?, zeroblob(?))", (number, size))
        return number

    return work


def fail_after_insert(number: int) -> Work:
    def work(connection: sqlite3.Connection) -> int:
        insert(number)(connection)
        raise NotFoundError("thread", number)

    return work


def stored(path: Path) -> list[int]:
    with sqlite3.connect(path) as reading:
        rows = reading.execute("SELECT n FROM t ORDER BY n").fetchall()
    reading.close()
    return [row[0] for row in rows]


@contextmanager
def held_back(writer: Writer) -> Iterator[None]:
    """Whatever is asked for inside waits, and then makes one group."""
    started, go_on = threading.Event(), threading.Event()

    def wait(connection: sqlite3.Connection) -> None:
        started.set()
        assert go_on.wait(20)

    blocking = threading.Thread(target=writer.run_blocking, args=(wait,), kwargs={"timeout_seconds": 30})
    blocking.start()
    assert started.wait(20)
    try:
        yield
    finally:
        go_on.set()
        blocking.join()


async def gather_as_a_group(writer: Writer, *works: Work) -> list[int | BaseException]:
    with held_back(writer):
        tasks = [asyncio.create_task(writer.run(work)) for work in works]
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.anyio
async def test_work_that_fails_takes_back_itself_and_not_its_neighbours(writer: Writer, path: Path) -> None:
    results = await gather_as_a_group(writer, insert(1), fail_after_insert(2), insert(3), insert(1), insert(4))
    assert [type(result).__name__ for result in results] == ["int", "NotFoundError", "int", "StorageError", "int"]
    assert stored(path) == [1, 3, 4]


@pytest.mark.anyio
async def test_work_that_fails_alone_leaves_nothing(writer: Writer, path: Path) -> None:
    with pytest.raises(NotFoundError):
        await writer.run(fail_after_insert(1))
    assert await writer.run(insert(2)) == 2
    assert stored(path) == [2]


@pytest.mark.anyio
async def test_a_group_is_one_transaction(connection: sqlite3.Connection, writer: Writer) -> None:
    statements: list[str] = []
    with held_back(writer):
        connection.set_trace_callback(statements.append)
        tasks = [asyncio.create_task(writer.run(insert(number))) for number in range(10)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    begun = [statement for statement in statements if statement.startswith(("BEGIN", "COMMIT"))]
    assert begun == ["COMMIT", "BEGIN IMMEDIATE", "COMMIT"]  # the first is of the work that held the others back


@pytest.mark.anyio
async def test_when_the_commit_fails_every_work_of_the_group_fails_and_later_ones_are_done(
    connection: sqlite3.Connection, writer: Writer, path: Path
) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TABLE child (n INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED)")

    def orphan(connection: sqlite3.Connection) -> int:
        return connection.execute("INSERT INTO child VALUES (99)").rowcount

    results = await gather_as_a_group(writer, insert(1), orphan, insert(2), fail_after_insert(3))
    assert [type(result).__name__ for result in results] == ["StorageError"] * 3 + ["NotFoundError"]
    with pytest.raises(StorageError, match="FOREIGN KEY"):
        await writer.run(orphan)
    assert stored(path) == []
    assert await writer.run(insert(5)) == 5
    assert stored(path) == [5]


@pytest.mark.anyio
async def test_on_a_full_disk_what_was_told_as_done_is_there_and_nothing_else(
    connection: sqlite3.Connection, writer: Writer, path: Path
) -> None:
    connection.execute("PRAGMA max_page_count = 10")
    results = await gather_as_a_group(writer, insert(1), insert(2, size=100_000), insert(3))
    assert isinstance(results[1], StorageError)
    assert "the disk is full" in str(results[1])
    assert stored(path) == [result for result in results if isinstance(result, int)]
    with pytest.raises(StorageError, match="the disk is full"):
        await writer.run(insert(4, size=100_000))
    assert await writer.run(insert(5)) == 5


@pytest.mark.anyio
async def test_a_file_that_another_program_has_locked_is_an_error_that_passes(writer: Writer, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="another program has it locked") as caught:
        await writer.run(insert(1))
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    other.execute("ROLLBACK")
    other.close()
    assert await writer.run(insert(1)) == 1


@pytest.mark.anyio
async def test_cancelled_callers_lose_the_result_only(writer: Writer, path: Path) -> None:
    with held_back(writer):
        tasks = [asyncio.create_task(writer.run(insert(number))) for number in range(6)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 3
    assert stored(path) == list(range(6))


@pytest.mark.anyio
async def test_a_writer_with_too_much_waiting_refuses_more_and_recovers(writer: Writer, path: Path) -> None:
    with held_back(writer):
        tasks = [asyncio.create_task(writer.run(insert(number))) for number in range(50)]
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="50 pieces of work are waiting already"):
            await writer.run(insert(99))
    await asyncio.gather(*tasks)
    assert await writer.run(insert(100)) == 100
    assert stored(path) == [*range(50), 100]


@pytest.mark.anyio
async def test_closing_finishes_what_waits_and_refuses_what_comes_later(writer: Writer, path: Path) -> None:
    with held_back(writer):
        tasks = [asyncio.create_task(writer.run(insert(number))) for number in range(5)]
        await asyncio.sleep(0)
        closing = threading.Thread(target=writer.close)
        closing.start()
    await asyncio.gather(*tasks)
    closing.join(20)
    with pytest.raises(StorageError, match="the storage is closed"):
        await writer.run(insert(9))
    with pytest.raises(StorageError, match="the storage is closed"):
        writer.run_blocking(insert(9), timeout_seconds=1)
    assert stored(path) == list(range(5))


@pytest.mark.anyio
async def test_a_thread_that_waits_too_long_is_told_so(writer: Writer) -> None:
    with held_back(writer), pytest.raises(StorageError, match=r"did not get to this within 0\.01 seconds"):
        writer.run_blocking(insert(1), timeout_seconds=0.01)


def test_a_loop_that_is_gone_does_not_stop_the_writer(writer: Writer, path: Path) -> None:
    async def leave() -> None:
        task = asyncio.create_task(writer.run(insert(1)))
        await asyncio.sleep(0)
        task.cancel()

    with held_back(writer):
        asyncio.run(leave())
    assert writer.run_blocking(insert(2), timeout_seconds=20) == 2
    assert stored(path) == [1, 2]


@pytest.mark.anyio
async def test_a_rollback_that_fails_is_made_up_for_before_the_next_work(
    connection: sqlite3.Connection, writer: Writer, path: Path
) -> None:
    def no_rollback(action: int, name: str | None, *_: str | None) -> int:
        denied = action == sqlite3.SQLITE_TRANSACTION and name == "ROLLBACK"
        return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

    connection.set_authorizer(no_rollback)
    async with asyncio.timeout(20):
        with pytest.raises(NotFoundError):
            await writer.run(fail_after_insert(1))
        with pytest.raises(StorageError, match="not authorized"):
            await writer.run(insert(2))
        connection.set_authorizer(None)
        assert await writer.run(insert(3)) == 3
    assert stored(path) == [3]


@pytest.mark.anyio
async def test_the_writer_survives_whatever_work_raises(writer: Writer, path: Path) -> None:
    def leave(connection: sqlite3.Connection) -> int:
        insert(1)(connection)
        raise SystemExit("gone")

    async with asyncio.timeout(20):
        with pytest.raises(StorageError, match="SystemExit: gone"):
            await writer.run(leave)
        assert await writer.run(insert(2)) == 2
    assert stored(path) == [2]
