"""Items whose time runs."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from pathlib import Path

import pytest
from langgraph.store.base import BaseStore
from langgraph.store.sqlite import SqliteStore

from longline.graphs.embedding import ItemOptions
from longline.settings import ItemTtlSettings
from longline.storage.protocols import Storage
from longline_storage_sqlite.langgraph_parts import PartOptions
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

Opened = Callable[..., AbstractAsyncContextManager[Storage]]


@pytest.fixture
def opened(database_file: Path) -> Opened:
    """`opened(ttl=…)`: the storage with those settings."""

    @asynccontextmanager
    async def open_storage(ttl: ItemTtlSettings | None = None) -> AsyncIterator[Storage]:
        options = PartOptions(items=ItemOptions(ttl=ttl))
        async with sqlite_backend(SqliteSettings(), options).connect(f"sqlite:///{database_file}") as storage:
            yield storage

    return open_storage


async def keys(store: BaseStore, **more: object) -> list[str]:
    return [item.key for item in await store.asearch(("n",), **more)]


async def _age(path: Path, minutes: int) -> None:
    """Let time pass: all ends come nearer."""
    work = partial(_move_ends, path, minutes)
    await asyncio.to_thread(work)


def _move_ends(path: Path, minutes: int) -> None:
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        connection.execute(
            "UPDATE store SET expires_at = strftime('%Y-%m-%d %H:%M:%f', expires_at, ?)", (f"-{minutes} minutes",)
        )


@pytest.mark.anyio
async def test_an_item_past_its_time_is_not_shown_even_before_it_is_swept(opened: Opened, database_file: Path) -> None:
    async with opened(ttl=ItemTtlSettings(default_ttl=10, refresh_on_read=False)) as storage:
        store = await storage.items()
        await store.aput(("n",), "default", {})
        await store.aput(("n",), "long", {}, ttl=30)
        await store.aput(("n",), "always", {}, ttl=None)
        await _age(database_file, 11)
        assert await store.aget(("n",), "default") is None
        assert sorted(await keys(store)) == ["always", "long"]
        await store.aput(("m",), "default", {}, ttl=1)
        await _age(database_file, 2)
        assert await store.alist_namespaces() == [("n",)]
        await store.aput(("n",), "default", {"again": 1})
        assert (await store.aget(("n",), "default")).value == {"again": 1}


@pytest.mark.anyio
@pytest.mark.parametrize(("configured", "asked", "lives"), [
    (True, None, True), (False, None, False), (True, False, False), (False, True, True),
])  # fmt: skip
async def test_reading_an_item_starts_its_time_anew_where_that_is_wanted(
    opened: Opened, database_file: Path, *, configured: bool, asked: bool | None, lives: bool
) -> None:
    async with opened(ttl=ItemTtlSettings(default_ttl=10, refresh_on_read=configured)) as storage:
        store = await storage.items()
        for key in ("got", "found"):
            await store.aput(("n", key), key, {})
        await _age(database_file, 6)
        await store.aget(("n", "got"), "got", refresh_ttl=asked)
        await store.asearch(("n", "found"), refresh_ttl=asked)
        await _age(database_file, 6)
        for key in ("got", "found"):
            assert (await store.aget(("n", key), key, refresh_ttl=False) is not None) == lives


@pytest.mark.anyio
async def test_an_item_without_an_end_is_read_without_a_write(opened: Opened) -> None:
    async with opened() as storage:
        store = await storage.items()
        await store.aput(("n",), "k", {})
        busy = asyncio.Event()
        held = threading.Event()
        loop = asyncio.get_running_loop()

        def hold(connection: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(busy.set)
            held.wait(10)

        holding = asyncio.create_task(store._database.writer.run(hold))
        await busy.wait()
        try:
            async with asyncio.timeout(5):
                assert await store.aget(("n",), "k") is not None
                assert await keys(store) == ["k"]
        finally:
            held.set()
        await holding


@pytest.mark.anyio
async def test_an_item_that_is_replaced_keeps_the_time_it_was_made(opened: Opened, database_file: Path) -> None:
    async with opened() as storage:
        store = await storage.items()
        await store.aput(("n",), "k", {"v": 1})
        with closing(sqlite3.connect(database_file)) as connection, connection:
            connection.execute(
                "UPDATE store SET created_at = '2020-01-02 03:04:05', updated_at = '2020-01-02 03:04:05'"
            )
        await store.aput(("n",), "k", {"v": 2})
        item = await store.aget(("n",), "k")
        assert (item.created_at.year, item.updated_at.year > 2020) == (2020, True)


@pytest.mark.anyio
async def test_a_file_of_langgraphs_own_store_is_taken_over(opened: Opened, database_file: Path) -> None:
    database_file.parent.mkdir()
    with closing(sqlite3.connect(database_file, isolation_level=None)) as connection:
        theirs = SqliteStore(connection)
        theirs.setup()
        theirs.put(("n",), "k", {"x": [1, {"y": 2}]})
    async with opened() as storage:
        store = await storage.items()
        assert (await store.aget(("n",), "k")).value == {"x": [1, {"y": 2}]}
        assert await keys(store, filter={"x": [1, {"y": 2}]}) == ["k"]
        assert await keys(store, filter={"x": {"$eq": [1, {"y": 2}]}}) == ["k"]
