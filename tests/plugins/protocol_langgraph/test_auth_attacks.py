"""Ways in that must stay closed, whatever an Auth object leaves unsaid."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import Served
from tests.plugins.protocol_langgraph.test_custom_auth import OWNED, client, settings

from longline_protocol_langgraph.app import all_routes
from longline_protocol_langgraph.endpoint import Endpoint
from longline_protocol_langgraph.settings import LangGraphApiSettings

pytestmark = pytest.mark.anyio

STAMPS = """
@auth.on.threads.create
@auth.on.assistants.create
async def stamp(ctx, value):
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
"""
NARROWS = """
@auth.on(actions="search")
async def only_mine(ctx, value):
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
"""
SAYS_ODD_THINGS = """
from http import HTTPStatus
from langgraph_sdk import Auth
from starlette.exceptions import HTTPException

ODD = {
    "number": (429, "slow down", {"retry-after": 30}),
    "foreign": (401, "who", {"x-hint": "\\u4f60\\u597d"}),
    "lines": (401, "who", {"x-hint": "a\\r\\nset-cookie: b=c"}),
    "name": (401, "who", {"x hint:": "a"}),
    "detail": (401, {1, 2j}, None),
    "text": ("401", "who", None),
    "enum": (HTTPStatus.FORBIDDEN, b"no", None),
}
auth = Auth()

@auth.authenticate
async def odd(headers: dict):
    name = headers.get(b"x-odd", b"").decode()
    if name in ODD:
        status, detail, lines = ODD[name]
        raise HTTPException(status, detail, lines)
    return "ann"

@auth.on.threads
async def odd_too(ctx, value):
    name = (value.get("metadata") or {}).get("odd")
    if name in ODD:
        status, detail, lines = ODD[name]
        raise HTTPException(status, detail, lines)
"""


SENT = {
    "number": (429, '{"detail":"slow down"}'),
    "foreign": (401, '{"detail":"who"}'),
    "lines": (401, '{"detail":"who"}'),
    "name": (401, '{"detail":"who"}'),
    "detail": (401, '{"detail":"Unauthorized"}'),
    "text": (500, "Internal Server Error"),
    "enum": (403, '{"detail":"bm8="}'),
}


def plain(served: Served, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=served.url, timeout=20, headers=headers)


async def test_a_handler_that_only_stamps_what_is_made_opens_nothing_that_is_there(
    serve: Serve, tmp_path: Path
) -> None:
    async with (
        serve({"count": counting()}, settings(tmp_path, STAMPS)) as served,
        client(served, "ann") as ann,
        client(served, "bob") as bob,
    ):
        thread = await ann.threads.create(metadata={"title": "private"})
        assistant = await ann.assistants.create("count", context={"prompt": "private"})
        with pytest.raises(ConflictError):
            await bob.threads.create(thread_id=thread["thread_id"], if_exists="do_nothing")
        with pytest.raises(ConflictError):
            await bob.assistants.create("count", assistant_id=assistant["assistant_id"], if_exists="do_nothing")
        again = await ann.threads.create(thread_id=thread["thread_id"], if_exists="do_nothing")
        assert again["metadata"] == thread["metadata"]


async def test_what_a_handler_writes_into_a_search_narrows_it(serve: Serve, tmp_path: Path) -> None:
    async with (
        serve({"count": counting()}, settings(tmp_path, NARROWS)) as served,
        client(served, "ann") as ann,
        client(served, "bob") as bob,
    ):
        await ann.threads.create()
        await ann.assistants.create("count")
        await ann.crons.create("count", schedule="0 0 1 1 *", input={})
        found = [await bob.threads.search(), await bob.assistants.search(), await bob.crons.search()]
        assert found == [[], [], []]
        mine = (await ann.threads.search())[0]["thread_id"]
        assert [thread["thread_id"] for thread in await ann.threads.search(ids=[mine, str(uuid4())])] == [mine]
        counted = [await ann.threads.count(), await ann.assistants.count(), await ann.crons.count()]
        assert counted == [1, 1, 1]


async def test_a_handler_chooses_among_the_threads_that_are_asked_for(serve: Serve, tmp_path: Path) -> None:
    text = "\n@auth.on.threads.search\nasync def first(ctx, value):\n    value['ids'] = value['ids'][:1]\n"
    async with serve({"count": counting()}, settings(tmp_path, text)) as served, client(served, "ann") as ann:
        ids = [(await ann.threads.create())["thread_id"] for _ in range(2)]
        assert [thread["thread_id"] for thread in await ann.threads.search(ids=ids)] == ids[:1]


async def test_a_change_without_metadata_can_be_stamped(serve: Serve, tmp_path: Path) -> None:
    async with serve({"count": counting()}, settings(tmp_path, OWNED)) as served, client(served, "ann") as ann:
        made = await ann.assistants.create("count", metadata={"a": 1})
        changed = await ann.assistants.update(made["assistant_id"], name="other")
        assert (changed["name"], changed["metadata"]) == ("other", {"a": 1, "owner": "ann"})


@pytest.mark.parametrize("odd", ["number", "foreign", "lines", "name", "detail", "text", "enum"])
async def test_a_refusal_that_cannot_be_sent_as_it_is_is_a_refusal_still(
    serve: Serve, tmp_path: Path, odd: str
) -> None:
    given = settings(tmp_path)
    (tmp_path / "auth.py").write_text(SAYS_ODD_THINGS)
    async with serve({"count": counting()}, given) as served:
        for shown, body in (({"x-odd": odd}, {}), ({}, {"metadata": {"odd": odd}})):
            async with plain(served, **shown) as http:
                answer = await http.post("/threads", json=body)
                assert (answer.status_code, answer.text) == SENT[odd]
                assert "set-cookie" not in answer.headers
                assert answer.headers.get("retry-after") == ("30" if odd == "number" else None)
                assert (await http.get("/ok")).status_code == 200


async def test_a_run_cannot_leave_its_thread_to_somebody_else(serve: Serve, tmp_path: Path) -> None:
    text = STAMPS.replace("threads.create\n", "threads.create_run\n")
    async with (
        serve({"count": counting()}, settings(tmp_path, text)) as served,
        client(served, "ann") as ann,
        client(served, "bob") as bob,
    ):
        thread_id = "6d9d9b0e-1f5c-4b53-9b3e-0a4f1d1f0a11"
        body: dict[str, Any] = {"if_not_exists": "create", "metadata": {"owner": "ann"}}
        await bob.runs.wait(thread_id, "count", input={"x": 1}, **body)
        assert await ann.threads.search() == []
        assert [thread["thread_id"] for thread in await bob.threads.search()] == [thread_id]


BODIES: dict[str, Any] = {
    "POST /threads": {"thread_id": "{thread_id}", "if_exists": "do_nothing"},
    "POST /threads/prune": {"thread_ids": ["{thread_id}"]},
    "POST /threads/search": {"ids": ["{thread_id}"]},
    "POST /threads/{thread_id}/state": {"values": {"x": 9}},
    "POST /threads/{thread_id}/state/checkpoint": {"checkpoint": {"checkpoint_id": "{checkpoint_id}"}},
    "POST /threads/{thread_id}/history": {"limit": 10},
    "PATCH /threads/{thread_id}": {"metadata": {"owner": "bob"}},
    "POST /threads/{thread_id}/runs": {"assistant_id": "count", "input": {"x": 1}, "if_not_exists": "create"},
    "POST /threads/{thread_id}/runs/wait": {"assistant_id": "count", "input": {"x": 1}},
    "POST /threads/{thread_id}/runs/stream": {"assistant_id": "count", "input": {"x": 1}},
    "POST /threads/{thread_id}/runs/crons": {"assistant_id": "count", "schedule": "0 0 1 1 *", "input": {}},
    "POST /threads/{thread_id}/stream/events": {"channels": ["values", "lifecycle"], "since": 0},
    "POST /threads/{thread_id}/commands": {"id": 1, "method": "state.get", "params": {}},
    "POST /runs": {"assistant_id": "{assistant_id}", "input": {"x": 1}},
    "POST /runs/wait": {"assistant_id": "{assistant_id}", "input": {"x": 1}},
    "POST /runs/stream": {"assistant_id": "{assistant_id}", "input": {"x": 1}},
    "POST /runs/batch": [{"assistant_id": "{assistant_id}", "input": {"x": 1}}],
    "POST /runs/cancel": {"thread_id": "{thread_id}", "run_ids": ["{run_id}"]},
    "POST /runs/crons": {"assistant_id": "{assistant_id}", "schedule": "0 0 1 1 *", "input": {}},
    "POST /runs/crons/search": {"assistant_id": "{assistant_id}", "thread_id": "{thread_id}"},
    "POST /runs/crons/count": {"thread_id": "{thread_id}"},
    "PATCH /runs/crons/{cron_id}": {"enabled": False},
    "POST /assistants": {"assistant_id": "{assistant_id}", "graph_id": "count", "if_exists": "do_nothing"},
    "PATCH /assistants/{assistant_id}": {"name": "bob's"},
    "POST /assistants/{assistant_id}/versions": {},
    "POST /assistants/{assistant_id}/latest": {"version": 1},
    "PUT /store/items": {"namespace": ["notes"], "key": "bobs", "value": {}},
    "DELETE /store/items": {"namespace": ["notes"], "key": "k"},
    "POST /store/items/search": {"namespace_prefix": []},
}
TAKEN = {"POST /threads", "POST /assistants", "POST /threads/{thread_id}/runs"}
"""What makes the thing where the id is free."""
COMMANDS = ["run.cancel", "input.respond", "state.get", "state.listCheckpoints", "state.fork", "agent.getTree"]


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, ids) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ids) for item in value]
    return value.format_map(Ids(ids)) if isinstance(value, str) and value.startswith(("{", "/")) else value


class Ids(dict[str, str]):
    """Ids by name, and something for every other name in a path."""

    def __missing__(self, key: str) -> str:
        return key


def blurred(text: str, ids: dict[str, str]) -> str:
    for name, found in ids.items():
        text = text.replace(found, name)
    return text


@pytest.mark.parametrize("text", ["", OWNED], ids=["authenticate only", "on"])
async def test_every_path_says_the_same_of_anothers_things_and_of_missing_ones(
    serve: Serve, tmp_path: Path, text: str
) -> None:
    async with (
        serve({"count": counting()}, settings(tmp_path, text)) as served,
        client(served, "ann") as ann,
        plain(served, authorization="Bearer bob-token") as bob,
        plain(served, authorization="Bearer ann-token") as own,
    ):
        ids = await everything_of(ann)
        before = await shown_to(own, ids)
        section = served.server.settings.section(LangGraphApiSettings)
        routes = [one for one in all_routes(served.server, section) if isinstance(one.endpoint, Endpoint)]
        calls = [(method, one.path.replace(":uuid", "").replace(":path", "")) for one in routes
                 for method in one.endpoint.methods]  # fmt: skip
        asked = [(method, path, BODIES.get(f"{method} {path}")) for method, path in calls]
        asked += [("POST", "/threads/{thread_id}/commands", {"id": 1, "method": name, "params": {
            "run_id": "{run_id}", "checkpoint_id": "{checkpoint_id}", "interrupt_id": "i", "response": 1,
        }}) for name in COMMANDS]  # fmt: skip
        assert len(asked) > 60
        for method, path, body in asked:
            said = []
            for target in (ids, {name: str(uuid4()) for name in ids}):
                place = filled(path, target)
                status, told = await answered(bob, method, place, filled(body, target))
                said.append((status, blurred(told, target)))
                assert "private" not in told, (method, path)
            if f"{method} {path}" not in TAKEN:
                assert said[0] == said[1] or "created_at" in said[0][1], (method, path, said)
            else:
                assert (said[0][0], said[1][0]) in ((409, 200), (404, 200)), (method, path, said)
        assert await shown_to(own, ids) == before


async def answered(who: httpx.AsyncClient, method: str, place: str, body: Any) -> tuple[int, str]:
    """Status and text; of a stream that waits for a thread to be made, only how it begins."""
    async with who.stream(method, place, json=body) as answer:
        if not place.endswith("/stream/events"):
            await answer.aread()
        return answer.status_code, answer.text if answer.is_stream_consumed else str(answer.headers["content-type"])


async def everything_of(ann: LangGraphClient) -> dict[str, str]:
    thread_id = (await ann.threads.create(metadata={"title": "private"}))["thread_id"]
    run = await ann.runs.create(thread_id, "count", input={"x": 1}, metadata={"title": "private"})
    await ann.runs.join(thread_id, run["run_id"])
    state = await ann.threads.get_state(thread_id)
    assistant = await ann.assistants.create("count", name="private", context={"prompt": "private"})
    cron = await ann.crons.create_for_thread(thread_id, "count", schedule="0 0 1 1 *", input={"a": "private"})
    await ann.store.put_item(["notes"], "k", {"text": "private"})
    return {
        "thread_id": thread_id, "run_id": run["run_id"], "checkpoint_id": str(state["checkpoint"]["checkpoint_id"]),
        "assistant_id": assistant["assistant_id"], "cron_id": cron["cron_id"],
    }  # fmt: skip


async def shown_to(own: httpx.AsyncClient, ids: dict[str, str]) -> list[str]:
    places = ["/threads/{thread_id}", "/threads/{thread_id}/runs", "/threads/{thread_id}/state",
              "/assistants/{assistant_id}", "/runs/crons/{cron_id}", "/store/items?namespace=notes&key=k"]  # fmt: skip
    answers = [await own.get(filled(place, ids)) for place in places]
    assert [answer.status_code for answer in answers] == [200] * len(places)
    return [answer.text for answer in answers]
