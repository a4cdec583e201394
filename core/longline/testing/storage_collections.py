"""The contract of CollectionStore: documents, logs, counters, and the records of runs that end."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from longline.errors import NotFoundError, VersionConflictError
from longline.models.collections import DocumentQuery, NewDocument
from longline.models.filters import ContainsAll, Equals, all_of
from longline.models.json import JsonObject
from longline.storage.protocols import Storage
from longline.testing.storage_samples import OVER, far_off, moment

DOCS = "plugin.docs"
OTHER = "plugin.others"
LOG = "plugin.log"
COUNTS = "plugin.counts"


def sample_document(
    key: str = "k",
    *,
    owner: str = "ann",
    collection: str = DOCS,
    value: JsonObject | None = None,
    expires_at: datetime | None = None,
    due_at: datetime | None = None,
) -> NewDocument:
    """A document to store."""
    return NewDocument(
        collection=collection,
        owner=owner,
        key=key,
        value={"n": 1} if value is None else value,
        expires_at=expires_at,
        due_at=due_at,
    )


@pytest.mark.anyio
class DocumentContract:
    """Documents are versioned, belong to an owner, are found by what is in them, and expire."""

    async def test_what_is_put_is_read_back_as_it_was(self, storage: Storage) -> None:
        value: JsonObject = {"it's": [1, 2.5, None, True, {"ü": 'say "hi"'}], "nul": "a\0b", "empty": {}}
        new = sample_document('it\'s a "key"', value=value, expires_at=far_off(), due_at=moment())
        stored = await storage.collections.put(new)
        assert (stored.collection, stored.owner, stored.key, stored.value) == (DOCS, "ann", new.key, value)
        assert (stored.version > 0, stored.expires_at, stored.due_at) == (True, new.expires_at, new.due_at)
        assert (stored.takes, stored.holder) == (0, None)
        assert stored.created_at == stored.updated_at
        assert await storage.collections.get(DOCS, "ann", new.key) == stored

    async def test_each_put_is_the_next_version_and_replaces_the_whole_document(self, storage: Storage) -> None:
        first = await storage.collections.put(sample_document(value={"a": 1}, due_at=moment(), expires_at=far_off()))
        second = await storage.collections.put(sample_document(value={"b": 2}))
        assert (second.version, second.value) == (first.version + 1, {"b": 2})
        assert (second.due_at, second.expires_at) == (None, None)
        assert second.created_at == first.created_at
        assert await storage.collections.get(DOCS, "ann", "k") == second

    async def test_a_put_over_another_version_is_a_conflict_that_changes_nothing(self, storage: Storage) -> None:
        put = storage.collections.put
        with pytest.raises(VersionConflictError, match="is not there; version 1 was expected"):
            await put(sample_document(), expected=1)
        stored = await put(sample_document(), expected=0)
        for expected in (0, stored.version + 1):
            told = f"has version {stored.version}; version {expected} was expected"
            with pytest.raises(VersionConflictError, match=told):
                await put(sample_document(value={"n": 2}), expected=expected)
            with pytest.raises(VersionConflictError):
                await storage.collections.delete(DOCS, "ann", "k", expected=expected)
        assert await storage.collections.get(DOCS, "ann", "k") == stored
        changed = await put(sample_document(value={"n": 2}), expected=stored.version)
        assert changed.version == stored.version + 1

    async def test_of_several_writers_over_one_version_one_wins(self, storage: Storage) -> None:
        first = (await storage.collections.put(sample_document())).version
        writing = (storage.collections.put(sample_document(value={"n": n}), expected=first) for n in range(6))
        results = await asyncio.gather(*writing, return_exceptions=True)
        assert sum(isinstance(result, VersionConflictError) for result in results) == 5
        assert (await storage.collections.get(DOCS, "ann", "k")).version == first + 1

    @pytest.mark.parametrize("is_deleted", [True, False])
    async def test_a_version_is_never_used_again_for_a_key(self, storage: Storage, is_deleted: bool) -> None:
        store = storage.collections
        seen = []
        for _ in range(3):
            seen.append((await store.put(sample_document(due_at=moment()), expected=0)).version)
            seen += [taken.version for taken in await store.take_due(DOCS, holder="w", lease_seconds=OVER, limit=1)]
            if is_deleted:
                await store.delete(DOCS, "ann", "k")
            else:
                seen.append((await store.put(sample_document(expires_at=moment()))).version)
        assert seen == sorted(set(seen))
        await store.put(sample_document())
        for late in seen:
            with pytest.raises(VersionConflictError):
                await store.delete(DOCS, "ann", "k", expected=late)

    async def test_the_same_key_of_another_owner_or_collection_is_another_document(self, storage: Storage) -> None:
        store = storage.collections
        mine = await store.put(sample_document(value={"who": "ann"}))
        theirs = await store.put(sample_document(owner="bob", value={"who": "bob"}))
        other = await store.put(sample_document(collection=OTHER, value={"who": "other"}))
        for owner, key in (("ann", "nope"), ("eve", "k"), ("", "k")):
            with pytest.raises(NotFoundError, match=f"no {DOCS} with id '{key}'"):
                await store.get(DOCS, owner, key)
            assert await store.delete(DOCS, owner, key) is False
        assert await store.delete(DOCS, "ann", "k") is True
        assert await store.get(DOCS, "bob", "k") == theirs
        assert await store.get(OTHER, "ann", "k") == other
        assert (await store.put(sample_document())).version > mine.version

    async def test_a_search_finds_by_owner_and_content_in_the_order_of_age(self, storage: Storage) -> None:
        for number in range(5):
            value: JsonObject = {"kind": "odd" if number % 2 else "even", "tags": [number, "all"], "flag": number > 2}
            await storage.collections.put(sample_document(f"k{number}", value=value))
        await storage.collections.put(sample_document("k1", owner="bob", value={"kind": "odd"}))
        await storage.collections.put(sample_document("k9", collection=OTHER, value={"kind": "odd"}))

        async def found(query: DocumentQuery) -> tuple[list[str], int]:
            page = await storage.collections.search(query)
            return [document.key for document in page.items], page.total

        mine = DocumentQuery(collection=DOCS, owner="ann")
        assert await found(mine) == (["k0", "k1", "k2", "k3", "k4"], 5)
        assert await found(replace(mine, sort_order="desc", limit=2, offset=1)) == (["k3", "k2"], 5)
        assert await found(replace(mine, where=Equals("kind", "odd"))) == (["k1", "k3"], 2)
        assert await found(replace(mine, where=Equals("flag", True))) == (["k3", "k4"], 2)
        assert await found(replace(mine, where=ContainsAll("tags", (3, "all")))) == (["k3"], 1)
        assert await found(replace(mine, where=all_of(Equals("kind", "odd"), Equals("nope", 1)))) == ([], 0)
        assert (await found(replace(mine, owner=None)))[1] == 6
        assert await found(replace(mine, owner="bob")) == (["k1"], 1)

    async def test_what_has_expired_looks_like_what_was_never_there(self, storage: Storage) -> None:
        store = storage.collections
        await store.put(sample_document(expires_at=moment(), due_at=moment()))
        await store.put(sample_document())
        gone = await store.put(sample_document(expires_at=moment(), due_at=moment()))
        with pytest.raises(NotFoundError):
            await store.get(DOCS, "ann", "k")
        assert (await store.search(DocumentQuery(collection=DOCS, owner="ann"))).total == 0
        assert await store.take_due(DOCS, holder="w", lease_seconds=60, limit=9) == []
        assert await store.next_due(DOCS) is None
        with pytest.raises(VersionConflictError):
            await store.put(sample_document(), expected=gone.version)
        assert await store.delete(DOCS, "ann", "k") is False
        await store.put(sample_document(expires_at=moment()))
        assert (await store.put(sample_document(), expected=0)).version > gone.version

    async def test_expired_rows_are_deleted_in_bounded_batches_and_others_stay(self, storage: Storage) -> None:
        store = storage.collections
        for number in range(5):
            await store.put(sample_document(f"old-{number}", expires_at=moment()))
            await store.append(LOG, "ann", "old", [{"n": number}], expires_at=moment())
            await store.add(COUNTS, "ann", f"old-{number}", window_seconds=OVER)
        kept = await store.put(sample_document("kept", expires_at=far_off()))
        await store.append(LOG, "ann", "kept", [{}], expires_at=far_off())
        await store.add(COUNTS, "ann", "kept", 3, window_seconds=600)
        assert [await store.delete_expired(limit=2) for _ in range(4)] == [2, 2, 1, 0]
        assert (await store.search(DocumentQuery(collection=DOCS, owner="ann"))).items == [kept]
        assert len(await store.read(LOG, "ann", "kept", limit=9)) == 1
        assert (await store.add(COUNTS, "ann", "kept", window_seconds=600)).value == 4


@pytest.mark.anyio
class DueDocumentContract:
    """What is due goes to one taker, and comes back if that one dies."""

    async def test_due_documents_are_handed_out_longest_due_first(self, storage: Storage) -> None:
        store = storage.collections
        times = {"b": moment(2), "a": moment(1), "c": moment(3), "later": far_off(), "never": None}
        stored = {key: await store.put(sample_document(key, due_at=due_at)) for key, due_at in times.items()}
        await store.put(sample_document("x", collection=OTHER, due_at=moment()))
        assert await store.next_due(DOCS) == moment(1)
        first = await store.take_due(DOCS, holder="w1", lease_seconds=600, limit=2)
        second = await store.take_due(DOCS, holder="w2", lease_seconds=600, limit=9)
        assert [[document.key for document in taken] for taken in (first, second)] == [["a", "b"], ["c"]]
        assert [(d.takes, d.holder) for d in (*first, *second)] == [(1, "w1"), (1, "w1"), (1, "w2")]
        assert [d.version for d in (*first, *second)] == [stored[key].version + 1 for key in ("a", "b", "c")]
        assert await store.get(DOCS, "ann", "a") == first[0]
        assert await store.take_due(DOCS, holder="w3", lease_seconds=600, limit=9) == []
        due = await store.next_due(DOCS)
        assert due is not None
        assert due > moment(60)

    async def test_no_document_goes_to_two_takers(self, storage: Storage) -> None:
        for number in range(20):
            await storage.collections.put(sample_document(f"k{number:02}", due_at=moment(number)))
        taking = (storage.collections.take_due(DOCS, holder=f"w{n}", lease_seconds=600, limit=3) for n in range(10))
        taken = [document.key for batch in await asyncio.gather(*taking) for document in batch]
        assert sorted(taken) == [f"k{number:02}" for number in range(20)]

    async def test_what_a_taker_leaves_is_due_again_and_the_late_one_is_shut_out(self, storage: Storage) -> None:
        store = storage.collections
        await store.put(sample_document(due_at=moment()))
        (late,) = await store.take_due(DOCS, holder="w1", lease_seconds=OVER, limit=1)
        (again,) = await store.take_due(DOCS, holder="w2", lease_seconds=600, limit=1)
        assert (again.version, again.takes, again.holder) == (late.version + 1, 2, "w2")
        with pytest.raises(VersionConflictError):
            await store.put(sample_document(value={"n": 2}), expected=late.version)
        with pytest.raises(VersionConflictError):
            await store.delete(DOCS, "ann", "k", expected=late.version)
        assert await store.delete(DOCS, "ann", "k", expected=again.version) is True
        assert await store.next_due(DOCS) is None

    async def test_a_document_that_is_put_back_waits_for_its_new_time(self, storage: Storage) -> None:
        store = storage.collections
        await store.put(sample_document(due_at=moment()))
        (taken,) = await store.take_due(DOCS, holder="w1", lease_seconds=600, limit=1)
        back = await store.put(sample_document(value={"tries": 1}, due_at=far_off()), expected=taken.version)
        assert (back.takes, back.holder, back.value) == (1, None, {"tries": 1})
        assert await store.take_due(DOCS, holder="w1", lease_seconds=600, limit=1) == []
        await store.put(sample_document(value={"tries": 1}, due_at=moment()), expected=back.version)
        assert [d.takes for d in await store.take_due(DOCS, holder="w1", lease_seconds=600, limit=1)] == [2]


@pytest.mark.anyio
class LogContract:
    """Logs grow at the end, and are read from a position."""

    async def test_entries_are_read_in_order_after_a_position(self, storage: Storage) -> None:
        store = storage.collections
        first = await store.append(LOG, "ann", "l", [{"n": 1}, {"n": 2}])
        await store.append(LOG, "ann", "other", [{"n": 9}])
        await store.append(LOG, "bob", "l", [{"n": 9}])
        second = await store.append(LOG, "ann", "l", [{"n": "it's"}])
        entries = await store.read(LOG, "ann", "l", limit=9)
        assert entries == [*first, *second]
        assert [entry.value for entry in entries] == [{"n": 1}, {"n": 2}, {"n": "it's"}]
        positions = [entry.position for entry in entries]
        assert positions == sorted(set(positions))
        assert positions[0] > 0
        assert await store.read(LOG, "ann", "l", after=positions[0], limit=1) == [entries[1]]
        assert await store.read(LOG, "ann", "l", after=positions[2], limit=9) == []
        assert await store.append(LOG, "ann", "l", []) == []

    async def test_a_position_is_never_used_again(self, storage: Storage) -> None:
        store = storage.collections
        (old,) = await store.append(LOG, "ann", "l", [{"n": 1}])
        assert await store.delete_log(LOG, "bob", "l") is False
        assert await store.delete_log(LOG, "ann", "l") is True
        assert await store.delete_log(LOG, "ann", "l") is False
        (new,) = await store.append(LOG, "ann", "l", [{"n": 2}])
        assert new.position > old.position
        assert await store.read(LOG, "ann", "l", after=old.position, limit=9) == [new]

    async def test_expired_entries_are_not_read(self, storage: Storage) -> None:
        store = storage.collections
        await store.append(LOG, "ann", "l", [{"n": 1}], expires_at=moment())
        assert await store.read(LOG, "ann", "l", limit=9) == []
        assert await store.delete_log(LOG, "ann", "l") is False
        kept = await store.append(LOG, "ann", "l", [{"n": 2}], expires_at=far_off())
        assert await store.read(LOG, "ann", "l", limit=9) == kept

    async def test_writers_at_the_same_time_lose_nothing(self, storage: Storage) -> None:
        batches: list[list[JsonObject]] = [[{"w": writer, "n": n} for n in range(3)] for writer in range(8)]
        await asyncio.gather(*(storage.collections.append(LOG, "ann", "l", batch) for batch in batches))
        entries = await storage.collections.read(LOG, "ann", "l", limit=99)
        assert len(entries) == 24
        for writer in range(8):
            assert [entry.value["n"] for entry in entries if entry.value["w"] == writer] == [0, 1, 2]


@pytest.mark.anyio
class CounterContract:
    """Counters count within a window."""

    async def test_a_counter_counts_until_its_window_ends(self, storage: Storage) -> None:
        add = storage.collections.add
        first = await add(COUNTS, "ann", "it's", window_seconds=600)
        second = await add(COUNTS, "ann", "it's", 5, window_seconds=9999)
        assert (first.value, second.value, second.ends_at) == (1, 6, first.ends_at)
        assert (await add(COUNTS, "ann", "it's", -2, window_seconds=600)).value == 4
        assert (await add(COUNTS, "bob", "it's", window_seconds=600)).value == 1
        assert (await add(COUNTS, "ann", "other", window_seconds=600)).value == 1

    async def test_a_new_window_starts_from_nothing(self, storage: Storage) -> None:
        add = storage.collections.add
        over = await add(COUNTS, "ann", "k", 7, window_seconds=OVER)
        again = await add(COUNTS, "ann", "k", 2, window_seconds=600)
        assert (over.value, again.value) == (7, 2)
        assert again.ends_at > over.ends_at

    async def test_additions_at_the_same_time_are_all_counted(self, storage: Storage) -> None:
        adding = (storage.collections.add(COUNTS, "ann", "k", window_seconds=600) for _ in range(20))
        assert sorted(count.value for count in await asyncio.gather(*adding)) == list(range(1, 21))


class CollectionContract(DocumentContract, DueDocumentContract, LogContract, CounterContract):
    """All that a storage of collections promises."""
