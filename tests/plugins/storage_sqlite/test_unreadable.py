"""Rows that this version cannot read hold up nobody."""

import sqlite3
from pathlib import Path

import pytest

from longline.errors import NotFoundError
from longline.models.runs import RunStatus
from longline.models.threads import ThreadStatus
from longline.storage.protocols import Storage
from longline.storage.queue import UnreadableRun
from longline.testing.storage_samples import claim_by, put, sample_run

pytestmark = pytest.mark.anyio


def rewrite(path: Path, sql: str, *values: str) -> None:
    with sqlite3.connect(path) as other:
        other.execute(sql, values)
    other.close()


def cell(path: Path, sql: str, *values: str) -> str:
    with sqlite3.connect(path) as other:
        found: str = other.execute(sql, values).fetchone()[0]
    other.close()
    return found


async def test_a_spec_with_fields_of_a_later_version_is_read_without_them(
    storage: Storage, database_file: Path
) -> None:
    run = await put(storage, sample_run())
    rewrite(database_file, "UPDATE runs SET spec = json_set(spec, '$.of_a_later_version', 1)")
    (claimed,) = await storage.runs.claim(claim_by("w"), limit=1)
    assert claimed.spec == run.spec


async def test_an_unreadable_run_ends_with_an_error_and_the_next_one_is_claimed_in_its_place(
    storage: Storage, database_file: Path
) -> None:
    broken = await put(storage, sample_run())
    follower = await put(storage, sample_run(broken.thread_id))
    other = await put(storage, sample_run())
    rewrite(database_file, "UPDATE runs SET spec = '[]' WHERE run_id = ?", broken.run_id)
    told: list[UnreadableRun] = []
    claimed = await storage.runs.claim(claim_by("w"), limit=2, on_unreadable=told.append)
    (unreadable,) = told
    assert (unreadable.run_id, unreadable.turn, unreadable.is_thread_gone) == (broken.run_id, 1, False)
    assert unreadable.failure.error == "UnreadableRunError"
    assert [run.run_id for run in claimed] == [follower.run_id, other.run_id]
    ended = "SELECT status || ' ' || failure FROM runs WHERE run_id = ?"
    assert cell(database_file, ended, broken.run_id).startswith(f'{RunStatus.ERROR} {{"error":"UnreadableRunError"')
    assert await storage.runs.claim(claim_by("w"), limit=1) == []


async def test_a_thread_shows_that_its_last_run_could_not_be_read(storage: Storage, database_file: Path) -> None:
    broken = await put(storage, sample_run())
    rewrite(database_file, "UPDATE runs SET spec = '[]'")
    assert await storage.runs.claim(claim_by("w"), limit=1) == []
    thread = await storage.threads.get(broken.thread_id)
    assert thread.status is ThreadStatus.ERROR
    assert thread.error is not None
    assert thread.error.error == "UnreadableRunError"


async def test_an_unreadable_run_takes_its_temporary_thread_along(storage: Storage, database_file: Path) -> None:
    broken = await put(storage, sample_run())
    waiting = await put(storage, sample_run(broken.thread_id))
    rewrite(database_file, "UPDATE runs SET spec = '[]', temporary = 1 WHERE run_id = ?", broken.run_id)
    told: list[UnreadableRun] = []
    assert await storage.runs.claim(claim_by("w"), limit=1, on_unreadable=told.append) == []
    assert [(run.run_id, run.is_thread_gone, list(run.others_gone)) for run in told] == [
        (broken.run_id, True, [waiting.run_id])
    ]
    with pytest.raises(NotFoundError):
        await storage.threads.get(broken.thread_id)
