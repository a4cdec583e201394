"""What a checkpoint holds comes back as it was, whatever jsonb makes of it."""

import enum
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, empty_checkpoint

from longline.storage.protocols import Storage

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


class Colour(enum.StrEnum):
    RED = "red"


def checkpoint_of(versions: dict[str, str], **values: object) -> Checkpoint:
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = values
    checkpoint["channel_versions"] = dict(versions)
    return checkpoint


async def put(saver: BaseCheckpointSaver[str], checkpoint: Checkpoint, **metadata: object) -> RunnableConfig:
    described = {"source": "loop", "step": 0, "parents": {}, **metadata}
    return await saver.aput(CONFIG, checkpoint, described, checkpoint["channel_versions"])


@pytest.mark.anyio
@pytest.mark.parametrize("value", [
    "\0", "a\0b", "\ue000", "\ue0000", "\\u0000", 1e22, 1.0, -0.0, float("inf"), 2**63 - 1, -(2**63), True, 1, None,
    "", "ünï", [], {}, b"", "😀",
])  # fmt: skip
async def test_a_value_comes_back_as_it_was(storage: Storage, value: object) -> None:
    saver = await storage.checkpointer()
    stored = await put(saver, checkpoint_of({"v": "1"}, v=value, unversioned=value))
    await saver.aput_writes(stored, [("v", value)], "task")
    found = await saver.aget_tuple(stored)
    assert found is not None
    values = found.checkpoint["channel_values"]
    assert {name: (type(one), repr(one)) for name, one in values.items()} == dict.fromkeys(
        ("v", "unversioned"), (type(value), repr(value))
    )
    assert found.checkpoint["channel_versions"] == {"v": "1"}
    assert found.pending_writes == [("task", "v", value)]


@pytest.mark.anyio
async def test_a_text_of_an_enumeration_stays_one(storage: Storage) -> None:
    saver = await storage.checkpointer()
    found = await saver.aget_tuple(await put(saver, checkpoint_of({"v": "1"}, v=Colour.RED)))
    assert found is not None
    assert type(found.checkpoint["channel_values"]["v"]) is Colour


@pytest.mark.anyio
@pytest.mark.parametrize(("given", "kept"), [
    (["\0"], ["\0"]), ({"\0": "\ue000\0"}, {"\0": "\ue000\0"}), (["\ue0000", "\\u0000"], ["\ue0000", "\\u0000"]),
    ([float("nan"), float("-inf"), "NaN"], [None, None, "NaN"]), (["\ud800."], ["."]),
])  # fmt: skip
async def test_metadata_that_jsonb_refuses_is_stored(storage: Storage, given: object, kept: object) -> None:
    saver = await storage.checkpointer()
    stored = await put(saver, checkpoint_of({}), odd=given)
    found = await saver.aget_tuple(stored)
    assert found is not None
    assert found.metadata["odd"] == kept
    listed = [one.config async for one in saver.alist(CONFIG, filter={"odd": kept})]
    assert [one["configurable"]["checkpoint_id"] for one in listed] == [stored["configurable"]["checkpoint_id"]]


@pytest.mark.anyio
async def test_a_value_that_many_checkpoints_share_is_stored_once(storage: Storage, database_url: str) -> None:
    saver = await storage.checkpointer()
    for _ in range(3):
        last = await put(saver, checkpoint_of({"v": "1"}, v=["long"]))
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM longline.checkpoint_blobs").fetchone() == (1,)
    found = await saver.aget_tuple(last)
    assert found is not None
    assert found.checkpoint["channel_values"] == {"v": ["long"]}


@pytest.mark.anyio
async def test_values_go_with_the_last_checkpoint_that_has_them(storage: Storage, database_url: str) -> None:
    saver = await storage.checkpointer()
    await put(saver, checkpoint_of({"v": "1", "w": "1"}, v=["old"], w=["both"], unversioned=["old"]), run_id="one")
    latest = await put(saver, checkpoint_of({"v": "2", "w": "1"}, v=["new"], w=["both"]), run_id="two")
    await put(saver, checkpoint_of({"v": "3", "w": "1"}, v=["erased"], w=["both"]), run_id="three")

    def left() -> list[tuple[object, ...]]:
        with psycopg.connect(database_url) as connection:
            return connection.execute(
                "SELECT channel, version FROM longline.checkpoint_blobs WHERE channel <> 'unversioned' ORDER BY 1, 2"
            ).fetchall()

    await saver.adelete_for_runs(["three"])
    assert left() == [("v", "1"), ("v", "2"), ("w", "1")]
    await saver.aprune(["t"])
    assert left() == [("v", "2"), ("w", "1")]
    found = await saver.aget_tuple(CONFIG)
    assert found is not None
    assert found.config == latest
    assert found.checkpoint["channel_values"] == {"v": ["new"], "w": ["both"]}
    await saver.adelete_thread("t")
    assert left() == []


@pytest.mark.anyio
async def test_a_checkpoint_that_names_itself_as_its_parent_ends_its_history(storage: Storage) -> None:
    saver = await storage.checkpointer()
    checkpoint = checkpoint_of({})
    config: RunnableConfig = {"configurable": {**CONFIG["configurable"], "checkpoint_id": checkpoint["id"]}}
    stored = await saver.aput(config, checkpoint, {"source": "loop", "step": 0, "parents": {}}, {})
    await saver.aput_writes(stored, [("v", 1)], "task")
    history = await saver.aget_delta_channel_history(config=stored, channels=["v"])
    assert history == {"v": {"writes": [("task", "v", 1)]}}


@pytest.mark.anyio
async def test_a_list_is_read_in_parts(storage: Storage) -> None:
    saver = await storage.checkpointer()
    ids = [
        (await put(saver, checkpoint_of({}), number=number))["configurable"]["checkpoint_id"] for number in range(80)
    ]
    found = [one.config["configurable"]["checkpoint_id"] async for one in saver.alist(CONFIG)]
    assert found == list(reversed(ids))
    before: RunnableConfig = {"configurable": {"checkpoint_id": ids[70]}}
    part = [one.metadata["number"] async for one in saver.alist(CONFIG, before=before, limit=40)]  # type: ignore[typeddict-item]  # ours
    assert part == list(range(69, 29, -1))
    assert [one async for one in saver.alist(CONFIG, limit=0)] == []
    everywhere = [one.config["configurable"]["checkpoint_id"] async for one in saver.alist(None, limit=2)]
    assert everywhere == found[:2]


@pytest.mark.anyio
async def test_another_process_reads_at_once_what_was_stored(
    storage: Storage, reopen: Callable[[], AbstractAsyncContextManager[Storage]]
) -> None:
    async with reopen() as other:
        saver, reader = await storage.checkpointer(), await other.checkpointer()
        for number in range(5):
            stored = await put(saver, checkpoint_of({"v": str(number)}, v=[number]))
            found = await reader.aget_tuple(CONFIG)
            assert found is not None
            assert (found.config, found.checkpoint["channel_values"]) == (stored, {"v": [number]})


@pytest.mark.anyio
async def test_a_copy_has_its_own_values(storage: Storage) -> None:
    saver = await storage.checkpointer()
    await put(saver, checkpoint_of({"v": "1"}, v=["whole"], unversioned=[1]))
    await saver.acopy_thread("t", "copy")
    await saver.adelete_thread("t")
    found = await saver.aget_tuple({"configurable": {"thread_id": "copy"}})
    assert found is not None
    assert found.checkpoint["channel_values"] == {"v": ["whole"], "unversioned": [1]}
