"""Tasks tell how they go: what is sent, when, how often, and what survives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from a2a.types import StreamResponse, TaskState
from google.protobuf.json_format import ParseDict
from tests.plugins.protocol_a2a.push_site import (
    call,
    config,
    configs,
    gated,
    ids,
    make_due,
    open_server,
    start,
    stored,
    task_request,
    tell_again,
    until,
)
from tests.plugins.protocol_langgraph import graphs
from tests.plugins.webhooks.receiver import Receiver, receiving

from longline.auth.principal import LOCAL, Principal
from longline.errors import StorageAwayError
from longline.models.chains import ChainHead
from longline.models.runs import CancelRequest, Run
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_protocol_a2a.names import MESSAGE_KEY, task_id_of

pytestmark = pytest.mark.anyio

COUNT = {"count": graphs.counting()}
LONG = {"first_retry_seconds": 300}


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def test_the_end_of_a_task_is_told_with_the_callers_credentials(tmp_path: Path, receiver: Receiver) -> None:
    async with open_server(tmp_path, COUNT) as server:
        run = await start(server, "count", receiver.url, name="c1", token="the-token", bearer="the-bearer")
        (told,) = await receiver.wait_for(1)
        assert (told.method, told.headers["content-type"]) == ("POST", "application/json")
        assert told.headers["authorization"] == "Bearer the-bearer"
        assert told.headers["x-a2a-notification-token"] == "the-token"
        assert told.headers["longline-attempt"] == "1"
        assert told.headers["longline-delivery"].startswith(run.run_id)
        assert "longline-signature" not in told.headers
        assert list(told.json) == ["task"]
        task = ParseDict(told.json, StreamResponse()).task
        assert (task.id, task.context_id) == (task_id_of(run), run.thread_id)
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        await until(server, "calls", lambda found: not found)
        await until(server, "endings", lambda found: not found)


async def test_a_client_of_0_3_is_told_in_its_own_words(tmp_path: Path, receiver: Receiver) -> None:
    async with open_server(tmp_path, COUNT) as server:
        run = await start(server, "count", receiver.url, version="0.3")
        (told,) = await receiver.wait_for(1)
        assert (told.json["kind"], told.json["id"]) == ("task", task_id_of(run))
        assert (told.json["contextId"], told.json["status"]["state"]) == (run.thread_id, "completed")


async def test_nobody_else_is_told(tmp_path: Path, receiver: Receiver) -> None:
    async with open_server(tmp_path, COUNT) as server:
        other = RunRequest(assistant="count", keep_thread=True, input={"x": 1})
        await server.runs.join(LOCAL, *ids(await server.runs.create(LOCAL, other)))
        quiet = await server.runs.create(LOCAL, task_request("count", str(uuid4()), input={"x": 1}))
        await server.runs.join(LOCAL, *ids(quiet))
        run = await start(server, "count", receiver.url)
        (told,) = await receiver.wait_for(1)
        assert told.json["task"]["id"] == task_id_of(run)
        await until(server, "endings", lambda found: not found)
        assert len(receiver.calls) == 1


async def test_each_config_is_told_and_one_that_is_removed_is_not(tmp_path: Path, receiver: Receiver) -> None:
    gate = asyncio.Event()
    async with open_server(tmp_path, {"wait": gated(gate)}) as server:
        run = await start(server, "wait", receiver.url, name="c1")
        task_id = str(task_id_of(run))
        for name in ("c2", "c3"):
            await configs(server).create(call(), task_id, config(f"{receiver.url}?{name}", name=name))
        await configs(server).delete(call(), task_id, "c2")
        gate.set()
        calls = await receiver.wait_for(2)
        await until(server, "endings", lambda found: not found)
        await until(server, "calls", lambda found: not found)
        assert sorted(one.path for one in calls) == ["/hook", "/hook?c3"]
        assert len({one.headers["longline-delivery"] for one in calls}) == 2


async def test_removing_a_config_ends_the_tries_and_a_changed_one_is_told_at_its_new_place(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers += [(503, {})]
    async with open_server(tmp_path, COUNT, **LONG) as server:
        run = await start(server, "count", receiver.url, name="c1")
        await until(server, "calls", lambda found: bool(found) and found[0].get("reason") == "status 503")
        await configs(server).create(call(), str(task_id_of(run)), config(f"{receiver.url}/new", name="c1"))
        await make_due(server)
        calls = await receiver.wait_for(2)
        assert [one.path for one in calls] == ["/hook", "/hook/new"]
        receiver.answers += [(503, {})]
        gone = await start(server, "count", receiver.url, name="c1")
        await until(server, "calls", lambda found: any(one.get("reason") == "status 503" for one in found))
        await configs(server).delete(call(), str(task_id_of(gone)), "c1")
        await make_due(server)
        await until(server, "calls", lambda found: not found)
        assert len(receiver.calls) == 3


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_task_that_is_cancelled_before_it_starts_or_while_it_runs_is_told(
    tmp_path: Path, receiver: Receiver, action: Any
) -> None:
    async with open_server(tmp_path, {"wait": gated(asyncio.Event())}) as server:
        running = await start(server, "wait", receiver.url)
        await server.runs.cancel(
            LOCAL, running.thread_id, [running.run_id], CancelRequest(action=action, reason="stopped")
        )
        (told,) = await receiver.wait_for(1)
        assert told.json["task"]["status"]["state"] == "TASK_STATE_CANCELED"


async def _resume(server: Server, waiting: Run, principal: Principal = LOCAL) -> Run:
    head = await server.runs.get(principal, *ids(waiting))
    return await server.runs.create(
        principal,
        RunRequest(
            assistant="ask", thread_id=head.thread_id, chain_id=head.chain_id, metadata={MESSAGE_KEY: "m2"},
            follows=ChainHead(run_id=head.run_id, verdict=head.verdict), command={"resume": "yes"},
        ),
    )  # fmt: skip


async def test_a_task_that_waits_tells_so_and_tells_again_when_it_is_over(tmp_path: Path, receiver: Receiver) -> None:
    async with open_server(tmp_path, {"ask": graphs.asking()}) as server:
        run = await start(server, "ask", receiver.url)
        (waiting,) = await receiver.wait_for(1)
        assert waiting.json["task"]["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
        assert waiting.json["task"]["status"]["message"]["parts"][0]["data"] == {"question": "t"}
        await _resume(server, run)
        (_, over) = await receiver.wait_for(2)
        assert over.json["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
        assert {one.json["task"]["id"] for one in receiver.calls} == {task_id_of(run)}
        assert len({one.headers["longline-delivery"] for one in receiver.calls}) == 2


async def test_what_is_told_late_is_the_task_as_it_was(tmp_path: Path, receiver: Receiver) -> None:
    async with open_server(tmp_path, {"ask": graphs.asking()}) as server:
        run = await start(server, "ask", receiver.url)
        (first,) = await receiver.wait_for(1)
        over = await _resume(server, run)
        await receiver.wait_for(2)
        head = await server.runs.get(LOCAL, *ids(run))
        await tell_again(server, head)
        (_, _, again) = await receiver.wait_for(3)
        assert over.chain_id == run.chain_id
        assert again.json == first.json
        assert again.headers["longline-delivery"] == first.headers["longline-delivery"]


def _giving_up(server: Server, head: Run) -> Callable[[], Awaitable[bool]]:
    seen = ChainHead(run_id=head.run_id, verdict=head.verdict)
    return partial(server.runs.give_up, LOCAL, head.thread_id, seen)


async def test_a_waiting_task_that_is_given_up_is_told_once(tmp_path: Path, receiver: Receiver) -> None:
    async with open_server(tmp_path, {"ask": graphs.asking()}) as server:
        run = await start(server, "ask", receiver.url)
        await receiver.wait_for(1)
        head = await server.runs.get(LOCAL, *ids(run))
        tell = configs(server).tell_given_up
        done = await asyncio.gather(*(tell(head, _giving_up(server, head)) for _ in range(3)))
        assert sorted(done) == [False, False, True]
        await receiver.wait_for(2)
        await until(server, "endings", lambda found: not found)
        await until(server, "calls", lambda found: not found)
        states = [one.json["task"]["status"]["state"] for one in receiver.calls]
        assert states == ["TASK_STATE_INPUT_REQUIRED", "TASK_STATE_CANCELED"]


@pytest.mark.parametrize("happens", [True, False])
async def test_who_is_cut_off_while_a_task_is_given_up_tells_what_happened(
    tmp_path: Path, receiver: Receiver, happens: bool
) -> None:
    async with open_server(tmp_path, {"ask": graphs.asking()}) as server:
        run = await start(server, "ask", receiver.url)
        await receiver.wait_for(1)
        head = await server.runs.get(LOCAL, *ids(run))

        async def cut_off() -> bool:
            if happens:
                assert await _giving_up(server, head)()
            raise StorageAwayError("gone")

        with pytest.raises(StorageAwayError):
            await configs(server).tell_given_up(head, cut_off)
        endings = server.collections.documents("protocol_a2a.push_endings")
        (left,) = (await endings.search("")).items
        await endings.put("", left.key, left.value, due_at=left.created_at)
        await until(server, "endings", lambda found: not found)
        await until(server, "calls", lambda found: not found)
        states = [one.json["task"]["status"]["state"] for one in receiver.calls]
        assert states == ["TASK_STATE_INPUT_REQUIRED", *(["TASK_STATE_CANCELED"] if happens else [])]


async def test_who_may_not_see_a_task_any_more_is_not_told(tmp_path: Path, receiver: Receiver) -> None:
    ann, bob = Principal(identity="ann"), Principal(identity="bob")
    async with open_server(tmp_path, {"wait": gated(gate := asyncio.Event())}) as server:
        run = await start(server, "wait", f"{receiver.url}/ann", ann)
        await configs(server).create(call(bob), str(task_id_of(run)), config(f"{receiver.url}/bob"))
        gate.set()
        (told,) = await receiver.wait_for(1)
        await until(server, "endings", lambda found: not found)
        await until(server, "calls", lambda found: not found)
        assert (told.path, len(receiver.calls)) == ("/hook/ann", 1)


async def test_a_task_whose_thread_was_removed_is_told_to_nobody(tmp_path: Path, receiver: Receiver) -> None:
    async with open_server(tmp_path, COUNT) as server:
        run = await start(server, "count", receiver.url)
        await receiver.wait_for(1)
        head = await server.runs.get(LOCAL, *ids(run))
        await server.threads.delete(LOCAL, run.thread_id)
        await tell_again(server, head)
        await until(server, "endings", lambda found: not found)
        assert (await stored(server, "calls"), len(receiver.calls)) == ([], 1)


def _swelling() -> object:
    builder = graphs.StateGraph(graphs.Notes)
    builder.add_node("swell", lambda state: {"topic": state["topic"] * 100_000})
    builder.add_edge(graphs.START, "swell")
    return builder.compile()


@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_of_what_is_too_large_the_state_is_told(tmp_path: Path, receiver: Receiver, version: str) -> None:
    async with open_server(tmp_path, {"swell": _swelling()}, max_payload_mib=0.05) as server:
        await start(server, "swell", receiver.url, version=version)
        (told,) = await receiver.wait_for(1)
        task = told.json["task"] if version == "1.0" else told.json
        assert task["status"]["state"] in ("TASK_STATE_COMPLETED", "completed")
        assert not task.get("artifacts")
        assert len(told.body) < 2_000
