"""The row of a run holds its caller's token until the run ends."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from longline.models.runs import CancelRequest
from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin, claim_by, ended, moment, put
from longline.testing.storage_tokens import SEALED, with_token

pytestmark = pytest.mark.anyio


def tokens(file: Path) -> dict[str, str | None]:
    """What stands in the rows of runs, by status."""
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT status, token FROM runs").fetchall())


async def test_the_token_goes_with_the_end_and_with_no_change_before(storage: Storage, database_file: Path) -> None:
    run = await begin(storage, with_token())
    assert tokens(database_file) == {"running": SEALED}
    await storage.runs.release(run.lease)
    assert tokens(database_file) == {"pending": SEALED}
    await storage.runs.cancel([run.run_id], CancelRequest(action="interrupt", reason="asked"), at=moment(1))
    assert tokens(database_file) == {"interrupted": None}
    done = await begin(storage, with_token())
    await storage.runs.finish(done.lease, ended(), at=moment(2))
    assert tokens(database_file) == {"interrupted": None, "success": None}


async def test_a_run_that_ends_because_its_row_cannot_be_read_keeps_no_token(
    storage: Storage, database_file: Path
) -> None:
    run = await put(storage, with_token())
    with closing(sqlite3.connect(database_file)) as connection:
        connection.execute("UPDATE runs SET spec = 'not JSON' WHERE run_id = ?", (run.run_id,))
        connection.commit()
    assert await storage.runs.claim(claim_by(), limit=9) == []
    assert tokens(database_file) == {"error": None}


async def test_a_thread_that_is_deleted_takes_the_tokens_of_its_runs_along(
    storage: Storage, database_file: Path
) -> None:
    run = await put(storage, with_token())
    await storage.threads.delete(run.thread_id)
    assert tokens(database_file) == {}
