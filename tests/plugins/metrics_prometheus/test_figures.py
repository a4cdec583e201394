"""What is told of runs and of the storage, in each of the three forms."""

import platform
from dataclasses import replace

import httpx
import pytest
from tests.plugins.metrics_prometheus.conftest import Serve
from tests.plugins.metrics_prometheus.scraping import scrape
from tests.plugins.protocol_langgraph.served import Served
from tests.races.graphs import Gate

from longline.errors import StorageError
from longline.models.runs import Lease, RunOutcome, RunStatus
from longline.models.threads import RunFailure, ThreadState, ThreadStatus
from longline_metrics_prometheus.instruments import Instruments, instruments_of
from longline_metrics_prometheus.reports import Reports
from longline_metrics_prometheus.runs import RunMetrics

pytestmark = pytest.mark.anyio


async def test_runs_count_by_how_they_ended_and_failures_by_their_class(http: httpx.AsyncClient) -> None:
    for _ in range(2):
        await http.post("/runs/wait", json={"assistant_id": "count", "input": {"x": 1}})
    await http.post("/runs/wait", json={"assistant_id": "fail", "input": {}})
    found = await scrape(http)
    assert found.value("longline_runs_accepted_total") == 3
    assert found.value("longline_runs_total", status="success") == 2
    assert found.value("longline_runs_total", status="error") == 1
    assert found.value("longline_run_errors_total", error="ValueError") == 1
    for histogram in ("longline_run_wait_seconds", "longline_run_duration_seconds"):
        assert found.value(f"{histogram}_count") == 3


async def test_the_first_event_is_timed_although_nobody_reads_events(http: httpx.AsyncClient, gate: Gate) -> None:
    """`metadata` alone does not count: it is the server's word, not the graph's."""
    await http.post("/runs/wait", json={"assistant_id": "count", "input": {"x": 1}})
    assert (await scrape(http)).value("longline_run_first_event_seconds_count") == 1
    assert RunMetrics(Instruments()).wants_events is False


async def test_json_tells_what_there_is(http: httpx.AsyncClient) -> None:
    await http.post("/threads", json={})
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    await http.post(f"/threads/{thread}/runs/wait", json={"assistant_id": "count", "input": {"x": 1}})
    told = (await http.get("/metrics/json")).json()
    assert told["storage"] == {"assistants": 3, "threads": 2, "runs": 1, "store_items": 0}
    assert told["runtime"]["python_version"] == platform.python_version()
    assert told["runtime"]["uptime_seconds"] >= 0
    assert (told["agent"]["total_runs"], told["agent"]["active_streams"]) == (1, 0)
    assert told["agent"]["runs_by_status"] == {"success": 1}


async def test_store_items_count_with_the_rest(http: httpx.AsyncClient) -> None:
    for key in ("a", "b"):
        item = {"namespace": ["notes"], "key": key, "value": {"n": 1}}
        assert (await http.put("/store/items", json=item)).status_code == 204
    assert (await http.get("/metrics/json")).json()["storage"]["store_items"] == 2
    assert (await scrape(http)).value("longline_storage_rows", kind="store_items") == 2


async def test_the_form_of_the_langgraph_server(http: httpx.AsyncClient, gate: Gate) -> None:
    for _ in range(2):
        await http.post("/runs", json={"assistant_id": "gated", "input": {}})
    await gate.reached.wait()
    told = (await http.get("/metrics?format=json")).json()
    assert (told["queue"]["n_pending"], told["queue"]["n_running"]) == (0, 2)
    assert told["queue"]["pending_runs_wait_time_max_secs"] == 0
    assert told["queue"]["pending_runs_wait_time_med_secs"] == 0
    assert told["queue"]["pending_unblocked_runs_wait_time_max_secs"] == 0
    assert told["workers"] == {"max": 10, "active": 2, "available": 8}
    assert {"method": "POST", "path": "/runs", "status": 200, "count": 2} in told["api"]["http_requests_total"]
    gate.opened.set()


async def test_the_queue_is_told_as_it_stands(serve: Serve, gate: Gate) -> None:
    async with serve({"server": {"runs": 1}}) as served, httpx.AsyncClient(base_url=served.url) as http:
        for _ in range(3):
            await http.post("/runs", json={"assistant_id": "gated", "input": {}})
        await gate.reached.wait()
        found = await scrape(http)
        assert found.value("longline_queue_runs", status="pending") == 2
        assert found.value("longline_queue_runs", status="running") == 1
        assert (found.value("longline_queue_wait_seconds", runs="unblocked", stat="max") or 0) > 0
        assert found.value("longline_workers", state="available") == 0
        gate.opened.set()


@pytest.mark.parametrize("path", ["/metrics?format=xml", "/metrics/nothing", "/metrics/json/more"])
async def test_what_there_is_not_is_said_so(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code in (404, 422)
    assert answer.json()["detail"]


async def test_metrics_are_only_read(http: httpx.AsyncClient) -> None:
    answer = await http.post("/metrics")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_without_its_storage_a_server_tells_the_rest(served: Served) -> None:
    async def away() -> None:
        raise StorageError("away")

    reports = Reports(replace(served.server, count_storage=away), instruments_of(served.server.settings))
    text = (await reports.text()).decode()
    assert "longline_storage_up 0.0" in text
    assert "longline_storage_rows{" not in text
    assert (await reports.figures())["storage"] is None
    assert "queue" in await reports.api_figures()


def test_error_classes_are_bounded() -> None:
    instruments = Instruments()
    metrics = RunMetrics(instruments)
    for number in range(1000):
        failure = RunFailure(error=f"Odd{number}Error", message="")
        state = ThreadState(status=ThreadStatus.ERROR, error=failure)
        outcome = RunOutcome(status=RunStatus.ERROR, state=state, failure=failure)
        metrics.on_ended(Lease(run_id=str(number), thread_id="t", attempt=1, owner="w"), outcome)
    (family,) = instruments.errors.collect()
    counted = {sample.labels["error"]: sample.value for sample in family.samples if sample.name.endswith("_total")}
    assert len(counted) == 101
    assert counted["other"] == 900
