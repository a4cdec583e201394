"""Runs tell the receiver how they ended: what is sent, when, how often, and what survives."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from tests.plugins.protocol_langgraph import graphs
from tests.plugins.webhooks.conftest import Serve, states, until_states
from tests.plugins.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

COUNT = {"count": graphs.counting()}


def failing() -> object:
    def fail(state: graphs.Count) -> graphs.Count:
        raise ValueError("boom: deliberate failure")

    builder = graphs.StateGraph(graphs.Count)
    builder.add_node("fail", fail)
    builder.add_edge(graphs.START, "fail")
    return builder.compile()


def gated(gate: asyncio.Event) -> object:
    async def wait(state: graphs.Count) -> graphs.Count:
        await gate.wait()
        return {"x": 1}

    builder = graphs.StateGraph(graphs.Count)
    builder.add_node("wait", wait)
    builder.add_edge(graphs.START, "wait")
    return builder.compile()


async def test_the_payload_is_the_run_as_the_api_shows_it_with_its_times_and_values(
    serve: Serve, receiver: Receiver
) -> None:
    async with serve(COUNT, headers={"x-hook": "h1"}) as served:
        client = served.client
        thread = await client.threads.create()
        body: dict[str, Any] = {"webhook": receiver.url, "metadata": {"m": 1}, "config": {"tags": ["t"]}}
        await client.runs.wait(thread["thread_id"], "count", input={"x": 1}, **body)
        (call,) = await receiver.wait_for(1)
        (run,) = await client.runs.list(thread["thread_id"])
        assert (call.method, call.path) == ("POST", "/hook")
        assert call.headers["content-type"] == "application/json"
        assert call.headers["x-hook"] == "h1"
        assert call.headers["longline-delivery"] == run["run_id"]
        assert call.headers["longline-attempt"] == "1"
        assert call.headers["user-agent"].startswith("longline/")
        sent = call.json
        assert {key: sent.get(key) for key in run if key != "updated_at"} == {
            key: value for key, value in run.items() if key != "updated_at"
        }
        assert list(sent) == [*run, "run_started_at", "run_ended_at", "values", "webhook_sent_at"]
        times = [sent[key] for key in ("created_at", "run_started_at", "run_ended_at", "webhook_sent_at")]
        assert times == sorted(times)
        assert sent["values"] == {"x": 2}
        assert sent["kwargs"]["config"]["metadata"]["run_attempt"] == 1
        assert await until_states(served, lambda found: not found) == []


async def test_a_failure_and_an_interrupt_are_told(serve: Serve, receiver: Receiver) -> None:
    async with serve({"fail": failing(), "ask": graphs.asking()}) as served:
        client = served.client
        thread = await client.threads.create()
        await client.runs.wait(thread["thread_id"], "fail", input={"x": 1}, webhook=receiver.url, raise_error=False)
        (failed,) = await receiver.wait_for(1)
        assert failed.json["error"] == {"error": "ValueError", "message": "boom: deliberate failure"}
        assert (failed.json["status"], failed.json["values"]) == ("error", {"x": 1})
        thread = await client.threads.create()
        await client.runs.wait(thread["thread_id"], "ask", input={"topic": "1"}, webhook=receiver.url)
        (_, asked) = await receiver.wait_for(2)
        assert (asked.json["status"], asked.json["values"]["topic"]) == ("success", "1")
        assert "error" not in asked.json


async def test_a_run_whose_thread_goes_with_it_is_told_too(serve: Serve, receiver: Receiver) -> None:
    async with serve(COUNT) as served:
        assert await served.client.runs.wait(None, "count", input={"x": 4}, webhook=receiver.url) == {"x": 5}
        (call,) = await receiver.wait_for(1)
        assert (call.json["values"], call.json["status"]) == ({"x": 5}, "success")
        assert call.json["kwargs"]["temporary"] is True
        threads = await served.client.threads.search()
        assert threads == []


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_runs_that_are_cancelled_before_they_start_or_while_they_run_are_told(
    serve: Serve, receiver: Receiver, action: str
) -> None:
    async with serve({"wait": gated(asyncio.Event())}) as served:
        client = served.client
        thread_id = (await client.threads.create())["thread_id"]
        running = await client.runs.create(thread_id, "wait", input={}, webhook=receiver.url)
        waiting = await client.runs.create(thread_id, "wait", input={}, webhook=receiver.url)
        await client.runs.cancel(thread_id, waiting["run_id"], action=action)
        (call,) = await receiver.wait_for(1)
        assert (call.json["run_id"], call.json["status"]) == (waiting["run_id"], "interrupted")
        assert (call.json["run_started_at"], call.json["values"]) == (None, None)
        assert call.json["error"]["error"] == ("UserRollback" if action == "rollback" else "UserInterrupt")
        await client.runs.cancel(thread_id, running["run_id"], action=action, wait=True)
        calls = await receiver.wait_for(2)
        assert (calls[1].json["run_id"], calls[1].json["status"]) == (running["run_id"], "interrupted")
        assert calls[1].json["run_started_at"] is not None


async def test_a_run_that_a_newer_one_displaces_is_told(serve: Serve, receiver: Receiver) -> None:
    gate = asyncio.Event()
    async with serve({"wait": gated(gate)}) as served:
        client = served.client
        thread_id = (await client.threads.create())["thread_id"]
        first = await client.runs.create(thread_id, "wait", input={}, webhook=receiver.url)
        second = await client.runs.create(thread_id, "wait", input={}, webhook=receiver.url)
        third = await client.runs.create(
            thread_id, "wait", input={}, webhook=receiver.url, multitask_strategy="interrupt"
        )
        calls = await receiver.wait_for(2)
        assert {call.json["run_id"] for call in calls} == {first["run_id"], second["run_id"]}
        assert {call.json["status"] for call in calls} == {"interrupted"}
        gate.set()
        calls = await receiver.wait_for(3)
        assert (calls[2].json["run_id"], calls[2].json["status"]) == (third["run_id"], "success")


async def test_a_receiver_that_fails_twice_gets_the_same_delivery_a_third_time(
    serve: Serve, receiver: Receiver
) -> None:
    receiver.answers += [(500, {}), (429, {"retry-after": "0"})]
    async with serve(COUNT) as served:
        await served.client.runs.wait(None, "count", input={"x": 1}, webhook=receiver.url)
        calls = await receiver.wait_for(3)
        assert len({call.headers["longline-delivery"] for call in calls}) == 1
        assert [call.headers["longline-attempt"] for call in calls] == ["1", "2", "3"]
        bodies = [{**call.json, "webhook_sent_at": None} for call in calls]
        assert bodies[0] == bodies[1] == bodies[2]
        await until_states(served, lambda found: not found)


async def test_a_receiver_that_is_away_gets_it_when_it_is_back(serve: Serve, receiver: Receiver) -> None:
    gone = receiver.url.replace(str(receiver.port), "1")
    async with serve(COUNT, attempts=3) as served:
        await served.client.runs.wait(None, "count", input={"x": 1}, webhook=gone)
        (state,) = await until_states(served, lambda found: bool(found) and found[0]["state"] == "failed")
        assert (state["host"], state["reason"]) == ("127.0.0.1", "ConnectError")
        assert receiver.calls == []


@pytest.mark.parametrize(
    ("answers", "calls", "reason"),
    [
        ([(500, {})] * 3, 3, "status 500"),
        ([(404, {})], 1, "status 404"),
        ([(302, {"location": "/elsewhere"})], 1, "status 302"),
    ],
)
async def test_what_cannot_be_delivered_is_given_up_with_one_line(
    serve: Serve,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    answers: list[Any],
    calls: int,
    reason: str,
) -> None:
    receiver.answers += answers
    secret = "token-in-the-url"
    async with serve(COUNT, attempts=3, headers={"x-key": "key-in-a-header"}) as served:
        with caplog.at_level(logging.DEBUG):
            await served.client.runs.wait(None, "count", input={"x": 1}, webhook=f"{receiver.url}?key={secret}")
            (state,) = await until_states(served, lambda found: bool(found) and found[0]["state"] == "failed")
    assert (len(receiver.calls), state["reason"]) == (calls, reason)
    assert "payload" not in state
    assert "url" not in state
    lines = [record for record in caplog.records if record.name.startswith("longline_webhooks")]
    assert [record.message for record in lines if record.levelno > logging.INFO] == ["webhook given up"]
    told = [str(record.__dict__) for record in lines]
    assert not [text for text in told if secret in text or "key-in-a-header" in text]


async def test_a_restart_delivers_what_was_left(serve: Serve, receiver: Receiver) -> None:
    receiver.answers += [(503, {})]
    async with serve(COUNT, first_retry_seconds=300) as served:
        await served.client.runs.wait(None, "count", input={"x": 1}, webhook=receiver.url)
        await receiver.wait_for(1)
        await until_states(served, lambda found: bool(found) and found[0].get("reason") == "status 503")
    async with serve(COUNT) as served:
        deliveries = served.server.collections.documents("webhooks.deliveries")
        (left,) = (await deliveries.search("")).items
        await deliveries.put("", left.key, left.value, due_at=left.created_at)
        calls = await receiver.wait_for(2)
        assert calls[0].json["run_id"] == calls[1].json["run_id"]
        assert calls[1].headers["longline-attempt"] == "2"


async def test_a_call_that_was_cut_off_by_the_end_of_the_server_is_made_again_at_the_next_start(
    serve: Serve, receiver: Receiver
) -> None:
    receiver.hold = held = asyncio.Event()
    async with serve(COUNT) as served:
        await served.client.runs.wait(None, "count", input={"x": 1}, webhook=receiver.url)
        await receiver.wait_for(1)
    receiver.hold = None
    held.set()
    async with serve(COUNT) as served:
        calls = await receiver.wait_for(2)
        assert [call.headers["longline-attempt"] for call in calls] == ["1", "2"]
        await until_states(served, lambda found: not found)


async def test_a_slow_receiver_holds_up_no_run_and_only_so_many_calls_are_made_at_once(
    serve: Serve, receiver: Receiver
) -> None:
    receiver.hold = asyncio.Event()
    async with serve(COUNT, concurrency=2) as served:
        for number in range(5):
            assert await served.client.runs.wait(None, "count", input={"x": number}, webhook=receiver.url)
        await receiver.wait_for(2)
        assert len(await states(served)) == 5
        receiver.hold.set()
        await receiver.wait_for(5)
        await until_states(served, lambda found: not found)
        assert receiver.most_at_once == 2


async def test_no_secret_of_a_run_is_stored_in_clear_or_sent(serve: Serve, receiver: Receiver, tmp_path: Any) -> None:
    receiver.answers += [(500, {})]
    config = {"configurable": {"my_api_key": "sk-very-secret", "other": 1}}
    async with serve(COUNT, headers={"authorization": "Bearer of-the-receiver"}, first_retry_seconds=300) as served:
        client = served.client
        await client.runs.wait(None, "count", input={"x": 1}, config=config, webhook=receiver.url)
        (call,) = await receiver.wait_for(1)
        assert call.json["kwargs"]["config"]["configurable"]["my_api_key"] == "***"
        assert call.json["kwargs"]["config"]["configurable"]["other"] == 1
        assert call.headers["authorization"] == "Bearer of-the-receiver"
        await until_states(served, lambda found: bool(found) and "reason" in found[0])
        kept = json.dumps(await states(served))
        stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert "sk-very-secret" not in kept
    assert b"sk-very-secret" not in stored
    assert b"of-the-receiver" not in stored


async def test_a_path_of_this_server_is_called_without_a_socket_and_without_credentials(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = {"static_tokens": {"tokens": {"ann": "token-of-ann-1234"}}}
    async with serve(COUNT, sections=tokens) as served:
        ann = {"Authorization": "Bearer token-of-ann-1234"}
        async with httpx.AsyncClient(base_url=served.url, headers=ann) as client:
            for path in ("/threads", "/nowhere"):
                body = {"assistant_id": "count", "input": {"x": 1}, "webhook": path}
                answer = await client.post("/runs/wait", json=body)
                assert (answer.status_code, answer.json()) == (200, {"x": 2})
            found = await until_states(
                served, lambda found: len(found) == 2 and {state["state"] for state in found} == {"failed"}
            )
    assert [(state["host"], state["reason"]) for state in found] == [("this server", "status 401")] * 2


async def test_a_path_of_this_server_that_takes_it_gets_it(serve: Serve) -> None:
    async with serve(COUNT) as served:
        client = served.client
        await client.runs.wait(None, "count", input={"x": 1}, webhook="/threads?from=a%20run")
        await until_states(served, lambda found: not found)
        (thread,) = await client.threads.search()
        assert thread["status"] == "idle"
