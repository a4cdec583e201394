"""What plugins keep: only what they declared, with its default end, and awake when something is due."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.core.conftest import InstallPlugin, OpenServer

from longline.defaults.expiry import delete_expired
from longline.errors import DuplicateNameError, PluginHookError, UnknownCollectionError, VersionConflictError
from longline.models.collections import CollectionSpec
from longline.models.filters import Equals
from longline.runtime import Runtime
from longline.services.collections import Collections
from longline.storage.due import DueSignals
from longline.testing.storage_samples import far_off, moment

pytestmark = pytest.mark.anyio

SPECS = {
    spec.name: spec
    for spec in (
        CollectionSpec(name="test.docs", kind="documents"),
        CollectionSpec(name="test.short", kind="documents", ttl_seconds=60),
        CollectionSpec(name="test.talk", kind="log", ttl_seconds=60),
        CollectionSpec(name="test.hits", kind="counters"),
    )
}


@pytest.fixture
async def collections(open_server: OpenServer, anyio_backend: str):
    async with open_server() as server:
        store = server.collections._store
        yield Collections(store, SPECS, signals=DueSignals(), holder="me", clock=lambda: datetime.now(UTC))


async def test_a_name_that_nobody_declared_is_refused_and_so_is_one_of_another_kind(collections: Collections) -> None:
    with pytest.raises(UnknownCollectionError, match=r"no documents 'test\.nope' were declared; there are: test\.docs"):
        collections.documents("test.nope")
    for ask in (collections.documents, collections.counters):
        with pytest.raises(UnknownCollectionError):
            ask("test.talk")
    with pytest.raises(UnknownCollectionError):
        collections.log("test.docs")


async def test_documents_are_put_found_and_deleted_by_their_owner(collections: Collections) -> None:
    docs = collections.documents("test.docs")
    first = await docs.put("ann", "k", {"n": 1}, expected=0)
    with pytest.raises(VersionConflictError):
        await docs.put("ann", "k", {"n": 2}, expected=0)
    assert (first.expires_at, (await docs.get("ann", "k")).value) == (None, {"n": 1})
    assert (await docs.search("ann", Equals("n", 1))).total == 1
    assert (await docs.search("bob")).total == 0
    assert await docs.delete("bob", "k") is False
    assert await docs.delete("ann", "k", expected=first.version) is True


async def test_what_has_no_end_of_its_own_gets_the_one_of_its_collection(collections: Collections) -> None:
    short = collections.documents("test.short")
    before = datetime.now(UTC)
    ends_at = (await short.put("", "k", {})).expires_at
    assert ends_at is not None
    assert before + timedelta(seconds=60) <= ends_at <= datetime.now(UTC) + timedelta(seconds=60)
    given = far_off()
    assert (await short.put("", "k", {}, expires_at=given)).expires_at == given
    talk = collections.log("test.talk")
    await talk.append("ann", "l", [{"n": 1}])
    await talk.append("ann", "l", [{"n": 2}], expires_at=moment())
    assert [entry.value for entry in await talk.read("ann", "l")] == [{"n": 1}]
    assert await talk.delete("ann", "l") is True


async def test_counters_count(collections: Collections) -> None:
    hits = collections.counters("test.hits")
    assert [(await hits.add("ann", "k", 2, window_seconds=60)).value for _ in range(2)] == [2, 4]


async def test_who_waits_wakes_when_something_due_is_put(collections: Collections) -> None:
    docs = collections.documents("test.docs")
    waiting = asyncio.create_task(docs.wait_due(600))
    await asyncio.sleep(0)
    await docs.put("", "k", {}, due_at=datetime.now(UTC))
    async with asyncio.timeout(20):
        await waiting
        (taken,) = await docs.take_due(lease_seconds=60, limit=9)
        assert taken.holder == "me"


async def test_who_waits_wakes_when_the_time_of_something_comes(collections: Collections) -> None:
    docs = collections.documents("test.docs")
    due_at = datetime.now(UTC) + timedelta(seconds=0.05)
    await docs.put("", "k", {}, due_at=due_at)
    async with asyncio.timeout(20):
        while datetime.now(UTC) < due_at:
            await docs.wait_due(600)
        assert len(await docs.take_due(lease_seconds=60, limit=9)) == 1


def _plugin(*specs: str) -> str:
    return f"""
    from longline import hookimpl
    from longline.models.collections import CollectionSpec

    @hookimpl
    def register_collections():
        return [{", ".join(f"CollectionSpec({spec})" for spec in specs)}]
    """


async def test_two_plugins_with_one_name_stop_the_start_and_both_are_named(install_plugin: InstallPlugin) -> None:
    for name in ("one", "two"):
        install_plugin(name, _plugin("name='x.docs', kind='documents'"))
    with pytest.raises(DuplicateNameError, match=r"'one' and 'two' both offer the collection 'x\.docs'"):
        Runtime(["one", "storage_sqlite", "two"], {})


@pytest.mark.parametrize(
    "spec",
    [
        "name='docs', kind='documents'",
        "name='x.Docs', kind='documents'",
        "name='x.a.b', kind='log'",
        "name='x.c', kind='counters', ttl_seconds=5",
        "name='x.d', kind='documents', ttl_seconds=0",
    ],
)
async def test_a_collection_that_cannot_be_stops_the_start(install_plugin: InstallPlugin, spec: str) -> None:
    install_plugin("one", _plugin(spec))
    with pytest.raises(PluginHookError, match="'one' failed in register_collections: ValueError"):
        Runtime(["one", "storage_sqlite"], {})


async def test_what_has_expired_is_deleted_batch_by_batch_while_the_server_runs(
    collections: Collections, tmp_path: Path
) -> None:
    docs = collections.documents("test.docs")
    for number in range(5):
        await docs.put("", f"k{number}", {}, expires_at=moment())
    await docs.put("", "kept", {})
    deleting = asyncio.create_task(delete_expired(collections, seconds=600, most_at_once=2))
    with closing(sqlite3.connect(tmp_path / "server.db")) as connection:
        async with asyncio.timeout(20):
            while connection.execute("SELECT key FROM documents ORDER BY key").fetchall() != [("kept",)]:
                await asyncio.sleep(0.01)
    deleting.cancel()
