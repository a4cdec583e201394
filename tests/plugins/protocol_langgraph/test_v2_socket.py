"""The protocol over a WebSocket, behind the real server: commands, subscriptions, refusals, ends."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import Served
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from longline.auth.principal import LOCAL, Principal

pytestmark = pytest.mark.anyio

LIMIT = 15


def principal_named(name: str) -> Principal:
    return Principal(identity=name)


@asynccontextmanager
async def socket(url: str, thread_id: str, **options: Any) -> Any:
    address = f"{url.replace('http', 'ws', 1)}/threads/{thread_id}/stream/events"
    async with asyncio.timeout(LIMIT), connect(address, **options) as opened:
        yield opened


async def ask(client: ClientConnection, command_id: int, method: str, **params: Any) -> Any:
    await client.send(json.dumps({"id": command_id, "method": method, "params": params}))
    while (answer := json.loads(await client.recv())).get("id") != command_id:
        continue
    return answer


async def ask_all(client: ClientConnection, command_id: int, method: str, **params: Any) -> list[Any]:
    """Everything that is said up to the answer."""
    await client.send(json.dumps({"id": command_id, "method": method, "params": params}))
    found = [json.loads(await client.recv())]
    while found[-1].get("id") != command_id:
        found.append(json.loads(await client.recv()))
    return found


async def until_completed(client: ClientConnection) -> list[Any]:
    found = []
    async for frame in client:
        found.append(json.loads(frame))
        if found[-1].get("method") == "lifecycle" and found[-1]["params"]["data"]["event"] == "completed":
            break
    return found


async def close_code(url: str, thread_id: str, **options: Any) -> int:
    async with socket(url, thread_id, **options) as client:
        with pytest.raises(ConnectionClosed) as caught:
            await client.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


async def test_commands_and_events_share_a_connection(served: Served, thread_id: str) -> None:
    async with socket(served.url, thread_id) as client:
        subscribed = await ask(client, 1, "subscription.subscribe", channels=["values", "lifecycle"])
        assert subscribed["type"] == "success"
        started = await ask(client, 2, "run.start", assistant_id="count", input={"x": 1})
        found = await until_completed(client)
        assert [event["params"]["data"] for event in found if event["method"] == "values"][-1] == {"x": 2}
        runs = await served.server.runs.get(LOCAL, thread_id, started["result"]["run_id"])
        assert runs.spec.resumable
        gone = await ask(client, 3, "subscription.unsubscribe", subscription_id=subscribed["result"]["subscription_id"])
        assert gone["result"] == {}
        again = await ask(client, 4, "subscription.unsubscribe", subscription_id="nope")
        assert (again["type"], again["error"]) == ("error", "no_such_subscription")
        assert (await ask(client, 5, "subscription.reconnect", run_id="x"))["result"] == {"restored": False}


async def test_a_subscription_replays_from_its_number(served: Served, thread_id: str) -> None:
    async with socket(served.url, thread_id) as client:
        await ask(client, 1, "subscription.subscribe", channels=["values", "lifecycle"])
        await ask(client, 2, "run.start", assistant_id="nested", input={"value": "v"})
        found = [event for event in await until_completed_root(client) if event["type"] == "event"]
    async with socket(served.url, thread_id) as client:
        await ask(client, 1, "subscription.subscribe", channels=["values", "lifecycle"], since=found[2]["seq"])
        assert await until_completed_root(client) == found[3:]


async def until_completed_root(client: ClientConnection) -> list[Any]:
    found: list[Any] = []
    while not found or found[-1]["params"]["namespace"]:
        found += await until_completed(client)
    return found


async def test_what_is_no_command_is_answered_and_the_connection_lives(served: Served, thread_id: str) -> None:
    async with socket(served.url, thread_id) as client:
        for frame in ("{", '"text"', '{"method":"x"}', '{"id":true,"method":"x"}', b"\x00"):
            await client.send(frame)
            answer = json.loads(await client.recv())
            assert (answer["type"], answer["id"], answer["error"]) == ("error", None, "invalid_argument")
        assert (await ask(client, 7, "foo"))["error"] == "unknown_command"
        assert (await ask(client, 8, "subscription.subscribe", channels=[]))["error"] == "invalid_argument"
        assert (await ask(client, 9, "input.inject"))["error"] == "not_supported"


async def test_a_connection_that_is_refused_says_why(served: Served) -> None:
    assert await close_code(served.url, "no-uuid") == 4422


async def test_a_connection_waits_for_the_run_that_makes_its_thread(served: Served) -> None:
    async with socket(served.url, str(uuid4())) as client:
        subscribed = await ask(client, 1, "subscription.subscribe", channels=["values", "lifecycle"], since=0)
        assert (subscribed["type"], subscribed["meta"]["applied_through_seq"]) == ("success", 0)
        assert (await ask(client, 2, "state.get", namespace=[]))["error"] == "invalid_argument"
        await ask(client, 3, "run.start", assistant_id="count", input={"x": 1})
        seqs = [event["seq"] for event in await until_completed(client) if event["type"] == "event"]
        assert seqs == [1, 2, 3, 4]


async def test_a_connection_says_of_a_thread_that_is_deleted_and_made_again_only_that_it_is_gone(
    served: Served, sdk: LangGraphClient
) -> None:
    thread_id = str(uuid4())
    async with socket(served.url, thread_id) as waiting:
        await ask(waiting, 1, "subscription.subscribe", channels=["values", "lifecycle"])
        await sdk.threads.create(thread_id=thread_id)
        await sdk.threads.delete(thread_id)
        assert (await ask(waiting, 2, "foo"))["error"] == "unknown_command", "what it never saw did not end it"
        await ask(waiting, 3, "run.start", assistant_id="count", input={"x": 1})
        assert len(await until_completed(waiting)) >= 4
        await sdk.threads.delete(thread_id)
        with pytest.raises(ConnectionClosed) as caught:
            await waiting.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1000


async def test_another_callers_thread_looks_like_one_that_is_not_there(serve: Serve) -> None:
    settings = {"static_tokens": {"tokens": {"ann": "ann-token", "bob": "bob-token"}}}
    async with serve({"count": counting()}, settings) as served:
        ann, bob = ([("Authorization", f"Bearer {name}-token")] for name in ("ann", "bob"))
        thread_id = (await served.server.threads.create(principal_named("ann"))).thread_id
        assert await close_code(served.url, thread_id) == 4401
        async with (
            socket(served.url, thread_id, additional_headers=ann) as hers,
            socket(served.url, thread_id, additional_headers=bob) as his,
            socket(served.url, str(uuid4()), additional_headers=bob) as missing,
        ):
            assert (await ask(hers, 1, "state.get", namespace=[]))["type"] == "success"
            await ask(hers, 2, "subscription.subscribe", channels=["values", "lifecycle"])
            for client in (his, missing):
                answer = await ask(client, 3, "subscription.subscribe", channels=["values", "lifecycle"], since=0)
                assert (answer["type"], answer["meta"]["applied_through_seq"]) == ("success", 0)
            await ask(hers, 4, "run.start", assistant_id="count", input={"x": 1})
            assert len(await until_completed(hers)) == 4
            refused = await ask(his, 5, "run.start", assistant_id="count", input={"x": 1})
            assert refused["type"] == "error"
            said = [await ask_all(client, 6, "state.get", namespace=[]) for client in (his, missing)]
            assert [[answer["error"] for answer in answers] for answers in said] == [["invalid_argument"]] * 2
            again = [await ask(client, 7, "subscription.reconnect") for client in (his, missing)]
            assert [answer["meta"]["applied_through_seq"] for answer in again] == [0, 0]
            await served.server.threads.delete(principal_named("ann"), thread_id)
            assert (await ask_all(his, 8, "foo"))[-1]["error"] == "unknown_command"


async def test_pages_of_other_origins_connect_only_if_they_may_call(serve: Serve) -> None:
    cors = {"allow_origins": ["https://app.example"]}
    async with serve({"count": counting()}, {"protocol_langgraph": {"http": {"cors": cors}}}) as served:
        thread = await served.server.threads.create(LOCAL)
        assert await close_code(served.url, thread.thread_id, origin="https://evil.example") == 4403
        for origin in ("https://app.example", served.url, None):
            async with socket(served.url, thread.thread_id, origin=origin) as client:
                assert (await ask(client, 1, "foo"))["error"] == "unknown_command"


async def test_a_message_that_is_too_large_closes_the_connection(serve: Serve) -> None:
    async with serve({"count": counting()}, {"server": {"max_body_mib": 0.01}}) as served:
        thread = await served.server.threads.create(LOCAL)
        async with socket(served.url, thread.thread_id) as client:
            await client.send("x" * 20_000)
            with pytest.raises(ConnectionClosed) as caught:
                await client.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009


async def test_the_connection_ends_with_the_thread(served: Served, sdk: LangGraphClient, thread_id: str) -> None:
    async with socket(served.url, thread_id) as client:
        await ask(client, 1, "subscription.subscribe", channels=["values"])
        await sdk.threads.delete(thread_id)
        with pytest.raises(ConnectionClosed) as caught:
            await client.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1000


async def test_a_connection_has_a_bounded_number_of_subscriptions(served: Served, thread_id: str) -> None:
    async with socket(served.url, thread_id) as client:
        answers = [await ask(client, n, "subscription.subscribe", channels=["values"]) for n in range(17)]
        assert [answer["type"] for answer in answers] == ["success"] * 16 + ["error"]
    async with asyncio.timeout(LIMIT):
        while served.server.thread_streams.is_followed(thread_id):
            await asyncio.sleep(0)
