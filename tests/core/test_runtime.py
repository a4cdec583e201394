"""Settings and plugins become a server that runs graphs, and everything it opened is closed in reverse."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from tests.core.conftest import InstallPlugin

from longline.asgi.mount import ProtocolMount
from longline.auth.principal import LOCAL
from longline.errors import (
    DuplicateNameError,
    StorageAwayError,
    StorageInUseError,
)
from longline.models.runs import RunStatus
from longline.runtime import OpenServer, Runtime
from longline.services.assistants import AssistantService
from longline.services.run_requests import RunRequest
from longline.testing.protocol_client import ask

pytestmark = pytest.mark.anyio

TINY = """
import asyncio
import threading
from functools import partial

from longline import hookimpl
from longline.asgi.mount import ProtocolMount
from longline.asgi.respond import json_response
from longline.graphs.definition import GraphDefinition
from longline.tasks import BackgroundTask

story = []
gate = asyncio.Event()
reached = asyncio.Event()
threads = threading.Barrier(8)


def build(step):
    from langgraph.graph import START, StateGraph
    from typing_extensions import TypedDict

    class State(TypedDict, total=False):
        n: int

    builder = StateGraph(State)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    return builder.compile()


def add_one(state):
    return {"n": state["n"] + 1}


async def wait(state):
    story.append("waiting")
    reached.set()
    await gate.wait()
    return {"n": 0}


def meet(state):
    threads.wait(20)
    return {"n": threading.active_count()}


@hookimpl
def register_graph_sources():
    graphs = {"add": add_one, "wait": wait, "meet": meet}
    return [GraphDefinition(graph_id=name, origin="tiny", load=partial(build, graphs[name])) for name in graphs]


class Lifespan:
    async def __aenter__(self):
        story.append("mount started")

    async def __aexit__(self, *error):
        story.append("mount stopped")


async def tick():
    story.append("task started")
    try:
        await asyncio.Event().wait()
    finally:
        story.append("task stopped")


async def finish():
    story.append("short task done")


@hookimpl
def register_background_tasks():
    return [BackgroundTask(name="tick", run=tick), BackgroundTask(name="finish", run=finish)]


@hookimpl
def register_protocols(server):
    async def app(scope, receive, send):
        await json_response(200, sorted(server.graphs.graph_ids))(scope, receive, send)

    return [ProtocolMount(path="/tiny", app=app, lifespan=Lifespan)]


@hookimpl
def describe_server(server):
    return {"tiny": {"kind": server.storage_facts.kind}}
"""


@pytest.fixture
def make_runtime(install_plugin: InstallPlugin, tmp_path: Path) -> Callable[..., Runtime]:
    install_plugin("tiny", TINY)

    def make(**server: object) -> Runtime:
        values = {"database": f"sqlite:///{tmp_path}/server.db", "drain_seconds": 0, **server}
        return Runtime(["tiny", "storage_sqlite"], {"server": values})

    return make


def plugin():
    import longline_example_tiny

    return longline_example_tiny


async def run_to_end(opened: OpenServer, graph_id: str, **fields: object):
    run, reader = await opened.server.runs.watch(LOCAL, RunRequest(assistant=graph_id, **fields))
    with reader:
        end = await reader.wait_for_end(20)
    assert end is not None, "the run did not end within 20 s"
    return run, end


async def test_an_open_server_runs_a_plugins_graph_and_serves_its_app(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime().open() as opened:
        _, end = await run_to_end(opened, "add", input={"n": 4})
        assert (end.status, orjson.loads(end.result)) == (RunStatus.SUCCESS, {"n": 5})
        assert (await ask(opened.app, "GET", "/tiny/x")).json == ["add", "meet", "wait"]
        assert opened.plugins == ("storage_sqlite", "tiny")
        assert opened.server.describe()["tiny"] == {"kind": "SQLite"}
        await opened.server.check_storage()


async def test_a_storage_that_goes_away_in_the_middle_of_a_start_is_waited_for_and_told_once(
    make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ensure, tries = AssistantService.ensure_graph_assistants, []

    async def broken_off(service: AssistantService) -> None:
        tries.append(service)
        if len(tries) < 3:
            raise StorageAwayError("the connection broke off")
        await ensure(service)

    monkeypatch.setattr(AssistantService, "ensure_graph_assistants", broken_off)
    async with make_runtime().open() as opened:
        _, end = await run_to_end(opened, "add", input={"n": 4})
    assert (end.status, len(tries)) == (RunStatus.SUCCESS, 3)
    assert [record.message for record in caplog.records].count("storage away at the start") == 1


async def test_what_starts_last_stops_first(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime().open():
        while "task started" not in plugin().story:
            await asyncio.sleep(0)
    assert plugin().story == ["mount started", "task started", "short task done", "task stopped", "mount stopped"]


async def test_a_run_that_does_not_end_in_time_is_handed_back_and_goes_on_after_a_restart(
    make_runtime: Callable[..., Runtime],
) -> None:
    async with make_runtime().open() as opened:
        request = RunRequest(assistant="wait", input={"n": 1}, keep_thread=True)
        run = await opened.server.runs.create(LOCAL, request)
        async with asyncio.timeout(20):
            await plugin().reached.wait()
        assert opened.server.scheduler.running_count == 1
    plugin().gate.set()
    async with make_runtime().open() as opened:
        _, reader = await opened.server.runs.join(LOCAL, run.thread_id, run.run_id)
        with reader:
            end = await reader.wait_for_end(20)
        assert end is not None
        assert end.status is RunStatus.SUCCESS
        assert (await opened.server.runs.get(LOCAL, run.thread_id, run.run_id)).status is RunStatus.SUCCESS
    assert plugin().story.count("waiting") == 2


async def test_a_run_that_ends_in_time_is_waited_for(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime(drain_seconds=20).open() as opened:
        run = await opened.server.runs.create(LOCAL, RunRequest(assistant="wait", input={"n": 1}, keep_thread=True))
        async with asyncio.timeout(20):
            await plugin().reached.wait()
        asyncio.get_running_loop().call_later(0.05, plugin().gate.set)
    async with make_runtime().open() as opened:
        assert (await opened.server.runs.get(LOCAL, run.thread_id, run.run_id)).status is RunStatus.SUCCESS
    assert plugin().story.count("waiting") == 1


async def test_plain_functions_of_as_many_runs_as_allowed_run_side_by_side(
    make_runtime: Callable[..., Runtime],
) -> None:
    async with make_runtime(runs=8).open() as opened:
        ends = await asyncio.gather(*(run_to_end(opened, "meet", input={"n": 0}) for _ in range(8)))
        assert [end.status for _, end in ends] == [RunStatus.SUCCESS] * 8
        names = [thread.name for thread in threading.enumerate()]
        assert sum(name.startswith("longline-node") for name in names) >= 8
    async with asyncio.timeout(20):
        while any(thread.name.startswith("longline-node") for thread in threading.enumerate()):
            await asyncio.sleep(0.01)


async def test_after_closing_the_loop_can_still_use_threads(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime().open():
        pass
    assert await asyncio.to_thread(lambda: 5) == 5


async def test_the_file_is_free_again_after_closing_and_not_before(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime().open():
        with pytest.raises(StorageInUseError):
            async with make_runtime().open():
                pass
    async with make_runtime().open():
        pass


async def test_a_start_that_fails_closes_what_it_had_opened(
    make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self) -> None:
        raise OSError("no port")

    runtime = make_runtime()
    with monkeypatch.context() as patch:
        patch.setattr(plugin().Lifespan, "__aenter__", fail)
        with pytest.raises(OSError, match="no port"):
            async with runtime.open():
                pass
    assert "task started" not in plugin().story
    async with make_runtime().open() as opened:
        assert (await run_to_end(opened, "add", input={"n": 1}))[1].status is RunStatus.SUCCESS


async def test_a_graph_has_the_same_assistant_after_every_start(make_runtime: Callable[..., Runtime]) -> None:
    found = []
    for _ in range(2):
        async with make_runtime().open() as opened:
            found.append(await opened.server.assistants.resolve(LOCAL, "add"))
    assert found[0] == found[1]
    assert found[0].metadata == {"created_by": "system"}


async def test_a_trial_puts_everything_together_over_another_database_and_starts_nothing(
    make_runtime: Callable[..., Runtime], tmp_path: Path
) -> None:
    runtime = make_runtime()
    await runtime.try_assembly(f"sqlite:///{tmp_path}/trial.db")
    assert plugin().story == []
    assert not (tmp_path / "server.db").exists()


async def test_a_trial_shows_what_would_keep_the_server_from_starting(
    make_runtime: Callable[..., Runtime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime()

    def protocols(server: object) -> list[ProtocolMount]:
        raise DuplicateNameError("path", "/tiny", ["tiny", "other"])

    monkeypatch.setattr(runtime.host, "protocols", protocols)
    with pytest.raises(DuplicateNameError, match="/tiny"):
        await runtime.try_assembly(f"sqlite:///{tmp_path}/trial.db")
