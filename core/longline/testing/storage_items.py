"""The contract of the item store: LangGraph's long-term memory over the storage."""

import asyncio

import pytest
from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, PutOp, SearchOp

from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin, ended, moment


async def _keys(store: BaseStore, *namespace: str, **wanted: object) -> set[str]:
    found = await store.asearch(namespace, filter=wanted or None, limit=100)
    return {item.key for item in found}


@pytest.mark.anyio
class ItemsContract:
    """Items are put, read, searched and removed by namespace and key."""

    @pytest.mark.parametrize("key", ["plain", "it's", 'a "quote"', "ünïcode-✓", "a;b--", "%_"])
    async def test_an_item_is_read_back_and_replaced_and_removed(self, storage: Storage, key: str) -> None:
        store = await storage.items()
        await store.aput(("users", "it's"), key, {"a": {"b": [1, None, "é"]}})
        item = await store.aget(("users", "it's"), key)
        assert item is not None
        assert (item.namespace, item.key, item.value) == (("users", "it's"), key, {"a": {"b": [1, None, "é"]}})
        await store.aput(("users", "it's"), key, {"a": 2})
        item = await store.aget(("users", "it's"), key)
        assert item is not None
        assert item.value == {"a": 2}
        await store.adelete(("users", "it's"), key)
        assert await store.aget(("users", "it's"), key) is None
        await store.adelete(("users", "it's"), key)

    async def test_a_search_stays_in_its_namespace_and_filters(self, storage: Storage) -> None:
        store = await storage.items()
        await store.aput(("a", "b"), "1", {"kind": "x", "n": 1})
        await store.aput(("a", "b", "c"), "2", {"kind": "y", "n": 2})
        await store.aput(("ab",), "3", {"kind": "x", "n": 3})
        assert await _keys(store, "a") == {"1", "2"}
        assert await _keys(store, "a", "b", "c") == {"2"}
        assert await _keys(store, kind="x") == {"1", "3"}
        assert await _keys(store, "a", n={"$gte": 2}) == {"2"}

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [({"$lt": 5}, "three"), ({"$lte": 3.0}, "three"), ({"$gt": -1}, "three"), ({"$gte": 3}, "three"),
         ({"$gt": "a"}, "text"), ({"$ne": 3}, "text")],
    )  # fmt: skip
    async def test_numbers_are_compared_with_numbers_only(
        self, storage: Storage, wanted: dict[str, object], found: str
    ) -> None:
        store = await storage.items()
        for key, value in (("three", {"n": 3}), ("text", {"n": "many"}), ("none", {}), ("null", {"n": None})):
            await store.aput(("n",), key, value)
        assert await _keys(store, "n", n=wanted) == {found}

    async def test_namespaces_are_listed(self, storage: Storage) -> None:
        store = await storage.items()
        await store.aput(("a", "b"), "1", {})
        await store.aput(("a", "c"), "1", {})
        await store.aput(("d",), "1", {})
        assert sorted(await store.alist_namespaces(prefix=("a",))) == [("a", "b"), ("a", "c")]
        assert sorted(await store.alist_namespaces(max_depth=1)) == [("a",), ("d",)]

    async def test_a_batch_mixes_reads_and_writes(self, storage: Storage) -> None:
        store = await storage.items()
        await store.aput(("n",), "old", {"v": 1})
        results = await store.abatch(
            [
                GetOp(("n",), "old"),
                PutOp(("n",), "new", {"v": 2}),
                SearchOp(("n",), limit=10),
                ListNamespacesOp(),
            ]
        )
        assert len(results) == 4
        assert results[1] is None
        assert await _keys(store, "n") == {"old", "new"}

    async def test_a_batch_that_fails_leaves_nothing_behind(self, storage: Storage) -> None:
        store = await storage.items()
        unstorable = {"v": object()}
        with pytest.raises(TypeError):
            await store.abatch([PutOp(("n",), "good", {"v": 1}), PutOp(("n",), "bad", unstorable)])
        assert await _keys(store, "n") == set()

    async def test_items_and_runs_are_written_at_once(self, storage: Storage) -> None:
        store = await storage.items()

        async def remember(number: int) -> None:
            await store.aput(("n", str(number % 3)), str(number), {"n": number})
            run = await begin(storage)
            await storage.runs.finish(run.lease, ended(), at=moment(1))

        async with asyncio.timeout(30):
            await asyncio.gather(*(remember(number) for number in range(60)))
        assert await _keys(store, "n") == {str(number) for number in range(60)}

    async def test_a_thread_that_is_not_the_loop_may_use_the_store(self, storage: Storage) -> None:
        store = await storage.items()
        await asyncio.to_thread(store.put, ("n",), "k", {"v": 1})
        item = await asyncio.to_thread(store.get, ("n",), "k")
        assert item is not None
        assert item.value == {"v": 1}
