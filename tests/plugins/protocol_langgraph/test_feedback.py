"""Feedback on runs: links at the end of a stream, what is given through them, and who reads it."""

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import Served
from tests.races.graphs import Gate

pytestmark = pytest.mark.anyio

ANN = {"authorization": "Bearer ann-token"}
BOB = {"authorization": "Bearer bob-token"}
KEYS = ["thumbs", "tone"]
RUN = {"assistant_id": "count", "input": {"x": 1}, "feedback_keys": KEYS}
UNKNOWN = "/feedback/tokens/01234567-89ab-4def-8123-456789abcdef"
GIVEN = {"score": 1, "value": "good", "comment": "Ünique", "correction": {"x": 3}, "metadata": {"page": "chat"}}


def frames(text: str) -> list[dict[str, str]]:
    """The events of a stream."""
    found = (dict(line.split(": ", 1) for line in frame.split("\r\n")) for frame in text.split("\r\n\r\n") if frame)
    return [frame for frame in found if "event" in frame]


def links_of(text: str) -> dict[str, str]:
    """The links that a stream ends with."""
    last = httpx.Response(200, text=frames(text)[-1]["data"]).json() if "event: feedback" in text else {}
    return dict(last)


async def streamed(http: httpx.AsyncClient, thread_id: str, **more: Any) -> tuple[str, str]:
    """The path and the stream of a run with feedback keys."""
    answer = await http.post(f"/threads/{thread_id}/runs/stream", json={**RUN, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.headers["content-location"]), answer.text


async def test_the_sdk_gets_a_link_for_each_key_after_all_that_the_run_said(
    served: Served, sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str
) -> None:
    parts = [part async for part in sdk.runs.stream(thread_id, "count", input={"x": 1}, feedback_keys=KEYS)]
    assert [part.event for part in parts] == ["metadata", "values", "values", "feedback"]
    links = parts[-1].data
    assert list(links) == KEYS
    form = re.compile(re.escape(f"{served.url}/feedback/tokens/") + "[0-9a-f-]{36}")
    assert [link for link in links.values() if not form.fullmatch(link)] == []
    assert len(set(links.values())) == len(KEYS)
    run_id = parts[0].data["run_id"]
    feedback = f"/threads/{thread_id}/runs/{run_id}/feedback"
    assert (await http.get(feedback)).json() == []
    given = await http.post(links["thumbs"], json=GIVEN)
    assert (given.status_code, given.json()) == (200, {})
    (entry,) = (await http.get(feedback)).json()
    at = datetime.fromisoformat(entry.pop("created_at"))
    assert at == datetime.fromisoformat(entry.pop("updated_at"))
    assert timedelta(0) <= datetime.now(UTC) - at < timedelta(minutes=1)
    assert entry == {"key": "thumbs", "run_id": run_id, "thread_id": thread_id, **GIVEN}


async def test_a_link_may_be_opened_and_what_it_brings_stands_in_place_of_what_it_brought_before(
    http: httpx.AsyncClient, thread_id: str
) -> None:
    path, text = await streamed(http, thread_id)
    links = links_of(text)
    for query in ({"score": "false"}, {"score": "0.5", "value": "1", "comment": "a b", "correction": "c"}):
        opened = await http.get(links["tone"], params=query)
        assert (opened.status_code, opened.headers["referrer-policy"]) == (200, "no-referrer")
    assert (await http.post(links["thumbs"])).status_code == 200
    tone, thumbs = (await http.get(f"{path}/feedback")).json()
    told = [tone[name] for name in ("key", "score", "value", "comment", "correction", "metadata")]
    assert told == ["tone", 0.5, "1", "a b", "c", None]
    assert tone["created_at"] < tone["updated_at"]
    assert [thumbs[name] for name in ("key", "score", "value", "comment")] == ["thumbs", None, None, None]


async def test_feedback_of_many_at_once_is_all_kept(http: httpx.AsyncClient, thread_id: str) -> None:
    keys = [f"k{number}" for number in range(12)]
    path, text = await streamed(http, thread_id, feedback_keys=keys)
    links = links_of(text)
    answers = await asyncio.gather(*(http.post(link, json={"value": key}) for key, link in links.items()))
    assert {answer.status_code for answer in answers} == {200}
    assert {one["key"]: one["value"] for one in (await http.get(f"{path}/feedback")).json()} == {k: k for k in keys}


async def test_a_replay_says_the_same_and_goes_on_behind_any_event(serve: Serve) -> None:
    async with serve({"count": counting()}) as first, httpx.AsyncClient(base_url=first.url) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        path, text = await streamed(http, thread_id, stream_resumable=True)
    sent = frames(text)
    ids = [tuple(map(int, frame["id"].split("-"))) for frame in sent]
    assert ids == sorted(set(ids))
    async with serve({"count": counting()}) as second, httpx.AsyncClient(base_url=second.url) as http:

        async def joined(last: str | None, **query: str) -> str:
            headers = {"last-event-id": last} if last is not None else {}
            return (await http.get(f"{path}/stream", headers=headers, params=query)).text

        again = frames((await joined("-1")).replace(second.url, first.url))
        assert again == sent
        for place, frame in enumerate(sent):
            assert frames((await joined(frame["id"])).replace(second.url, first.url)) == sent[place + 1 :]
        assert await joined(None) == ""
        assert {frame["event"] for frame in frames(await joined("-1", stream_mode="values"))} == {"values"}
        assert (await http.post(links_of(await joined("-1"))["tone"], json={"score": True})).status_code == 200
        assert [one["score"] for one in (await http.get(f"{path}/feedback")).json()] == [True]


async def test_who_joins_a_run_that_goes_on_gets_the_links_too(
    http: httpx.AsyncClient, thread_id: str, gate: Gate
) -> None:
    body = {"assistant_id": "gated", "input": {"name": "a"}, "feedback_keys": KEYS}
    created = await http.post(f"/threads/{thread_id}/runs", json=body)
    await gate.reached.wait()
    async with http.stream("GET", f"{created.headers['content-location']}/stream") as joined:
        gate.opened.set()
        await joined.aread()
    assert list(links_of(joined.text)) == KEYS


@pytest.mark.parametrize("keys", [None, []])
async def test_a_run_without_keys_has_no_links(http: httpx.AsyncClient, thread_id: str, keys: list[str] | None) -> None:
    path, text = await streamed(http, thread_id, feedback_keys=keys)
    assert [frame["event"] for frame in frames(text)] == ["metadata", "values", "values"]
    assert (await http.get(f"{path}/feedback")).json() == []


async def test_a_run_that_fails_has_no_links_and_one_that_asks_has(http: httpx.AsyncClient, thread_id: str) -> None:
    path, text = await streamed(http, thread_id, assistant_id="fail")
    assert frames(text)[-1]["event"] == "error"
    assert (await http.get(f"{path}/feedback")).json() == []
    _, text = await streamed(http, thread_id, assistant_id="ask")
    assert frames(text)[-1]["event"] == "feedback"


async def test_feedback_on_a_run_without_a_thread_outlives_it(http: httpx.AsyncClient) -> None:
    answer = await http.post("/runs/stream", json=RUN)
    links = links_of(answer.text)
    assert (await http.post(links["thumbs"], json={"score": 1})).status_code == 200
    path = answer.headers["content-location"]
    assert (await http.get(path)).status_code == 404
    (entry,) = (await http.get(f"{path}/feedback")).json()
    assert (entry["key"], entry["score"]) == ("thumbs", 1)
    on_thread = f"/threads/{entry['thread_id']}{path}/feedback"
    assert (await http.get(on_thread)).json() == [entry]
    assert (await http.get(on_thread.replace(entry["thread_id"], entry["run_id"]))).status_code == 404


async def test_feedback_goes_out_of_sight_with_its_run(http: httpx.AsyncClient, thread_id: str) -> None:
    path, text = await streamed(http, thread_id)
    assert (await http.post(links_of(text)["thumbs"], json={"score": 1})).status_code == 200
    alone = f"/runs/{path.rpartition('/')[2]}/feedback"
    assert (await http.get(alone)).json() == (await http.get(f"{path}/feedback")).json() != []
    await http.delete(path)
    for place in (alone, f"{path}/feedback"):
        assert (await http.get(place)).status_code == 404
    assert (await http.get(f"/runs/{thread_id}/feedback")).status_code == 404


@pytest.mark.parametrize("settings", [{"link_hours": 1e-9}, {"keep_days": 1e-10}], ids=str)
async def test_a_link_whose_time_is_over_is_as_good_as_none(serve: Serve, settings: dict[str, float]) -> None:
    configured = {"protocol_langgraph": {"feedback": settings}}
    async with serve({"count": counting()}, configured) as served, httpx.AsyncClient(base_url=served.url) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        run = (await http.post(f"/threads/{thread_id}/runs/wait", json=RUN)).headers["content-location"]
        documents = served.server.collections.documents("protocol_langgraph.feedback_tokens")
        name = "protocol_langgraph.feedback"
        kept = await served.server.collections.documents(name).search(None)
        stays = "link_hours" in settings
        assert len(kept.items) == (1 if stays else 0)
        assert len((await documents.search(None)).items) == (0 if stays else 2)
        link = str(kept.items[0].value["tokens"]["tone"]) if stays else UNKNOWN.rpartition("/")[2]
        refused = await http.post(f"/feedback/tokens/{link}", json={"score": 1})
        assert (refused.status_code, refused.json()) == (404, {"detail": "Feedback token not found or expired"})
        assert (await http.get(f"{run}/feedback")).json() == []


async def test_a_link_needs_no_credentials_and_what_it_brought_only_its_owner_reads(serve: Serve) -> None:
    settings = {"static_tokens": {"tokens": {"ann": "ann-token", "bob": "bob-token"}}}
    async with (
        serve({"count": counting()}, settings) as served,
        get_client(url=served.url, api_key=None, headers=ANN) as sdk,
        httpx.AsyncClient(base_url=served.url) as http,
    ):
        thread_id = (await sdk.threads.create())["thread_id"]
        parts = [part async for part in sdk.runs.stream(thread_id, "count", input={"x": 1}, feedback_keys=KEYS)]
        path = f"/threads/{thread_id}/runs/{parts[0].data['run_id']}/feedback"
        link = parts[-1].data["tone"]
        for headers in ({}, {"authorization": "Bearer wrong"}, BOB):
            assert (await http.post(link, json={"score": 1}, headers=headers)).status_code == 200
            assert (await http.get(link, headers=headers)).status_code == 200
        assert (await http.get(path)).status_code == 401
        assert (await http.get(path, headers=BOB)).status_code == 404
        assert len((await http.get(path, headers=ANN)).json()) == 1
        assert (await http.get(f"{link}/more")).status_code == 401
        alone = await http.post("/runs/stream", json=RUN, headers=ANN)
        own = alone.headers["content-location"] + "/feedback"
        assert (await http.get(own, headers=ANN)).json() == []
        assert (await http.get(own, headers=BOB)).status_code == 404


@pytest.fixture
async def link(http: httpx.AsyncClient, thread_id: str) -> str:
    _, text = await streamed(http, thread_id)
    return links_of(text)["tone"]


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"score": "1"}', b'{"comment": 1}', b'{"value": []}', b'{"metadata": 1}', b'{"correction": 1}'],
)
async def test_feedback_that_does_not_fit_is_refused(http: httpx.AsyncClient, link: str, body: bytes) -> None:
    refused = await http.post(link, content=body)
    assert (refused.status_code, set(refused.json())) == (422, {"detail"})


@pytest.mark.parametrize("score", ["", "high", "1e999", "nan", "[1]", "null"])
async def test_a_score_that_is_none_is_refused(http: httpx.AsyncClient, link: str, score: str) -> None:
    assert (await http.get(link, params={"score": score})).status_code == 422


async def test_large_feedback_and_unknown_links_are_refused(http: httpx.AsyncClient, link: str) -> None:
    assert (await http.post(link, json={"comment": "x" * 65_536})).status_code == 413
    for path in (UNKNOWN, "/feedback/tokens/none"):
        for method in ("GET", "POST"):
            assert (await http.request(method, path)).status_code == 404
    assert (await http.head(link)).status_code == 405


@pytest.mark.parametrize("keys", ["thumbs", [1], ["x" * 181], ["x"] * 101])
async def test_keys_that_do_not_fit_are_refused(http: httpx.AsyncClient, thread_id: str, keys: object) -> None:
    refused = await http.post(f"/threads/{thread_id}/runs/stream", json={**RUN, "feedback_keys": keys})
    assert refused.status_code == 422


async def test_links_name_the_place_below_which_the_server_is(serve: Serve) -> None:
    settings = {"protocol_langgraph": {"http": {"mount_prefix": "/api"}}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient() as http:
        headers = {"host": "agents.example:8443"}
        answer = await http.post(f"{served.url}/api/runs/stream", json=RUN, headers=headers)
        link = links_of(answer.text)["tone"]
        assert link.startswith("http://agents.example:8443/api/feedback/tokens/")
        assert (await http.post(link.replace("http://agents.example:8443", served.url))).status_code == 200


OWN = {
    "starlette": "from starlette.applications import Starlette\napp = Starlette()\n",
    "plain": """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})
""",
}


@pytest.mark.parametrize("order", ["middleware_first", "auth_first"])
@pytest.mark.parametrize("kind", OWN)
async def test_links_are_open_behind_an_app_of_the_project_too(
    serve: Serve, tmp_path: Path, kind: str, order: str
) -> None:
    file = tmp_path / f"own_{kind}_{order}.py"
    file.write_text(OWN[kind])
    own = {"app": f"{file}:app", "enable_custom_route_auth": True, "middleware_order": order}
    settings = {"static_tokens": {"tokens": {"ann": "ann-token"}}, "protocol_langgraph": {"http": own}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        links = links_of((await http.post("/runs/stream", json=RUN, headers=ANN)).text)
        for headers in ({}, {"authorization": "Bearer wrong"}):
            assert (await http.post(links["tone"], json={"score": 1}, headers=headers)).status_code == 200
        assert (await http.post("/threads", json={})).status_code == 401


async def test_a_link_stands_in_no_log(http: httpx.AsyncClient, link: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for client in ("httpx", "httpcore"):
        caplog.set_level(logging.WARNING, logger=client)
    for body in (b"{}", b"{"):
        await http.post(link, content=body)
    assert link.rpartition("/")[2] not in caplog.text
