"""The database of several replicas goes away, is full, or takes no more connections."""

import asyncio
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from tests.faults.client import PatientClient
from tests.faults.cluster import QUICK, Cluster, running_cluster, thread, wait_until
from tests.faults.judge import as_undisturbed, read_exactly
from tests.faults.storm import SEED
from tests.postgres import OwnServer, own_server
from tests.processes import wait_for

LEASE_SECONDS = QUICK["server"]["lease_seconds"]


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
        for run_id in runs.values():
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
