"""Replicas and their database are killed, stopped and restarted: nothing is lost, nothing happens twice."""

import asyncio
import os
import random
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from longline.ids import tick_run_id
from tests.faults.client import PatientClient, Reading
from tests.faults.cluster import QUICK, Cluster, Replica, expected_states, running_cluster, wait_until
from tests.faults.storm import Figures, StormPlan, judge_reading, run_storm
from tests.postgres import OwnServer, own_server
from tests.processes import wait_for

SEED = int(os.environ.get("LONGLINE_FAULT_SEED", "20261121"))
RUNS = int(os.environ.get("LONGLINE_FAULT_RUNS", "200"))
"""More of them take longer: about seven a second."""
LEASE_SECONDS = QUICK["server"]["lease_seconds"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


def thread() -> str:
    return str(uuid.uuid4())


def as_undisturbed(cluster: Cluster, threads: Mapping[str, str], graphs: Mapping[str, str]) -> None:
    """Each thread holds what one undisturbed run would have left there; both by the run's label."""
    expected = expected_states(cluster.folder, [[(graphs[label], label)] for label in threads])
    found = [cluster.state(thread_id) for thread_id in threads.values()]
    assert found == [states[-1] for states in expected]


def read_exactly(cluster: Cluster, reading: Reading) -> None:
    """The reader got what is stored of the run, no less, no more, nothing twice."""
    rows = cluster.rows("SELECT * FROM longline.events WHERE run_id = %s ORDER BY attempt, seq", reading.run_id)
    figures = Figures()
    judge_reading(reading, rows, figures)
    assert not figures.faults, "\n".join(figures.faults)
    assert reading.frames


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


@pytest.mark.parametrize("graph_id", ["hold", "block"])
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
    with running_cluster(tmp_path, postgres, settings=QUICK) as cluster:
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
        found = 0
        for cron_id in crons:
            seconds = [began + timedelta(seconds=second) for second in range(-70, 120)]
            made = [second for second in seconds if tick_run_id(cron_id, second) in known]
            assert made == [made[0] + timedelta(seconds=number) for number in range(len(made))], "a tick was left out"
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


@pytest.mark.slow
def test_a_database_that_is_away_for_ten_seconds_costs_no_run_and_no_attempt(
    tmp_path: Path, postgres: OwnServer
) -> None:
    with running_cluster(tmp_path, postgres) as cluster:  # the default lease of 4 s runs out meanwhile
        asyncio.run(_outage(cluster, postgres))


async def _outage(cluster: Cluster, postgres: OwnServer) -> None:
    labels = [f"o{number}" for number in range(9)]
    threads = {label: thread() for label in labels}
    graphs = {label: ("hold", "block")[n % 2] for n, label in enumerate(labels)}
    runs = {
        label: await asyncio.to_thread(cluster.create, cluster.replicas[n % 3], graphs[label], threads[label], label)
        for n, label in enumerate(labels)
    }
    waiting = await asyncio.to_thread(cluster.create, cluster.replicas[0], "steps", threads["o0"], "o0-next")
    pids = {run_id: cluster.wait_step(run_id, "two")["pid"] for run_id in runs.values()}
    async with PatientClient(cluster.urls, random.Random(SEED), deadline=time.monotonic() + 90) as client:
        following = [
            asyncio.create_task(client.follow(threads[label], runs[label], is_from_beginning=True)) for label in labels
        ]
        await wait_until(lambda: all(not task.done() for task in following), "streams")
        await asyncio.to_thread(postgres.stop, "immediate")
        away_until = time.monotonic() + 10
        for label in labels[:5]:
            cluster.let_go(label)  # steps end while nothing can be stored
        answers = []
        while time.monotonic() < away_until:
            for url in cluster.urls:
                answers += await asyncio.gather(
                    client.http.post(f"{url}/threads", json={}, timeout=8),
                    client.http.get(f"{url}/threads/{threads['o0']}/state", timeout=8),
                    client.http.get(f"{url}/ready", timeout=8),
                )
                assert (await client.http.get(f"{url}/health")).status_code == 200
            await asyncio.sleep(0.2)
        assert {answer.status_code for answer in answers} == {503}
        assert all("retry-after" in answer.headers for answer in answers)
        assert all("Traceback" not in answer.text for answer in answers)
        await asyncio.to_thread(postgres.start)
        for label in labels[5:]:
            cluster.let_go(label)
        readings = await asyncio.gather(*following)
    for run_id in (*runs.values(), waiting):
        row = await asyncio.to_thread(cluster.wait_ended, run_id)
        assert (row["status"], row["attempt"]) == ("success", 1)
    for run_id, pid in pids.items():
        assert {line["pid"] for line in cluster.effects(run=run_id)} == {pid}
    for reading in readings:
        read_exactly(cluster, reading)
    del threads["o0"]  # another run went on from there
    as_undisturbed(cluster, threads, graphs)
    for replica in cluster.replicas:
        await wait_until(lambda replica=replica: asyncio.to_thread(replica.is_ready), "the replica")
        assert "Traceback" not in replica.output


@pytest.mark.slow
def test_a_server_without_free_connections_is_waited_for_and_no_live_run_is_taken(tmp_path: Path) -> None:
    options = ("max_connections=24", "superuser_reserved_connections=0", "reserved_connections=0")
    with own_server(*options) as postgres, running_cluster(tmp_path, postgres, count=2, settings=QUICK) as cluster:
        first, second = cluster.replicas
        with ExitStack() as taken:
            with suppress(psycopg.OperationalError):
                while True:
                    connection = psycopg.connect(postgres.url, connect_timeout=5, autocommit=True)
                    taken.enter_context(connection)
            threads = {f"c{number}": thread() for number in range(2)}
            runs = {
                label: cluster.create(replica, "hold", threads[label], label)
                for label, replica in zip(threads, cluster.replicas, strict=True)
            }
            pids = {run_id: cluster.wait_step(run_id, "two")["pid"] for run_id in runs.values()}
            statuses = asyncio.run(_burst(cluster, 2 * LEASE_SECONDS))
            assert statuses <= {200, 503}
        for label in threads:
            cluster.let_go(label)
        for label, run_id in runs.items():
            row = cluster.wait_ended(run_id)
            assert (row["status"], row["attempt"]) == ("success", 1), "a live run was taken"
            assert {line["pid"] for line in cluster.effects(run=run_id)} == {pids[run_id]}
        as_undisturbed(cluster, threads, dict.fromkeys(threads, "hold"))
        left = "SELECT count(*) AS n FROM longline.runs WHERE status <> 'success'"
        wait_for(lambda: cluster.row(left)["n"] == 0, "the end of all runs")
        assert "Traceback" not in first.output + second.output


async def _burst(cluster: Cluster, seconds: float) -> set[int]:
    """Many calls at once for a while; the statuses of their answers."""
    until, statuses = time.monotonic() + seconds, set()

    async def call(http: httpx.AsyncClient, number: int) -> None:
        while time.monotonic() < until:
            body = {"assistant_id": "bare", "input": {"label": "x"}, "if_not_exists": "create"}
            url = f"{cluster.urls[number % len(cluster.urls)]}/threads/{thread()}/runs/wait"
            answer = await http.post(url, json=body, timeout=20)
            statuses.add(answer.status_code)
            if answer.status_code == 503:
                assert "retry-after" in answer.headers

    async with httpx.AsyncClient(trust_env=False) as http:
        await asyncio.gather(*(call(http, number) for number in range(24)))
    return statuses


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "longline-faults", str(folder)], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_and_waited_for(small_disk: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with own_server() as postgres, ExitStack() as stack:
        place = small_disk / "tables"
        place.mkdir()
        for folder in (place, *_private_above(place)):
            folder.chmod(0o777)
        if os.getuid() == 0:
            os.chown(place, *_owner(postgres.data))
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(place))))
            connection.execute("CREATE DATABASE small TABLESPACE small")
        database = postgres.url_of("small")
        cluster = stack.enter_context(running_cluster(project, postgres, count=2, settings=QUICK, database=database))
        first, second = cluster.replicas
        threads = {label: thread() for label in ("d0", "d1")}
        runs = {
            label: cluster.create(replica, "hold", threads[label], label)
            for label, replica in zip(threads, cluster.replicas, strict=True)
        }
        for run_id in runs.values():
            cluster.wait_step(run_id, "two")
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file, suppress(OSError):
            while True:
                file.write(b"\0" * 65536)
        body = {"assistant_id": "bare", "input": {"label": "x" * 500_000}, "if_not_exists": "create"}

        def refused() -> httpx.Response | None:
            answer = httpx.post(f"{first.url}/threads/{thread()}/runs", json=body, timeout=20)
            accepted.extend([answer.json()["run_id"]] if answer.status_code == 200 else [])
            return answer if answer.status_code != 200 else None

        accepted: list[str] = []
        answer = wait_for(refused, "the disk being full", 30)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert "no space" in answer.text.lower() or "full" in answer.text.lower() or "storage" in answer.text.lower()
        for label in threads:
            cluster.let_go(label)
        assert any("space" in str(line.get("reason", line.get("cause", ""))) for line in first.lines + second.lines)
        ballast.unlink()
        for run_id in (*runs.values(), *accepted):
            assert cluster.wait_ended(run_id, 30)["status"] == "success"
        as_undisturbed(cluster, threads, dict.fromkeys(threads, "hold"))
        assert cluster.create(first, "bare", thread(), "after")
        assert "Traceback" not in first.output + second.output


def _private_above(folder: Path) -> list[Path]:
    """The folders above that others may not enter."""
    return [above for above in folder.parents if above.owner() != "root" or not above.stat().st_mode & 0o001]


def _owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid
