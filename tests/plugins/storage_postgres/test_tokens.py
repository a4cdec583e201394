"""The row of a run holds its caller's token until the run ends."""

import psycopg
import pytest

from longline.models.runs import CancelRequest
from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin, claim_by, ended, moment, put
from longline.testing.storage_tokens import SEALED, with_token

pytestmark = pytest.mark.anyio


def tokens(url: str) -> dict[str, str | None]:
    """What stands in the rows of runs, by status."""
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT status, token FROM longline.runs").fetchall())


async def test_the_token_goes_with_the_end_and_with_no_change_before(storage: Storage, database_url: str) -> None:
    run = await begin(storage, with_token())
    assert tokens(database_url) == {"running": SEALED}
    await storage.runs.release(run.lease)
    assert tokens(database_url) == {"pending": SEALED}
    await storage.runs.cancel([run.run_id], CancelRequest(action="interrupt", reason="asked"), at=moment(1))
    assert tokens(database_url) == {"interrupted": None}
    done = await begin(storage, with_token())
    await storage.runs.finish(done.lease, ended(), at=moment(2))
    assert tokens(database_url) == {"interrupted": None, "success": None}


async def test_a_run_that_ends_because_its_row_cannot_be_read_keeps_no_token(
    storage: Storage, database_url: str
) -> None:
    run = await put(storage, with_token())
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE longline.runs SET spec = 'not JSON' WHERE run_id = %s", (run.run_id,))
    assert await storage.runs.claim(claim_by(), limit=9) == []
    assert tokens(database_url) == {"error": None}


async def test_a_thread_that_is_deleted_takes_the_tokens_of_its_runs_along(storage: Storage, database_url: str) -> None:
    run = await put(storage, with_token())
    await storage.threads.delete(run.thread_id)
    assert tokens(database_url) == {}


@pytest.mark.parametrize("status", ["success", "error", "timeout", "interrupted"])
async def test_what_a_server_of_the_version_before_ends_loses_its_token_too(
    storage: Storage, database_url: str, status: str
) -> None:
    run = await begin(storage, with_token())
    with psycopg.connect(database_url) as before:
        before.execute("UPDATE longline.runs SET status = 'pending' WHERE run_id = %s", (run.run_id,))
    assert tokens(database_url) == {"pending": SEALED}
    with psycopg.connect(database_url) as before:
        before.execute("UPDATE longline.runs SET status = %s WHERE run_id = %s", (status, run.run_id))
    assert tokens(database_url) == {status: None}
