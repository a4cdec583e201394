"""Who writes several rows that nothing else orders locks them by name, in whatever order they were given."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace

import psycopg
import pytest
from langgraph.store.base import GetOp, Op, PutOp
from tests.pools import SECONDS

from longline.models.runs import Finished
from longline.testing.storage_collections import sample_document
from longline.testing.storage_samples import begin, ended, moment
from longline.testing.storage_shared import Reopen

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def meet(url: str, hold: str, acts: Sequence[Coroutine[object, object, object]]) -> None:
    """The acts come to the row `b`, which is locked, one after the other, and go on when it is free."""
    async with (
        asyncio.timeout(SECONDS),
        await psycopg.AsyncConnection.connect(url) as other,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as watcher,
    ):
        assert await (await other.execute(hold)).fetchone() == (1,)
        tasks = []
        for number, act in enumerate(acts, 1):
            tasks.append(asyncio.ensure_future(act))
            while await (await watcher.execute(_WAITING)).fetchone() != (number,):
                assert not tasks[-1].done()
        await other.commit()
        await asyncio.gather(*tasks)


async def deadlocks(url: str) -> int:
    """What the server counted; connections tell when they are closed."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        row = await found.fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.anyio
async def test_ends_with_the_same_records_wait_for_each_other_in_one_order(reopen: Reopen, database_url: str) -> None:
    async with reopen() as storage:
        for key in "ab":
            await storage.collections.put(sample_document(key))
        runs = [await begin(storage) for _ in range(2)]

        def finish(number: int, keys: str) -> Coroutine[object, object, Finished]:
            outcome = replace(ended(), records=tuple(sample_document(key) for key in keys))
            return storage.runs.finish(runs[number].lease, outcome, at=moment(1))

        hold = "SELECT 1 FROM longline.documents WHERE key = 'b' FOR UPDATE"
        await meet(database_url, hold, [finish(0, "ba"), finish(1, "ab")])
    assert await deadlocks(database_url) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("other", ["write", "refresh"])
async def test_batches_of_the_same_items_wait_for_each_other_in_one_order(
    reopen: Reopen, database_url: str, other: str
) -> None:
    async with reopen() as storage:
        items = await storage.items()
        await items.abatch([PutOp(("n",), key, {}, ttl=5) for key in "ab"])
        writes: list[Op] = [PutOp(("n",), "a", {}), PutOp(("n",), "b", None)]
        reads: list[Op] = [GetOp(("n",), key, refresh_ttl=True) for key in "ab"]
        acts = [
            items.abatch([PutOp(("n",), "b", {}), PutOp(("n",), "a", None)]),
            items.abatch(writes if other == "write" else reads),
        ]
        await meet(database_url, "SELECT 1 FROM longline.items WHERE key = 'b' FOR UPDATE", acts)
    assert await deadlocks(database_url) == 0
