"""Items whose time runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psycopg
import pytest
from langgraph.store.base import BaseStore

from longline.graphs.embedding import ItemOptions
from longline.settings import ItemTtlSettings
from longline.storage.protocols import Storage
from longline_storage_postgres.backends import PartOptions, postgres_backend
from longline_storage_postgres.settings import PostgresSettings

Opened = Callable[..., AbstractAsyncContextManager[Storage]]


@pytest.fixture
def opened(database_url: str) -> Opened:
    """`opened(ttl=…)`: the storage with those settings."""

    @asynccontextmanager
    async def open_storage(ttl: ItemTtlSettings | None = None) -> AsyncIterator[Storage]:
        options = PartOptions(items=ItemOptions(ttl=ttl))
        async with postgres_backend(PostgresSettings(), options).connect(database_url) as storage:
            yield storage

    return open_storage


async def keys(store: BaseStore, **more: object) -> list[str]:
    return [item.key for item in await store.asearch(("n",), **more)]


def _age(url: str, minutes: int) -> None:
    """Let time pass: all ends come nearer."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE longline.items SET expires_at = expires_at - %s * INTERVAL '1 minute'", (minutes,))


@pytest.mark.anyio
async def test_an_item_past_its_time_is_not_shown_even_before_it_is_swept(opened: Opened, database_url: str) -> None:
    async with opened(ttl=ItemTtlSettings(default_ttl=10, refresh_on_read=False)) as storage:
        store = await storage.items()
        await store.aput(("n",), "default", {})
        await store.aput(("n",), "long", {}, ttl=30)
        await store.aput(("n",), "always", {}, ttl=None)
        _age(database_url, 11)
        assert await store.aget(("n",), "default") is None
        assert sorted(await keys(store)) == ["always", "long"]
        await store.aput(("m",), "default", {}, ttl=1)
        _age(database_url, 2)
        assert await store.alist_namespaces() == [("n",)]
        await store.aput(("n",), "default", {"again": 1})
        assert (await store.aget(("n",), "default")).value == {"again": 1}


@pytest.mark.anyio
@pytest.mark.parametrize(("configured", "asked", "lives"), [
    (True, None, True), (False, None, False), (True, False, False), (False, True, True),
])  # fmt: skip
async def test_reading_an_item_starts_its_time_anew_where_that_is_wanted(
    opened: Opened, database_url: str, *, configured: bool, asked: bool | None, lives: bool
) -> None:
    async with opened(ttl=ItemTtlSettings(default_ttl=10, refresh_on_read=configured)) as storage:
        store = await storage.items()
        for key in ("got", "found"):
            await store.aput(("n", key), key, {})
        _age(database_url, 6)
        await store.aget(("n", "got"), "got", refresh_ttl=asked)
        await store.asearch(("n", "found"), refresh_ttl=asked)
        _age(database_url, 6)
        for key in ("got", "found"):
            assert (await store.aget(("n", key), key, refresh_ttl=False) is not None) == lives


@pytest.mark.anyio
async def test_an_item_without_an_end_is_read_without_a_write(opened: Opened, database_url: str) -> None:
    async with opened() as storage:
        store = await storage.items()
        await store.aput(("n",), "k", {})
        with psycopg.connect(database_url) as connection:
            connection.execute("LOCK TABLE longline.items IN SHARE MODE")
            async with asyncio.timeout(5):
                assert await store.aget(("n",), "k") is not None
                assert await keys(store) == ["k"]


@pytest.mark.anyio
async def test_an_item_that_is_replaced_keeps_the_time_it_was_made(opened: Opened, database_url: str) -> None:
    async with opened() as storage:
        store = await storage.items()
        await store.aput(("n",), "k", {"v": 1})
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE longline.items SET created_at = '2020-01-02', updated_at = '2020-01-02'")
        await store.aput(("n",), "k", {"v": 2})
        item = await store.aget(("n",), "k")
        assert (item.created_at.year, item.updated_at.year > 2020) == (2020, True)
