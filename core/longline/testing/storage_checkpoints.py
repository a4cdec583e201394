"""The contract of the saver: LangGraph's own behaviour, and writes that stop with the lease."""

import asyncio
import logging
import operator
from collections.abc import Awaitable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import UUID

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, interrupt

from longline.errors import LeaseLostError
from longline.models.runs import Run, RunOutcome, RunStatus
from longline.models.threads import ThreadState, ThreadStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import OVER, begin, ended, lose, moment, sample_run


class _State(TypedDict):
    steps: Annotated[list[str], operator.add]


_Graph = CompiledStateGraph[_State, None, _State, _State]


def _one(state: _State) -> _State:  # noqa: ARG001  # a node
    return {"steps": ["one"]}


def _ask(state: _State) -> _State:  # noqa: ARG001  # a node
    return {"steps": [f"answer {interrupt('really?')}"]}


def _three(state: _State) -> _State:  # noqa: ARG001  # a node
    return {"steps": ["three"]}


def _graph(saver: BaseCheckpointSaver[str]) -> _Graph:
    """Three steps; the one in the middle asks."""
    builder = StateGraph(_State)
    builder.add_node("one", _one)
    builder.add_node("ask", _ask)
    builder.add_node("three", _three)
    builder.add_edge(START, "one")
    builder.add_edge("one", "ask")
    builder.add_edge("ask", "three")
    builder.add_edge("three", END)
    return builder.compile(checkpointer=saver)


def _config(run: Run) -> RunnableConfig:
    return {"configurable": {"thread_id": run.thread_id}, "metadata": {"run_id": run.run_id}}


async def _history(storage: Storage, thread_id: str) -> list[str]:
    saver = await storage.checkpointer()
    config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
    return [found.config["configurable"]["checkpoint_id"] async for found in saver.alist(config)]


async def _put(saver: BaseCheckpointSaver[str], thread_id: str, **values: object) -> RunnableConfig:
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = values
    config: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    return await saver.aput(config, checkpoint, {"source": "loop", "step": 0, "parents": {}}, {})


@pytest.mark.anyio
class CheckpointContract:
    """Graphs over the saver of a storage."""

    async def test_an_interrupted_graph_is_resumed_by_a_later_run(self, storage: Storage) -> None:
        first = await begin(storage)
        graph = _graph(await storage.checkpointer(first.lease))
        await graph.ainvoke({"steps": []}, _config(first))
        await storage.runs.finish(first.lease, ended(thread_status=ThreadStatus.INTERRUPTED), at=moment(1))
        second = await begin(storage, sample_run(first.thread_id))
        graph = _graph(await storage.checkpointer(second.lease))
        result = await graph.ainvoke(Command(resume="yes"), _config(second))
        assert result["steps"] == ["one", "answer yes", "three"]

    async def test_a_second_attempt_goes_on_after_the_last_checkpoint(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        graph = _graph(await storage.checkpointer(run.lease))
        await graph.ainvoke({"steps": []}, _config(run))
        taken = await lose(storage, run)
        graph = _graph(await storage.checkpointer(taken.lease))
        result = await graph.ainvoke(Command(resume="again"), _config(taken))
        assert result["steps"] == ["one", "answer again", "three"]

    async def test_a_stale_attempt_writes_nothing_more(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        stale = await storage.checkpointer(run.lease)
        stored = await _put(stale, run.thread_id, n=1)
        taken = await lose(storage, run)
        await self._assert_shut_out(storage, stale, stored)
        valid = await storage.checkpointer(taken.lease)
        await _put(valid, run.thread_id, n=2)
        assert len(await _history(storage, run.thread_id)) == 2

    async def test_a_finished_run_writes_nothing_more(self, storage: Storage) -> None:
        run = await begin(storage)
        saver = await storage.checkpointer(run.lease)
        stored = await _put(saver, run.thread_id, n=1)
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        await self._assert_shut_out(storage, saver, stored)

    async def test_a_run_on_a_deleted_thread_writes_nothing_more(self, storage: Storage) -> None:
        run = await begin(storage)
        saver = await storage.checkpointer(run.lease)
        await _put(saver, run.thread_id, n=1)
        await storage.threads.delete(run.thread_id)
        with pytest.raises(LeaseLostError):
            await _put(saver, run.thread_id, n=2)
        assert await _history(storage, run.thread_id) == []

    async def test_a_stale_graph_run_fails_with_the_lost_lease(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        graph = _graph(await storage.checkpointer(run.lease))
        await lose(storage, run)
        with pytest.raises(LeaseLostError):
            await graph.ainvoke({"steps": []}, _config(run))
        assert await _history(storage, run.thread_id) == []

    async def test_savers_of_several_leases_do_not_disturb_each_other(self, storage: Storage) -> None:
        runs = [await begin(storage) for _ in range(6)]
        graphs = [_graph(await storage.checkpointer(run.lease)) for run in runs]
        await storage.runs.finish(runs[0].lease, ended(), at=moment(1))
        results = await asyncio.gather(
            *(graph.ainvoke({"steps": []}, _config(run)) for graph, run in zip(graphs, runs, strict=True)),
            return_exceptions=True,
        )
        assert isinstance(results[0], LeaseLostError)
        assert [isinstance(result, dict) and result["steps"] for result in results[1:]] == [["one"]] * 5

    @pytest.mark.parametrize("is_saver_told", [True, False])
    async def test_an_erased_run_leaves_all_that_was_there_before_it(
        self, storage: Storage, is_saver_told: bool
    ) -> None:
        first = await begin(storage)
        graph = _graph(await storage.checkpointer(first.lease))
        await graph.ainvoke({"steps": []}, _config(first))
        await storage.runs.finish(first.lease, ended(thread_status=ThreadStatus.INTERRUPTED), at=moment(1))
        before = await _history(storage, first.thread_id)
        second = await begin(storage, sample_run(first.thread_id))
        saver = await storage.checkpointer(second.lease)
        await _graph(saver).ainvoke(Command(resume="yes"), _config(second))
        assert len(await _history(storage, first.thread_id)) > len(before)
        await storage.threads.copy(first.thread_id, "copy", at=moment(2))
        copied = await _history(storage, "copy")
        if is_saver_told:
            await saver.adelete_for_runs([second.run_id])
            assert await _history(storage, first.thread_id) == before
            # Neither did the answer that it gave stay behind: the question is open again.
            state = await _graph(saver).aget_state(_config(second))
            assert (state.next, len(state.interrupts), state.values) == (("ask",), 1, {"steps": ["one"]})
        outcome = RunOutcome(
            status=RunStatus.INTERRUPTED, state=ThreadState(status=ThreadStatus.IDLE, values=b"{}"), erase=True
        )
        await storage.runs.finish(second.lease, outcome, at=moment(3))
        assert await _history(storage, first.thread_id) == before
        assert await _history(storage, "copy") == copied
        third = await begin(storage, sample_run(first.thread_id))
        graph = _graph(await storage.checkpointer(third.lease))
        state = await graph.aget_state(_config(third))
        assert (state.next, len(state.interrupts), state.values) == (("ask",), 1, {"steps": ["one"]})
        result = await graph.ainvoke(Command(resume="no"), _config(third))
        assert result["steps"] == ["one", "answer no", "three"]

    async def test_a_copied_thread_goes_on_by_itself(self, storage: Storage) -> None:
        run = await begin(storage)
        graph = _graph(await storage.checkpointer(run.lease))
        await graph.ainvoke({"steps": []}, _config(run))
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        await storage.threads.copy(run.thread_id, "copy", at=moment(2))
        history = await _history(storage, run.thread_id)
        assert await _history(storage, "copy") == history
        other = await begin(storage, sample_run("copy"))
        graph = _graph(await storage.checkpointer(other.lease))
        result = await graph.ainvoke(Command(resume="yes"), _config(other))
        assert result["steps"] == ["one", "answer yes", "three"]
        assert await _history(storage, run.thread_id) == history

    async def test_a_deleted_thread_takes_its_checkpoints_along(self, storage: Storage) -> None:
        run = await begin(storage)
        await _put(await storage.checkpointer(run.lease), run.thread_id, n=1)
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        await storage.threads.delete(run.thread_id)
        assert await _history(storage, run.thread_id) == []

    async def test_history_can_be_read_while_other_checkpoints_are_read_and_written(self, storage: Storage) -> None:
        run = await begin(storage)
        saver = await storage.checkpointer(run.lease)
        stored = [await _put(saver, run.thread_id, n=number) for number in range(40)]
        seen = []
        async with asyncio.timeout(20):
            async for found in saver.alist({"configurable": {"thread_id": run.thread_id}}):
                again = await saver.aget_tuple(found.config)
                assert again is not None
                seen.append(again.checkpoint["channel_values"]["n"])
                await saver.aput_writes(stored[0], [("channel", len(seen))], f"task-{len(seen)}")
        assert seen == list(reversed(range(40)))

    async def test_an_unfinished_read_of_history_blocks_nobody(self, storage: Storage) -> None:
        run = await begin(storage)
        saver = await storage.checkpointer(run.lease)
        for number in range(3):
            await _put(saver, run.thread_id, n=number)
        reading = aiter(saver.alist({"configurable": {"thread_id": run.thread_id}}))
        await anext(reading)
        async with asyncio.timeout(20):
            await _put(saver, run.thread_id, n=3)
            latest = await saver.aget_tuple({"configurable": {"thread_id": run.thread_id}})
        assert latest is not None
        assert latest.checkpoint["channel_values"] == {"n": 3}

    async def test_values_come_back_as_the_types_they_were(
        self, storage: Storage, caplog: pytest.LogCaptureFixture
    ) -> None:
        values = _values_of_many_types()
        run = await begin(storage)
        saver = await storage.checkpointer(run.lease)
        with caplog.at_level(logging.WARNING):
            stored = await _put(saver, run.thread_id, **values)
            await saver.aput_writes(stored, list(values.items()), "task")
            found = await saver.aget_tuple(stored)
        assert found is not None
        assert found.checkpoint["channel_values"] == values
        assert {key: type(value) for key, value in found.checkpoint["channel_values"].items()} == {
            key: type(value) for key, value in values.items()
        }
        assert {channel: value for _, channel, value in found.pending_writes or ()} == values
        assert caplog.messages == []

    async def _assert_shut_out(self, storage: Storage, saver: BaseCheckpointSaver[str], stored: RunnableConfig) -> None:
        thread_id = stored["configurable"]["thread_id"]
        before = await _history(storage, thread_id)
        attempts: list[Awaitable[Any]] = [
            _put(saver, thread_id, n=99),
            saver.aput_writes(stored, [("channel", 1)], "task"),
            saver.adelete_thread(thread_id),
        ]
        for attempt in attempts:
            with pytest.raises(LeaseLostError):
                await attempt
        assert await _history(storage, thread_id) == before
        found = await (await storage.checkpointer()).aget_tuple(stored)
        assert found is not None
        assert found.pending_writes == []


def _values_of_many_types() -> dict[str, object]:
    # Without tuples, of which LangGraph's serializer makes lists, and whole numbers beyond 64 bits, which it refuses.
    return {
        "datetime": datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        "date": date(2026, 1, 2),
        "time": time(3, 4, 5),
        "timedelta": timedelta(days=1, microseconds=5),
        "decimal": Decimal("1.10"),
        "uuid": UUID(int=7),
        "path": Path("a/b"),
        "address": IPv4Address("127.0.0.1"),
        "bytes": b"\x00\xff",
        "set": {1, 2},
        "frozenset": frozenset({1}),
        "nothing": None,
        "number": 2**63,
        "float": 0.1,
        "text": "ünï \x00 ✓",
        "nested": {"a": [{"b": [1, {2}]}]},
        "send": Send("node", {"a": 1}),
        "human": HumanMessage("hi", id="1"),
        "ai": AIMessage("", id="2", tool_calls=[{"name": "t", "args": {"a": 1}, "id": "c", "type": "tool_call"}]),
        "tool": ToolMessage("done", tool_call_id="c", id="3"),
        "document": Document("text", metadata={"a": 1}),
    }
