"""The front door: `/`, `/health` and `/ready`."""

import logging
import sqlite3
from pathlib import Path

import httpx
import pytest
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import PLUGINS, Served

from longline.errors import StorageAwayError
from longline.services.server import Server

pytestmark = pytest.mark.anyio

TOKENS = {"static_tokens": {"tokens": {"ann": "ann-token"}}}
THREAD = "0190a0b0-0000-7000-8000-000000000001"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_it_names_the_server_and_what_is_mounted(served: Served, http: httpx.AsyncClient) -> None:
    told = (await http.get("/")).json()
    assert (told["name"], told["version"]) == ("Longline", served.server.version)
    assert told["studio"].endswith(str(http.base_url).removeprefix("http://").rstrip("/").replace(":", "%3A"))
    assert [entry["path"] for entry in told["protocols"]] == ["/"]


async def test_every_place_that_it_names_is_there(serve: Serve) -> None:
    serving = serve({"count": counting()}, plugins=(*PLUGINS, "metrics_prometheus"))
    async with serving as served, httpx.AsyncClient(base_url=served.url) as http:
        told = (await http.get("/")).json()
        assert [entry["path"] for entry in told["protocols"]] == ["/", "/metrics"]
        places = [place for entry in told["protocols"] for place in entry["pages"].values()]
        for place in [*places, told["health"], *(told[name] for name in ("docs", "openapi") if name in told)]:
            assert (await http.get(place)).status_code == 200, place


async def test_below_a_prefix_it_names_places_below_the_prefix(serve: Serve) -> None:
    serving = serve({"count": counting()}, {"protocol_langgraph": {"http": {"mount_prefix": "/api"}}})
    async with serving as served, httpx.AsyncClient(base_url=served.url) as http:
        told = (await http.get("/api/")).json()
        assert told["health"] == "/api/health"
        assert told["studio"].endswith("%2Fapi")
        for place in [told["health"], told["docs"], *told["protocols"][0]["pages"].values()]:
            assert place.startswith("/api/")
            assert (await http.get(place)).status_code == 200, place


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER, "text/html"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
    ],
)
async def test_a_browser_gets_a_page_and_others_json(http: httpx.AsyncClient, accept: str, kind: str) -> None:
    answer = await http.get("/", headers={"accept": accept})
    assert answer.headers["content-type"].startswith(kind)
    assert "accept" in answer.headers["vary"].lower()


async def test_what_a_caller_says_of_its_host_is_no_markup(http: httpx.AsyncClient) -> None:
    answer = await http.get("/", headers={"accept": BROWSER, "host": 'x"><script>alert(1)</script>'})
    assert answer.status_code in (200, 400)
    assert "<script>" not in answer.text


async def test_the_door_is_open_where_the_house_is_locked(serve: Serve) -> None:
    async with serve({"count": counting()}, TOKENS) as served, httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.get("/")).status_code == 200
        assert (await http.get("/health")).status_code == 200
        assert (await http.get("/ready")).status_code == 200
        assert (await http.post("/threads", json={})).status_code == 401


async def test_it_is_ready_while_its_storage_answers(http: httpx.AsyncClient, served: Served) -> None:
    answer = await http.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    _ruin(Path(served.server.storage_facts.place))
    answer = await http.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert served.server.storage_facts.place not in answer.text
    assert (await http.head("/ready")).status_code == 503


async def test_the_log_has_one_line_when_the_storage_goes_and_one_when_it_is_back(
    http: httpx.AsyncClient, served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(server: Server) -> None:
        raise StorageAwayError("nothing listens there")

    caplog.set_level(logging.INFO)
    with monkeypatch.context() as outage:
        outage.setattr(Server, "check_storage", away)
        assert [(await http.get("/ready")).status_code for _ in range(3)] == [503, 503, 503]
    assert [(await http.get("/ready")).status_code for _ in range(2)] == [200, 200]
    told = [record.message for record in caplog.records if record.name.endswith("routes.front")]
    assert told == ["not ready", "ready again"]


async def test_it_lives_without_its_storage(http: httpx.AsyncClient, served: Served) -> None:
    _ruin(Path(served.server.storage_facts.place))
    answer = await http.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await http.head("/health")).status_code == 200
    assert (await http.get("/ok")).status_code == 200


async def test_it_is_not_ready_while_it_stops(http: httpx.AsyncClient, served: Served) -> None:
    await served.server.scheduler.drain(0)
    answer = await http.get("/ready")
    assert (answer.status_code, answer.json()["detail"]) == (503, "The server is stopping.")
    assert answer.headers["retry-after"] == "1"
    assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/threads", {}),
        ("POST", "/threads/search", {}),
        ("GET", f"/threads/{THREAD}", None),
        ("GET", f"/threads/{THREAD}/stream", None),
        ("POST", f"/threads/{THREAD}/stream/events", {"channels": ["values"]}),
        ("GET", f"/threads/{THREAD}/runs/{THREAD}/stream", None),
        ("POST", f"/threads/{THREAD}/runs/stream", {"assistant_id": "count", "input": {}}),
        ("POST", f"/threads/{THREAD}/runs/wait", {"assistant_id": "count", "input": {}}),
        ("GET", "/ok?check_db=1", None),
    ],
)
async def test_without_its_storage_every_route_asks_to_come_again(
    http: httpx.AsyncClient, served: Served, method: str, path: str, body: object
) -> None:
    _ruin(Path(served.server.storage_facts.place))
    answer = await http.request(method, path, json=body)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == {"detail": "Storage unavailable"}


def _ruin(database: Path) -> None:
    """Take tables away that the server needs."""
    with sqlite3.connect(database) as connection:
        connection.execute("DROP VIEW thread_rows")
        connection.execute("PRAGMA legacy_alter_table = ON")
        for table in ("threads", "runs"):
            connection.execute(f"ALTER TABLE {table} RENAME TO {table}_elsewhere")
