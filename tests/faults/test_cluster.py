"""Replicas and their database are killed, stopped and restarted: nothing is lost, nothing happens twice."""

import asyncio
import os
import random
import time
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from longline.ids import tick_run_id
from tests.faults.client import PatientClient
from tests.faults.cluster import QUICK, Cluster, Replica, running_cluster, thread, wait_until
from tests.faults.judge import as_undisturbed, read_exactly
from tests.faults.storm import SEED, StormPlan, run_storm
from tests.postgres import OwnServer
from tests.processes import wait_for

RUNS = int(os.environ.get("LONGLINE_FAULT_RUNS", "120"))
"""More of them take longer: about seven a second."""


@pytest.mark.timeout(max(300, RUNS))
def test_runs_survive_a_storm_of_kills_stops_and_database_restarts(tmp_path: Path, postgres: OwnServer) -> None:
    plan = StormPlan(runs=RUNS, seed=SEED, arrival_seconds=RUNS / 7, limit_seconds=120 + RUNS / 7)
    with running_cluster(tmp_path, postgres, settings=QUICK) as cluster:
        figures = asyncio.run(run_storm(cluster, plan))
        print(figures)
        assert not figures.faults, "\n".join(figures.faults)
        assert figures.runs_accepted >= RUNS
        assert min(figures.kills, figures.stops, figures.database_restarts, figures.recoveries) > 0


@pytest.mark.parametrize("graph_id", ["hold", pytest.param("block", marks=pytest.mark.slow)])
def test_a_run_whose_worker_is_killed_goes_on_elsewhere_from_its_checkpoint(
    tmp_path: Path, postgres: OwnServer, graph_id: str
) -> None:
    with running_cluster(tmp_path, postgres, count=2) as cluster:
        first, second = cluster.replicas
        thread_id = thread()
        run_id = cluster.create(first, graph_id, thread_id, "a")
        cluster.wait_step(run_id, "two")
        cluster.worker_of(run_id).kill()
        assert cluster.wait_step(run_id, "two", attempt=2)["pid"] == second.pid
        cluster.let_go("a")
        result = httpx.get(f"{second.url}/threads/{thread_id}/runs/{run_id}/join", timeout=20).json()
        row = cluster.run_row(run_id)
        assert (row["status"], row["attempt"]) == ("success", 2)
        as_undisturbed(cluster, {"a": thread_id}, {"a": graph_id})
        assert result["chain"] == cluster.state(thread_id)["chain"]
        assert [line["attempt"] for line in cluster.effects(run=run_id, step="one", what="begin")] == [1]


@pytest.mark.parametrize("graph_id", ["hold", pytest.param("block", marks=pytest.mark.slow)])
@pytest.mark.parametrize("is_ended", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["ended", "going on"])
def test_a_worker_that_wakes_after_its_lease_was_taken_writes_nothing(
    tmp_path: Path, postgres: OwnServer, graph_id: str, is_ended: bool
) -> None:
    with running_cluster(tmp_path, postgres, count=2, settings=QUICK) as cluster:
        first, _ = cluster.replicas
        thread_id = thread()
        run_id = cluster.create(first, graph_id, thread_id, "a")
        cluster.wait_step(run_id, "two")
        first.freeze()
        cluster.wait_step(run_id, "two", attempt=2)
        if is_ended:
            cluster.let_go("a")
            cluster.wait_ended(run_id)
            before = cluster.kept(thread_id)
            first.thaw()
            wait_for(lambda: _abandoned(first, run_id), "the first worker giving up")
            assert cluster.kept(thread_id) == before
        else:
            # Its step ends as soon as it wakes; the other one's does, too, and both want to write a checkpoint.
            cluster.let_go("a")
            first.thaw()
            wait_for(lambda: _abandoned(first, run_id), "the first worker giving up")
            cluster.wait_ended(run_id)
        row = cluster.run_row(run_id)
        assert (row["status"], row["attempt"]) == ("success", 2)
        as_undisturbed(cluster, {"a": thread_id}, {"a": graph_id})
        kept = cluster.kept(thread_id)
        newest = {line["attempt"] for line in kept["events"] if line["mode"] == "values"}
        parents = [row["parent_checkpoint_id"] for row in kept["checkpoints"]]
        assert 2 in newest
        assert len(set(parents)) == len(parents)
        assert [line["attempt"] for line in cluster.effects(run=run_id, step="three", what="begin")] == [2]


def _abandoned(replica: Replica, run_id: str) -> bool:
    return any(line["message"] == "run abandoned" and line["run_id"] == run_id for line in replica.lines)


@pytest.mark.slow
def test_every_tick_of_a_cron_makes_one_run_whatever_becomes_of_the_schedulers(
    tmp_path: Path, postgres: OwnServer
) -> None:
    with running_cluster(tmp_path, postgres) as cluster:
        first, second, third = cluster.replicas
        body = {"assistant_id": "bare", "schedule": "* * * * * *", "input": {"label": "x"}, "on_run_completed": "keep"}
        crons = []
        for number in range(6):
            url = f"{cluster.urls[number % 3]}/runs/crons"
            crons.append(httpx.post(url, json={**body, "metadata": {"n": number}}, timeout=10).json()["cron_id"])

        def count() -> int:
            return int(cluster.row("SELECT count(*) AS n FROM longline.runs")["n"])

        wait_for(lambda: count() >= 12, "the first ticks")
        first.kill()
        second.freeze()  # in the middle of whatever it was at
        reached = count()
        wait_for(lambda: count() >= reached + 24, "ticks without them", 40)
        second.thaw()
        first.start()
        reached = count()
        wait_for(lambda: count() >= reached + 24, "ticks with all of them", 40)
        for cron_id in crons:
            httpx.delete(f"{third.url}/runs/crons/{cron_id}", timeout=10).raise_for_status()
        runs = cluster.rows("SELECT run_id, created_at FROM longline.runs ORDER BY position")
        known = {run["run_id"] for run in runs}
        began = min(run["created_at"] for run in runs).replace(microsecond=0)
        behind = {
            (line["cron_id"], datetime.fromisoformat(line["tick"]))
            for replica in cluster.replicas
            for line in replica.lines
            if line["message"] == "cron tick made no run" and "still waits to start" in line["reason"]
        }  # where this machine is so slow that the run of the tick before still waited
        found = 0
        for cron_id in crons:
            seconds = [began + timedelta(seconds=second) for second in range(-70, 120)]
            made = [second for second in seconds if tick_run_id(cron_id, second) in known]
            whole = [second for second in seconds if made[0] <= second <= made[-1] and (cron_id, second) not in behind]
            assert made == whole, "a tick was left out"
            found += len(made)
        assert found == len(runs)  # ids are those of ticks, so that none can be there twice


@pytest.mark.slow
def test_a_rolling_restart_hands_runs_over_at_once_and_streams_go_on_elsewhere(
    tmp_path: Path, postgres: OwnServer
) -> None:
    settings = {"server": {"lease_seconds": 60.0, "heartbeat_seconds": 5.0, "drain_seconds": 0.5}}
    with running_cluster(tmp_path, postgres, settings=settings) as cluster:
        asyncio.run(_rolling_restart(cluster))


async def _rolling_restart(cluster: Cluster) -> None:
    labels = [f"r{number}" for number in range(6)]
    threads = {label: thread() for label in labels}
    runs = {
        label: await asyncio.to_thread(cluster.create, cluster.replicas[n % 3], "hold", threads[label], label)
        for n, label in enumerate(labels)
    }
    for run_id in runs.values():
        await asyncio.to_thread(cluster.wait_step, run_id, "two")
    deadline = time.monotonic() + 100
    async with PatientClient(cluster.urls, random.Random(SEED), deadline=deadline) as client:
        following = [
            asyncio.create_task(client.follow(threads[label], runs[label], is_from_beginning=n % 2 == 0))
            for n, label in enumerate(labels)
        ]
        for replica in cluster.replicas:
            idle = await _idle_stream(client, replica, await _empty_thread(client, replica))
            had = [run_id for run_id in runs.values() if cluster.worker_of(run_id) is replica]
            attempts = {run_id: cluster.run_row(run_id)["attempt"] for run_id in had}
            replica.terminate()
            began = time.monotonic()
            for run_id in had:
                await asyncio.to_thread(cluster.wait_step, run_id, "two", attempt=attempts[run_id] + 1)
            assert time.monotonic() - began < settings_lease(cluster)
            assert await asyncio.to_thread(replica.wait_end, 20) == 0
            with pytest.raises(httpx.TransportError):  # broken off, not ended: whoever reads it asks the next one
                await idle
            replica.start()
            await wait_until(lambda replica=replica: asyncio.to_thread(replica.is_ready), "the replica", 60)
        for label in labels:
            cluster.let_go(label)
        readings = await asyncio.gather(*following)
    rows = [cluster.wait_ended(run_id) for run_id in runs.values()]
    assert {row["status"] for row in rows} == {"success"}
    assert all(row["attempt"] - 1 == row["released"] for row in rows), "a run waited for its lease"
    assert sum(row["released"] for row in rows) >= len(labels)
    for reading in readings:
        if reading.frames:
            read_exactly(cluster, reading)
    assert sum(reading.connections - 1 for reading in readings) > 0
    as_undisturbed(cluster, threads, dict.fromkeys(labels, "hold"))


def settings_lease(cluster: Cluster) -> float:
    return float(cluster.replicas[0].env["LONGLINE_SERVER__LEASE_SECONDS"])


async def _empty_thread(client: PatientClient, replica: Replica) -> str:
    answer = await client.http.post(f"{replica.url}/threads", json={})
    return str(answer.json()["thread_id"])


async def _idle_stream(client: PatientClient, replica: Replica, thread_id: str) -> "asyncio.Task[None]":
    """A stream that is open and has nothing to say; the task ends as the stream does."""
    is_open = asyncio.Event()

    async def read() -> None:
        url = f"{replica.url}/threads/{thread_id}/stream"
        async with client.http.stream("GET", url, timeout=httpx.Timeout(30.0)) as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_raw():
                is_open.set()

    task = asyncio.create_task(read())
    async with asyncio.timeout(20):
        await is_open.wait()
    return task
