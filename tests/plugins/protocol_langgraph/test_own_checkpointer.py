"""A project keeps its checkpoints in a saver of its own, and clients see no difference."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import asking, counting
from tests.races.graphs import Gate, gated

from longline.errors import SettingsError

pytestmark = pytest.mark.anyio

GRAPHS = {"count": counting(), "ask": asking()}

SAVER = """
from contextlib import asynccontextmanager

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from tests.core.storage.pruning_saver import PruningSaver

FILE = {file!r}
memory = InMemorySaver()
number = 7


def plain():
    return AsyncSqliteSaver.from_conn_string(FILE)


@asynccontextmanager
async def context():
    async with PruningSaver.from_conn_string(FILE) as saver:
        yield saver


async def coroutine():
    return memory


async def generator():
    async with PruningSaver.from_conn_string(FILE) as saver:
        yield saver


def broken():
    raise ConnectionError("no such host")


def nothing():
    return None


def blocking():
    return SqliteSaver.from_conn_string(FILE)
"""

Project = Callable[[str], dict[str, dict[str, object]]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Settings that name something of the project's file."""
    file = tmp_path / "checkpointer.py"
    file.write_text(SAVER.format(file=str(tmp_path / "own.db")))
    return lambda name: {"threads": {"path": f"{file}:{name}"}}


def rows(file: Path, thread_id: str) -> int:
    connection = sqlite3.connect(file)
    try:
        found = connection.execute("SELECT count(*) FROM checkpoints WHERE thread_id = ?", (thread_id,))
        return int(found.fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("name", ["plain", "context", "generator", "coroutine", "memory"])
async def test_threads_live_as_ever(serve: Serve, project: Project, tmp_path: Path, name: str) -> None:
    async with serve(GRAPHS, project(name)) as served, get_client(url=served.url, api_key=None) as sdk:
        thread_id = (await sdk.threads.create())["thread_id"]
        asked: Any = await sdk.runs.wait(thread_id, "ask", input={"topic": "fish"})
        assert asked["__interrupt__"][0]["value"] == {"question": "fish"}
        copied = (await sdk.threads.copy(thread_id))["thread_id"]
        for one in (thread_id, copied):
            answered: Any = await sdk.runs.wait(one, "ask", command={"resume": "yes"})
            assert (answered["answer"], answered["log"]) == ("yes", ["prepared", "asked", "finished"])
            assert len(await sdk.threads.get_history(one)) == 5
        await sdk.threads.update_state(thread_id, {"topic": "birds"})
        assert (await sdk.threads.get_state(thread_id))["values"]["topic"] == "birds"
        assert (await sdk.threads.get_state(copied))["values"]["topic"] == "fish"
        history = await sdk.threads.get_history(thread_id)
        assert history[0]["metadata"]["source"] == "update"
        await sdk.threads.delete(copied)
        again = (await sdk.threads.create(thread_id=copied))["thread_id"]
        assert await sdk.threads.get_history(again) == []
    assert rows(tmp_path / "served.db", thread_id) == 0
    if name in ("plain", "context", "generator"):
        assert rows(tmp_path / "own.db", thread_id) == len(history)
        assert rows(tmp_path / "own.db", copied) == 0


async def test_a_thread_goes_on_after_a_restart(serve: Serve, project: Project) -> None:
    settings = project("plain")
    async with serve(GRAPHS, settings) as served, get_client(url=served.url, api_key=None) as sdk:
        thread_id = (await sdk.threads.create())["thread_id"]
        await sdk.runs.wait(thread_id, "ask", input={"topic": "fish"})
    async with serve(GRAPHS, settings) as served, get_client(url=served.url, api_key=None) as sdk:
        answered: Any = await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"})
        assert answered["log"] == ["prepared", "asked", "finished"]


@pytest.mark.parametrize(("name", "left"), [("context", 0), ("plain", 2)])
async def test_a_run_that_is_rolled_back(
    serve: Serve, project: Project, gate: Gate, name: str, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    graphs = {"gated": gated(gate)}
    async with serve(graphs, project(name)) as served, get_client(url=served.url, api_key=None) as sdk:
        thread_id = (await sdk.threads.create())["thread_id"]
        run = await sdk.runs.create(thread_id, "gated", input={"name": "a"})
        async with asyncio.timeout(10):
            await gate.reached.wait()
        await sdk.runs.cancel(thread_id, run["run_id"], wait=True, action="rollback")
        assert await sdk.runs.list(thread_id) == []
        assert (await sdk.threads.get(thread_id))["status"] == "idle"
        assert len([one for one in await sdk.threads.get_history(thread_id) if one["metadata"]["step"] >= 0]) == left
    assert ("checkpoints of a run not deleted" in caplog.messages) is (left > 0)


async def test_pruning(serve: Serve, project: Project) -> None:
    async with serve(GRAPHS, project("context")) as served, get_client(url=served.url, api_key=None) as sdk:
        thread_id = (await sdk.threads.create())["thread_id"]
        await sdk.runs.wait(thread_id, "ask", input={"topic": "fish"})
        assert await sdk.threads.prune([thread_id], strategy="keep_latest") == {"pruned_count": 1}
        assert len(await sdk.threads.get_history(thread_id)) == 1
        answered: Any = await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"})
        assert answered["log"] == ["prepared", "asked", "finished"]


@pytest.mark.parametrize(("name", "sentence"), [
    ("missing", "cannot be loaded: it has no attribute 'missing'"),
    ("number", "a BaseCheckpointSaver or a function that gives one is expected, got int"),
    ("broken", "it cannot be opened: ConnectionError: no such host"),
    ("nothing", "it must give a BaseCheckpointSaver, and gave NoneType"),
    ("blocking", "SqliteSaver does not implement aput_writes, adelete_thread: take its async sibling"),
    ("BaseCheckpointSaver", "BaseCheckpointSaver does not implement aget_tuple, alist, aput, aput_writes"),
])  # fmt: skip
async def test_what_cannot_be_used_stops_the_start(serve: Serve, project: Project, name: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with serve(GRAPHS, project(name)):
            pass


async def test_a_file_that_is_not_there_stops_the_start(serve: Serve) -> None:
    with pytest.raises(SettingsError, match=r"threads.path './none.py:saver' cannot be loaded: there is no such file"):
        async with serve(GRAPHS, {"threads": {"path": "./none.py:saver"}}):
            pass


async def test_encryption_beside_it_stops_the_start(serve: Serve, project: Project, tmp_path: Path) -> None:
    file = tmp_path / "sealing.py"
    key = os.urandom(32).hex()
    file.write_text(f"from tests.core.storage.handlers import aes\nencryption = aes(bytes.fromhex({key!r}))\n")
    settings = {**project("plain"), "encryption": {"path": f"{file}:encryption"}}
    with pytest.raises(SettingsError, match="encryption cannot be used with"):
        async with serve(GRAPHS, settings):
            pass


async def test_the_start_says_what_is_weaker(serve: Serve, project: Project, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(GRAPHS, project("plain")):
        pass
    assert len([one for one in caplog.messages if one.startswith("checkpoints are kept by a saver")]) == 1
