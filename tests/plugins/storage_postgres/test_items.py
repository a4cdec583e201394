"""Items found by meaning."""

import asyncio
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from langgraph.store.base import BaseStore
from psycopg import sql

from longline.errors import EmbeddingError, StorageError
from longline.graphs.embedding import ItemOptions
from longline.settings import ItemIndexSettings
from longline.storage.protocols import Storage, StorageBackend
from longline_storage_postgres.backends import PartOptions, postgres_backend
from longline_storage_postgres.settings import PostgresSettings

EMBEDDINGS = '''
import threading

SEEN = []
GO = threading.Event()
GO.set()


def letters(texts):
    """How often each of eight letters is there."""
    SEEN.append((threading.current_thread().name, list(texts)))
    GO.wait(10)
    return [[float(text.count(letter)) for letter in "abcdefgh"] for text in texts]


async def later(texts):
    return letters(texts)


def short(texts):
    return [[1.0] for _ in texts]


def broken(texts):
    raise RuntimeError("no model here")


def leaving(texts):
    raise SystemExit(3)


def odd(texts):
    return [[float("nan")] * 8 for _ in texts]
'''

Opened = Callable[..., AbstractAsyncContextManager[Storage]]


def has_pgvector(url: str) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone()
    return found is not None


@pytest.fixture
def opened(tmp_path: Path, database_url: str) -> Opened:
    """`opened(embed="letters", fields=…)`: the storage with those settings."""
    if not has_pgvector(database_url):
        pytest.skip("the server has no pgvector")
    file = tmp_path / "embeddings_of_items.py"
    file.write_text(EMBEDDINGS)

    @asynccontextmanager
    async def open_storage(
        embed: str | None = None, *, dims: int = 8, fields: list[str] | None = None
    ) -> AsyncIterator[Storage]:
        index = ItemIndexSettings(dims=dims, embed=f"./{file.name}:{embed}", fields=fields) if embed else None
        options = PartOptions(items=ItemOptions(index=index, base=tmp_path))
        async with postgres_backend(PostgresSettings(), options).connect(database_url) as storage:
            yield storage

    return open_storage


async def keys(store: BaseStore, query: str | None = None, **more: object) -> list[str]:
    return [item.key for item in await store.asearch(("n",), query=query, **more)]


@pytest.mark.anyio
@pytest.mark.parametrize("embed", ["letters", "later"])
async def test_the_nearest_item_comes_first_with_its_score(opened: Opened, embed: str) -> None:
    async with opened(embed) as storage:
        store = await storage.items()
        for key, text in (("a", "aaa"), ("b", "bbb"), ("ab", "ab")):
            await store.aput(("n",), key, {"text": text}, index=["text"])
        found = await store.asearch(("n",), query="aab")
        assert [item.key for item in found] == ["ab", "a", "b"]
        assert found[0].score == pytest.approx(3 / (5**0.5 * 2**0.5))
        assert await keys(store, "a", filter={"text": "bbb"}) == ["b"]
        assert len(await keys(store)) == 3


@pytest.mark.anyio
async def test_pages_of_a_search_by_meaning_follow_each_other(opened: Opened) -> None:
    async with opened("letters", fields=["text"]) as storage:
        store = await storage.items()
        for number in range(1, 12):
            await store.aput(("n",), str(number), {"text": "a" * 5 + "b" * number})
        pages = [await keys(store, "a", limit=3, offset=offset) for offset in range(0, 12, 3)]
        assert [key for page in pages for key in page] == [str(number) for number in range(1, 12)]


@pytest.mark.anyio
async def test_only_the_chosen_fields_are_embedded(opened: Opened) -> None:
    async with opened("letters", fields=["text"]) as storage:
        store = await storage.items()
        await store.aput(("n",), "configured", {"text": "a", "other": "hhh"})
        await store.aput(("n",), "chosen", {"text": "h", "tags": ["b", "c"]}, index=["tags[*]"])
        await store.aput(("n",), "none", {"text": "a"}, index=False)
        assert await keys(store, "c") == ["chosen", "configured"]
        assert sorted(await keys(store, "h")) == ["chosen", "configured"]
        await store.aput(("n",), "configured", {"text": "a"}, index=False)
        assert await keys(store, "a") == ["chosen"]


@pytest.mark.anyio
async def test_an_item_takes_its_vectors_along(opened: Opened, database_url: str) -> None:
    async with opened("letters") as storage:
        store = await storage.items()
        for key in ("deleted", "replaced", "kept"):
            await store.aput(("n",), key, {"text": key})
        await store.adelete(("n",), "deleted")
        await store.aput(("n",), "replaced", {"text": "new"}, index=False)
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT key FROM longline.item_vectors").fetchall() == [("kept",)]


@pytest.mark.anyio
async def test_an_embedding_that_takes_long_holds_up_nobody(opened: Opened) -> None:
    async with opened("letters") as storage:
        store = await storage.items()
        await store.aput(("n",), "first", {"text": "a"})
        embeddings = sys.modules[_module_name()]
        embeddings.GO.clear()
        putting = asyncio.create_task(store.aput(("n",), "slow", {"text": "b"}))
        searching = asyncio.create_task(store.asearch(("n",), query="a"))
        async with asyncio.timeout(5):
            for number in range(20):
                await store.aput(("m",), str(number), {}, index=False)
            assert await store.aget(("n",), "slow") is None
        assert not putting.done()
        assert not searching.done()
        embeddings.GO.set()
        await asyncio.gather(putting, searching)
        assert threading.main_thread().name not in {name for name, _ in embeddings.SEEN}
        assert await store.aget(("n",), "slow") is not None


def _module_name() -> str:
    (name,) = [name for name in sys.modules if name.rpartition(".")[2].startswith("embeddings_of_items")]
    return name


@pytest.fixture(autouse=True)
def _forget_embeddings() -> object:
    yield
    modules = sys.modules
    for name in [name for name in modules if "embeddings_of_items" in name]:
        del modules[name]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("embed", "said"),
    [
        ("broken", "RuntimeError: no model here"), ("leaving", "SystemExit: 3"), ("odd", "no finite number"),
        ("short", "numbers were expected"), ("missing", "no attribute"),
    ],
)  # fmt: skip
async def test_a_failing_embedding_is_named_and_stores_nothing(opened: Opened, embed: str, said: str) -> None:
    async with opened(embed) as storage:
        store = await storage.items()
        with pytest.raises(EmbeddingError, match=said):
            await store.aput(("n",), "k", {"text": "a"})
        with pytest.raises(EmbeddingError, match=said):
            await store.asearch(("n",), query="a")
        assert await store.aget(("n",), "k") is None
        await store.aput(("n",), "k", {"text": "a"}, index=False)
        assert await keys(store) == ["k"]


@pytest.mark.anyio
async def test_one_callers_failure_is_not_anothers(opened: Opened) -> None:
    async with opened("broken") as storage:
        store = await storage.items()
        results = await asyncio.gather(
            store.aput(("n",), "bad", {"text": "a"}),
            store.aput(("n",), "good", {"text": "a"}, index=False),
            store.asearch(("n",), filter={"x": {"$unknown": 1}}),
            store.aget(("n",), "good"),
            return_exceptions=True,
        )
        assert [isinstance(result, Exception) for result in results] == [True, False, True, False]


@pytest.mark.anyio
async def test_without_an_index_a_query_is_ignored_and_vectors_are_cleaned_up(
    opened: Opened, database_url: str
) -> None:
    async with opened("letters") as storage:
        await (await storage.items()).aput(("n",), "k", {"text": "a"})
    async with opened() as storage:
        store = await storage.items()
        assert await keys(store, "zzz") == ["k"]
        await store.aput(("n",), "k", {"text": "b"})
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM longline.item_vectors").fetchone() == (0,)


@pytest.mark.anyio
async def test_vectors_of_another_size_are_removed(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    async with opened("letters") as storage:
        await (await storage.items()).aput(("n",), "k", {"text": "a"})
    async with opened("short", dims=1) as storage:
        store = await storage.items()
        assert await keys(store, "a") == []
        await store.aput(("n",), "k", {"text": "a"})
        assert await keys(store, "a") == ["k"]
    assert "vectors of another size removed" in caplog.messages


def backend_with_index() -> StorageBackend:
    index = ItemIndexSettings(dims=8, embed="./none.py:none")
    return postgres_backend(PostgresSettings(), PartOptions(items=ItemOptions(index=index)))


@pytest.mark.anyio
async def test_a_server_without_pgvector_is_named_at_the_start(database_url: str) -> None:
    if has_pgvector(database_url):
        pytest.skip("the server has pgvector")
    with pytest.raises(StorageError, match="does not have; install it there"):
        async with backend_with_index().connect(database_url):
            pass


@pytest.mark.anyio
async def test_a_user_who_may_not_make_the_extension_starts_once_another_has(database_url: str) -> None:
    if not has_pgvector(database_url):
        pytest.skip("the server has no pgvector")
    name = f"longline_{uuid.uuid4().hex[:16]}"
    role = sql.Identifier(name)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(role))
        try:
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA longline TO {}").format(role))
            connection.execute(sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA longline TO {}").format(role))
            url = f"{database_url}{'&' if '?' in database_url else '?'}options={quote(f'-c role={name}')}"
            with pytest.raises(StorageError, match="let somebody who may"):
                async with backend_with_index().connect(url):
                    pass
            await backend_with_index().migrate(database_url)
            connection.execute(sql.SQL("GRANT ALL ON longline.item_vectors TO {}").format(role))
            async with backend_with_index().connect(url) as storage:
                await (await storage.items()).aput(("n",), "k", {"text": "a"}, index=False)
                assert await keys(await storage.items()) == ["k"]
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.anyio
async def test_several_servers_prepare_a_database_at_once(database_url: str) -> None:
    if not has_pgvector(database_url):
        pytest.skip("the server has no pgvector")

    async def start() -> None:
        async with backend_with_index().connect(database_url) as storage:
            await storage.check()

    async with asyncio.timeout(30):
        await asyncio.gather(*(start() for _ in range(4)))
