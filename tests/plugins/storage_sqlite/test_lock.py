"""One file, one owner: seen from a second real process."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import pytest

from longline.errors import StorageInUseError
from longline.storage.protocols import Storage
from longline.testing.storage_samples import claim_by

Reopen = Callable[[], AbstractAsyncContextManager[Storage]]

_OWNER = textwrap.dedent(
    """
    import asyncio, sys
    from longline_storage_sqlite.settings import SqliteSettings
    from longline_storage_sqlite.storage import sqlite_backend
    from longline.testing.storage_samples import batch_of, begin, put, sample_run

    async def main():
        async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{sys.argv[1]}") as storage:
            run = await begin(storage, sample_run("thread", run_id="left"))
            await storage.events.append([batch_of(run.lease, b"1", b"2")])
            print("open", flush=True)
            await asyncio.to_thread(sys.stdin.read)

    asyncio.run(main())
    """
)


@contextmanager
def other_process(database_file: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the file open, with a run of it running."""
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(database_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.wait(20)
        process.stdin.close()
        process.stdout.close()


@pytest.mark.anyio
async def test_a_second_process_is_told_who_has_the_file(reopen: Reopen, database_file: Path) -> None:
    with other_process(database_file) as process:
        with pytest.raises(StorageInUseError, match=f"process {process.pid} on ") as caught:
            async with reopen():
                pass
        assert str(database_file) in str(caught.value)
        assert process.poll() is None


@pytest.mark.anyio
async def test_the_file_is_free_when_its_owner_has_ended_in_order(reopen: Reopen, database_file: Path) -> None:
    with other_process(database_file) as process:
        process.communicate(timeout=20)
        async with reopen() as storage:
            await storage.check()


@pytest.mark.anyio
async def test_after_a_kill_the_file_is_free_and_its_run_is_claimed_at_once(
    reopen: Reopen, database_file: Path
) -> None:
    with other_process(database_file) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
        async with reopen() as storage:
            (run,) = await storage.runs.claim(claim_by("worker-2"), limit=9)
            assert (run.run_id, run.attempt) == ("left", 2)
            assert str(await storage.events.last("left")) == "1-2"


@pytest.mark.anyio
async def test_the_same_process_cannot_open_the_file_twice(reopen: Reopen) -> None:
    async with reopen() as storage:
        with pytest.raises(StorageInUseError, match=f"process {os.getpid()} on "):
            async with reopen():
                pass
        await storage.check()
    async with reopen() as storage:
        await storage.check()
