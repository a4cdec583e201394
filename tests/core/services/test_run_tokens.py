"""A run has its caller's token wherever and whenever it is executed, and nobody else gets to see it."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run as TracedRun
from tests.core.conftest import OpenServer
from tests.core.cron_tools import EVERY_SECOND, Told, stored
from tests.core.token_graphs import TOKEN_NAME, described, digest, finding
from tests.races.graphs import Gate
from tests.races.replicas import everything

from longline.auth.kept_token import CALLER_TOKEN
from longline.auth.principal import LOCAL, Principal
from longline.auth.secrets import new_key
from longline.graphs.definition import GraphDefinition
from longline.models.crons import CronChange, CronSpec, NewCron
from longline.models.runs import RunQuery
from longline.services.assistants import NewAssistant
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.services.threads import HistoryQuery

pytestmark = pytest.mark.anyio

TOKEN = "eyJ-Zq8-never-to-be-seen-7fA3"
EXECUTION = "longline.runs.execution"
MODES = ("values", "updates", "messages", "messages-tuple", "events", "debug", "tasks", "checkpoints", "custom")
BOTH = {CALLER_TOKEN: digest(TOKEN), TOKEN_NAME: digest(TOKEN)}


def ann(**lasts: float) -> Principal:
    """Who shows the token, which is worth something for so long."""
    expires_at = datetime.now(UTC) + timedelta(**lasts or {"hours": 1})
    return Principal(identity="ann", token=TOKEN, token_name=TOKEN_NAME, token_expires_at=expires_at)


async def found_by(server: Server, principal: Principal, **fields: object) -> dict[str, str]:
    """What a run of this caller finds."""
    _, reader = await server.runs.watch(principal, RunRequest(**{"assistant": "g", "input": {}, **fields}))
    with reader:
        end = await reader.wait_for_end(20)
    assert end is not None
    assert end.failure is None
    found: dict[str, str] = orjson.loads(end.result)["found"]
    return found


def lines(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, object]]:
    return [vars(record) for record in caplog.records if record.name == EXECUTION and record.message == message]


async def test_a_run_finds_its_callers_token_as_a_handle(open_server: OpenServer) -> None:
    async with open_server({"g": finding()}) as server:
        assert await found_by(server, ann()) == BOTH
        assert await found_by(server, replace(ann(), token_name=None)) == {CALLER_TOKEN: digest(TOKEN)}
        thread = await server.threads.create(ann())
        assert await found_by(server, ann(), thread_id=thread.thread_id) == BOTH


async def test_a_caller_without_a_token_gives_none(open_server: OpenServer) -> None:
    async with open_server({"g": finding()}) as server:
        assert await found_by(server, LOCAL) == {}
        assert await found_by(server, Principal(identity="bob")) == {}


@pytest.mark.parametrize(("lasts", "expected"), [({"hours": 1}, BOTH), ({"hours": -1}, {})])
async def test_nobody_passes_anything_else_off_as_the_token(
    open_server: OpenServer, lasts: dict[str, float], expected: dict[str, str]
) -> None:
    forged = {CALLER_TOKEN: "forged", TOKEN_NAME: "forged"}
    definition = GraphDefinition(graph_id="g", origin="test", load=finding, defaults={TOKEN_NAME: "forged"})
    async with open_server({"g": definition, "context": finding(in_context=True)}) as server:
        principal = ann(**lasts)
        new = NewAssistant(graph_id="g", config={"configurable": forged}, context=forged)
        assistant = (await server.assistants.create(principal, new)).assistant_id
        for said in ({}, {"config": {"configurable": forged}}, {"context": forged}, {"headers": forged}):
            assert await found_by(server, principal, assistant=assistant, **said) == expected
        assert await found_by(server, principal, assistant="context", context=forged) == {}


@pytest.mark.parametrize(
    ("principal", "reason"),
    [(ann(hours=-1), "expired"), (replace(ann(), token=None), "lost")],
)
async def test_a_run_goes_on_without_a_token_that_cannot_be_used_and_the_log_says_so_once(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture, principal: Principal, reason: str
) -> None:
    caplog.set_level(logging.WARNING, logger=EXECUTION)
    async with open_server({"g": finding()}) as server:
        thread = await server.threads.create(principal)
        assert await found_by(server, principal, thread_id=thread.thread_id) == {}
        (run,) = await server.runs.search(principal, RunQuery(thread_id=thread.thread_id))
    (line,) = lines(caplog, "caller token not usable")
    assert (line["run_id"], line["reason"]) == (run.run_id, reason)


@pytest.mark.parametrize("has_key", [True, False])
async def test_runs_that_a_restart_finds_have_their_token_if_its_key_outlives_the_process(
    open_server: OpenServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, has_key: bool
) -> None:
    caplog.set_level(logging.WARNING, logger=EXECUTION)
    key, gate = new_key() if has_key else "", Gate()
    async with open_server({"g": finding(gate)}, key=key) as server:
        thread_id = (await server.threads.create(ann())).thread_id
        request = RunRequest(assistant="g", thread_id=thread_id, input={})
        begun, waiting = [await server.runs.create(ann(), request) for _ in range(2)]
        await asyncio.wait_for(gate.reached.wait(), 20)
    async with stored(tmp_path) as storage:
        rows = await storage.runs.search(RunQuery(thread_id=thread_id))
        assert [TOKEN in (row.token or TOKEN) for row in rows] == [False, False]
    gate.opened.set()
    told = Told()
    async with open_server({"g": finding(gate)}, key=key, listeners=[told]) as server:
        await told.wait(2, ended=True)
        assert told.ended == [begun.run_id, waiting.run_id]
        state = (await server.threads.get(ann(), thread_id)).values
        assert orjson.loads(state)["found"] == (BOTH if has_key else {})
    said = [(line["run_id"], line["reason"]) for line in lines(caplog, "caller token not usable")]
    lost = [(run.run_id, "sealed with another key") for run in (begun, waiting)]
    assert said == ([] if has_key else lost)
    async with stored(tmp_path) as storage:
        assert [run.token for run in await storage.runs.search(RunQuery(thread_id=thread_id))] == [None, None]


async def test_each_run_of_a_cron_has_the_token_of_who_made_it(open_server: OpenServer, tmp_path: Path) -> None:
    key, told = new_key(), Told()
    async with open_server({"g": finding()}, key=key) as server:
        new = NewCron(assistant="g", schedule=EVERY_SECOND, spec=CronSpec(input={}), keeps_threads=True)
        cron = await server.crons.create(ann(), new)
    assert TOKEN not in repr(cron)
    async with open_server({"g": finding()}, key=key, listeners=[told]) as server:
        for run in (await told.wait(2, ended=True))[:2]:
            state = (await server.threads.get(ann(), run.thread_id)).values
            assert orjson.loads(state)["found"] == BOTH
    async with stored(tmp_path) as storage:
        creator = (await storage.crons.get(cron.cron_id)).creator
    assert (creator["identity"], creator["token_name"], TOKEN in str(creator["token"])) == ("ann", TOKEN_NAME, False)


@pytest.mark.parametrize(("lasts", "same_key", "reason"), [(-1, True, "expired"), (1, False, "lost")])
async def test_runs_of_a_cron_whose_makers_token_is_worth_nothing_any_more_say_so(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture, lasts: float, same_key: bool, reason: str
) -> None:
    caplog.set_level(logging.WARNING, logger=EXECUTION)
    key, told = new_key(), Told()
    spec = CronSpec(input={}, config={"configurable": {TOKEN_NAME: "forged"}})
    async with open_server({"g": finding()}, key=key) as server:
        new = NewCron(assistant="g", schedule=EVERY_SECOND, spec=spec, keeps_threads=True, enabled=False)
        cron = await server.crons.create(ann(hours=lasts), new)
    async with open_server({"g": finding()}, key=key if same_key else new_key(), listeners=[told]) as server:
        await server.crons.update(ann(), cron.cron_id, CronChange(enabled=True))
        run = (await told.wait(1, ended=True))[0]
        assert orjson.loads((await server.threads.get(ann(), run.thread_id)).values)["found"] == {}
    said = {line["run_id"]: line["reason"] for line in lines(caplog, "caller token not usable")}
    assert said[run.run_id] == reason


class Traces(BaseTracer):
    """Keeps all that tracers are told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[TracedRun] = []

    def _persist_run(self, run: TracedRun) -> None:
        self.told.append(run)


async def test_the_token_is_in_no_stream_checkpoint_row_trace_log_or_answer(
    open_server: OpenServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[object] = []
    modes: set[str] = set()
    traces = Traces()
    async with open_server({"g": finding().with_config(callbacks=[traces])}, listeners=[told := Told()]) as server:
        thread_id = (await server.threads.create(ann())).thread_id
        for asked_for in (MODES, ("values",)):
            request = RunRequest(
                assistant="g", thread_id=thread_id, input={}, stream_modes=asked_for, subgraphs=True, resumable=True,
                webhook="https://example.com/hook",
            )  # fmt: skip
            run, reader = await server.runs.watch(ann(), request)
            events = await everything(reader)
            assert reader.end.failure is None
            said += [run, *(event.data.decode() for event in events)]
            modes |= {event.mode.partition("/")[0] for event in events}
        said += await server.runs.search(ann(), RunQuery(thread_id=thread_id))
        said += [await server.runs.get(ann(), thread_id, run.run_id), await server.threads.get(ann(), thread_id)]
        said += await server.threads.history(ann(), thread_id, HistoryQuery(limit=100))
        waiting = await server.runs.create(ann(), RunRequest(assistant="g", input={}, after_seconds=600))
    assert (waiting.token, run.token) == (None, None)
    assert told.created[-1].token is not None
    said += [repr(one) for one in (*told.created, *traces.told)]
    said += [vars(record) for record in caplog.records]
    assert BOTH[CALLER_TOKEN] in repr(said)
    assert traces.told
    assert TOKEN not in repr(said)
    for file in tmp_path.glob("server.db*"):
        assert TOKEN.encode() not in file.read_bytes(), file
    assert all("longline-sealed" not in repr(one) for one in said)
    assert modes >= {"values", "updates", "messages", "events", "debug", "tasks", "checkpoints", "custom"}


async def test_only_what_executes_a_run_gets_the_token(open_server: OpenServer) -> None:
    made: list[tuple[bool, dict[str, str]]] = []

    def factory(config: RunnableConfig) -> object:
        configurable = config["configurable"]
        made.append((configurable["__is_for_execution__"], described(configurable)))
        return finding()

    async with open_server({"g": factory}) as server:
        thread_id = (await server.threads.create(ann())).thread_id
        assert await found_by(server, ann(), thread_id=thread_id) == BOTH
        await server.threads.state(ann(), thread_id)
        await server.threads.update_state(ann(), thread_id, values={"found": {}}, as_node="wait")
    assert made[0] == (True, BOTH)
    assert len(made) > 2
    assert {(is_for_execution, bool(found)) for is_for_execution, found in made[1:]} == {(False, False)}


async def test_what_a_graph_was_bound_with_is_logged_by_name(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=EXECUTION)
    async with open_server({"g": finding()}) as server:
        thread_id = (await server.threads.create(ann())).thread_id
        config = {"configurable": {"model_name": "m", "api_key": "sk-1"}}
        await found_by(server, ann(), thread_id=thread_id, config=config)
        (run,) = await server.runs.search(ann(), RunQuery(thread_id=thread_id))
    (line,) = lines(caplog, "graph bound")
    assert (line["run_id"], line["graph_id"]) == (run.run_id, "g")
    assert line["keys"] == sorted(line["keys"])
    assert {"model_name", "api_key", TOKEN_NAME, "thread_id"} <= set(line["keys"])
    assert not [key for key in line["keys"] if key.startswith("__")]
