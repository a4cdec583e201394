"""Receivers that are slow, broken, gone or not allowed, servers that end in between: nobody is lost, nothing leaks."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.protocol_a2a.push_site import (
    KEY,
    call,
    config,
    configs,
    ids,
    make_due,
    open_server,
    start,
    stored,
    until,
)
from tests.plugins.protocol_langgraph import graphs
from tests.plugins.webhooks.receiver import Receiver, receiving

from longline.auth.addresses import Address
from longline.auth.principal import LOCAL
from longline_protocol_a2a.names import task_id_of
from longline_protocol_a2a.push_service import deliver_pushes

pytestmark = pytest.mark.anyio

COUNT = {"count": graphs.counting()}
LONG = {"first_retry_seconds": 300}


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def test_a_receiver_that_fails_twice_gets_the_same_notification_a_third_time(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers += [(500, {}), (429, {"retry-after": "0"})]
    async with open_server(tmp_path, COUNT, signing_secret="s3cret") as server:
        await start(server, "count", receiver.url)
        calls = await receiver.wait_for(3)
        assert len({one.headers["longline-delivery"] for one in calls}) == 1
        assert len({one.body for one in calls}) == 1
        assert [one.headers["longline-attempt"] for one in calls] == ["1", "2", "3"]
        assert all(one.headers["longline-signature"].startswith("v1=") for one in calls)
        await until(server, "calls", lambda found: not found)


@pytest.mark.parametrize(
    ("answers", "calls", "reason"),
    [
        ([(500, {})] * 3, 3, "status 500"),
        ([(410, {})], 1, "status 410"),
        ([(307, {"location": "/elsewhere"})], 1, "status 307"),
    ],
)
async def test_what_cannot_be_delivered_is_given_up_with_one_line_and_no_secret(
    tmp_path: Path,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    answers: list[Any],
    calls: int,
    reason: str,
) -> None:
    receiver.answers += answers
    secrets = ("key-in-the-url", "the-secret-token", "the-secret-bearer")
    async with open_server(tmp_path, COUNT, attempts=3) as server:
        with caplog.at_level(logging.DEBUG):
            await start(server, "count", f"{receiver.url}?key={secrets[0]}", token=secrets[1], bearer=secrets[2])
            (state,) = await until(server, "calls", lambda found: bool(found) and found[0]["state"] == "failed")
        kept = json.dumps([await stored(server, name) for name in ("calls", "configs")])
    files = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert (len(receiver.calls), state["reason"], state["host"]) == (calls, reason, "127.0.0.1")
    assert "payload" not in state
    lines = [record for record in caplog.records if record.name.startswith("longline_protocol_a2a")]
    assert [one.getMessage() for one in lines if one.levelno > logging.INFO] == ["push notification given up"]
    told = " ".join(str(record.__dict__) for record in caplog.records)
    for secret in secrets:
        assert secret not in told
        assert secret not in kept
        assert secret.encode() not in files


async def test_a_slow_receiver_holds_up_no_task_and_is_cut_off(tmp_path: Path, receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    async with open_server(tmp_path, COUNT, timeout_seconds=0.3, concurrency=2, attempts=2) as server:
        runs = [await start(server, "count", receiver.url) for _ in range(3)]
        for run in runs:
            await server.runs.join(LOCAL, *ids(run))
        found = await until(
            server, "calls", lambda found: len(found) == 3 and {one["state"] for one in found} == {"failed"}
        )
        assert {one["reason"] for one in found} == {"TimeoutError"}


async def test_a_name_that_leads_inside_by_the_time_of_the_call_is_not_called(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> Sequence[Address]:
        return [ip_address("10.0.0.7")]

    monkeypatch.setattr("longline_protocol_a2a.deliver_pushes", partial(deliver_pushes, resolver=resolve))
    async with open_server(tmp_path, COUNT) as server:
        await start(server, "count", f"http://hook.test:{receiver.port}/")
        (state,) = await until(server, "calls", lambda found: bool(found) and found[0]["state"] == "failed")
        assert (state["reason"], state["host"]) == ("private IP range", "hook.test")
        assert receiver.calls == []


async def test_a_policy_that_became_narrower_holds_for_what_is_on_its_way(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers += [(503, {})]
    async with open_server(tmp_path, COUNT, **LONG) as server:
        await start(server, "count", receiver.url)
        await until(server, "calls", lambda found: bool(found) and found[0].get("reason") == "status 503")
    async with open_server(tmp_path, COUNT, loopback=False) as server:
        await make_due(server)
        (state,) = await until(server, "calls", lambda found: bool(found) and found[0]["state"] == "failed")
        assert state["reason"] == "scheme 'http' not allowed"
    assert len(receiver.calls) == 1


async def test_a_call_that_was_cut_off_by_the_end_of_the_server_is_made_again_at_the_next_start(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.hold = held = asyncio.Event()
    async with open_server(tmp_path, COUNT) as server:
        await start(server, "count", receiver.url, token="the-token")
        await receiver.wait_for(1)
    receiver.hold = None
    held.set()
    async with open_server(tmp_path, COUNT) as server:
        calls = await receiver.wait_for(2)
        assert [one.headers["longline-attempt"] for one in calls] == ["1", "2"]
        assert {one.headers["x-a2a-notification-token"] for one in calls} == {"the-token"}
        await until(server, "calls", lambda found: not found)


async def test_a_server_that_lost_its_key_calls_nobody_and_says_so_in_the_end(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers += [(503, {})]
    async with open_server(tmp_path, COUNT, **LONG) as server:
        await start(server, "count", receiver.url, token="the-token")
        await until(server, "calls", lambda found: bool(found) and found[0].get("reason") == "status 503")
    async with open_server(tmp_path, COUNT, key="", attempts=3) as server:
        await make_due(server)
        (state,) = await until(server, "calls", lambda found: bool(found) and found[0]["state"] == "failed")
        assert state["reason"] == "sealed with another key"
        assert len(receiver.calls) == 1


async def test_configs_of_a_task_that_is_over_are_kept_for_a_while(tmp_path: Path, receiver: Receiver) -> None:
    async with open_server(tmp_path, COUNT, keep_days=100, keep_ended_days=5) as server:
        run = await start(server, "count", receiver.url)
        await receiver.wait_for(1)
        await until(server, "endings", lambda found: not found)
        kept = await server.collections.documents("protocol_a2a.push_configs").get("", run.run_id)
        assert kept.expires_at is not None
        assert 4.9 < (kept.expires_at - kept.updated_at).total_seconds() / 86_400 < 5.1
        await configs(server).create(call(), str(task_id_of(run)), config(receiver.url, name="c2"))
        kept = await server.collections.documents("protocol_a2a.push_configs").get("", run.run_id)
        assert kept.expires_at is not None
        assert 99 < (kept.expires_at - kept.updated_at).total_seconds() / 86_400 < 101


async def test_news_that_nobody_can_read_are_given_up_and_others_go_on(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_server(tmp_path, COUNT, attempts=1) as server:
        endings = server.collections.documents("protocol_a2a.push_endings")
        odd = {
            "chain_id": "c",
            "run_id": "odd",
            "thread_id": "t",
            "assistant_id": "a",
            "verdict": None,
            "status": "no status",
            "ended_at": "never",
        }
        await configs(server).create(call(), "t:c", config(receiver.url))
        stored_odd = await endings.put("", "odd", {**odd})
        await endings.put("", "odd", {**odd}, due_at=stored_odd.created_at)
        await start(server, "count", receiver.url)
        (told,) = await receiver.wait_for(1)
        assert told.json["task"]["id"] != "t:c"
    assert "push ending not handled" in [record.getMessage() for record in caplog.records]
    assert KEY not in caplog.text
