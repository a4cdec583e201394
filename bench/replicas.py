"""Replicas on one Postgres: how soon they recover, how much they take, how late readers elsewhere are.

    uv run python bench/replicas.py [--only recovery throughput latency events] [--kills 20]

Starts an own Postgres and `longline serve` processes on loopback, in a folder that is removed. Beside each figure
stands what Postgres and its driver alone do on this machine, measured in the same run.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from concurrency import load  # noqa: E402
from tests.faults.cluster import Cluster, running_cluster  # noqa: E402
from tests.postgres import OwnServer, own_server  # noqa: E402

console = Console(width=150)
Row = tuple[str, str, str]


def centiles(values: Sequence[float], unit: str = "ms") -> str:
    ordered = sorted(values)
    return (
        f"p50 {statistics.median(ordered):.1f} {unit}, p95 {ordered[int(len(ordered) * 0.95)]:.1f}, "
        f"worst {ordered[-1]:.1f} ({len(ordered)})"
    )


# -- recovery -------------------------------------------------------------------------------------------------------


def recovery(cluster: Cluster, kills: int) -> list[Row]:
    """From `kill -9` of the worker of a run to the first step of its next attempt."""
    took = []
    for number in range(kills):
        replica = cluster.replicas[number % len(cluster.replicas)]
        label = f"k{number}"
        run_id = cluster.create(replica, "hold", str(uuid.uuid4()), label)
        cluster.wait_step(run_id, "two")
        replica.kill()
        killed_at = time.monotonic_ns()
        began = cluster.wait_step(run_id, "two", attempt=2, seconds=60)
        took.append((began["at"] - killed_at) / 1e9)
        cluster.let_go(label)
        replica.start()
        assert cluster.wait_ended(run_id)["attempt"] == 2
        replica.wait_ready()
        console.print(f"  kill {number + 1}: {took[-1]:.2f} s", highlight=False)
    lease = "the lease (4 s) less what was left of a heartbeat (1 s), and a poll (0.5 s)"
    return [
        (
            "back at work after kill -9",
            f"median {statistics.median(took):.2f} s, worst {max(took):.2f} of {kills}",
            lease,
        )
    ]


# -- throughput -----------------------------------------------------------------------------------------------------


async def _load_all(urls: Sequence[str], callers: int, seconds: float) -> tuple[list[float], float]:
    body = json.dumps({"assistant_id": "bare", "input": {"label": "x"}}).encode()
    shares = [callers // len(urls) + (number < callers % len(urls)) for number in range(len(urls))]
    done = await asyncio.gather(*(load(url, body, share, seconds) for url, share in zip(urls, shares, strict=True)))
    return [latency for latencies, _ in done for latency in latencies], max(took for _, took in done)


def throughput(cluster: Cluster) -> list[Row]:
    """`runs/wait` with 16 callers, over 1, 2 and 3 replicas."""
    rows, raw = [], raw_transactions(cluster)
    for count in range(1, len(cluster.replicas) + 1):
        urls = cluster.urls[:count]
        asyncio.run(_load_all(urls, 16, 1.0))
        latencies, took = asyncio.run(_load_all(urls, 16, 5.0))
        figures = f"{len(latencies) / took:.0f}/s, {centiles([1000 * latency for latency in latencies])}"
        rows.append((f"runs/wait, 16 callers, {count} replica{'s' * (count > 1)}", figures, raw))
    return rows


def raw_transactions(cluster: Cluster) -> str:
    """How many transactions of one insert and one update a second 16 connections make."""
    done, until = [0] * 16, time.monotonic() + 2

    def work(number: int) -> None:
        with psycopg.connect(cluster.database) as connection:
            while time.monotonic() < until:
                connection.execute("INSERT INTO raw_rows (id, body) VALUES (%s, %s)", (str(uuid.uuid4()), "x" * 500))
                connection.execute("UPDATE raw_rows SET body = 'y' WHERE id = %s", (str(number),))
                connection.commit()
                done[number] += 1

    cluster.rows("CREATE TABLE IF NOT EXISTS raw_rows (id TEXT PRIMARY KEY, body TEXT)")
    workers = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return f"{sum(done) / 2:.0f} transactions/s of two statements, psycopg, 16 threads"


# -- latency --------------------------------------------------------------------------------------------------------


def latency(cluster: Cluster) -> list[Row]:
    """From what a run says, or its end, to a reader at another replica (and at the same one)."""
    raw = f"NOTIFY round trip: {centiles(raw_notify(cluster))}"
    rows = []
    for what, resumable in (("kept", True), ("not kept", False)):
        for where, at in (("the same", 0), ("another", 1)):
            events, ends = asyncio.run(_latencies(cluster, resumable=resumable, at=at))
            rows.append((f"event ({what}) to a reader at {where} replica", centiles(events), raw))
            rows.append((f"end of a run ({what}) to who joined at {where} replica", centiles(ends), raw))
    return rows


async def _latencies(cluster: Cluster, *, resumable: bool, at: int) -> tuple[list[float], list[float]]:
    events, ends = [], []
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        for _ in range(15):
            thread_id = str(uuid.uuid4())
            body = {
                "assistant_id": "ticks", "input": {"label": "t", "count": 20, "pause": 0.02}, "if_not_exists": "create",
                "stream_mode": ["custom", "values"], "stream_resumable": resumable,
            }  # fmt: skip
            answer = await http.post(f"{cluster.urls[0]}/threads/{thread_id}/runs", json=body)
            path = f"{cluster.urls[at]}/threads/{thread_id}/runs/{answer.json()['run_id']}"

            async def read(path: str = path) -> None:
                async with http.stream("GET", f"{path}/stream") as stream:
                    said = [(line, time.monotonic_ns()) async for line in stream.aiter_lines()]
                events.extend(
                    (at - json.loads(line[6:])["at"]) / 1e6 for line, at in said if line.startswith('data: {"at":')
                )

            async def join(path: str = path) -> None:
                result = (await http.get(f"{path}/join")).json()
                ends.append((time.monotonic_ns() - int(result["chain"])) / 1e6)

            await asyncio.gather(read(), join())
    return events, ends


def raw_notify(cluster: Cluster) -> list[float]:
    """From NOTIFY on one connection to another one that listens, in milliseconds."""
    took: list[float] = []
    with (
        psycopg.connect(cluster.database, autocommit=True) as listener,
        psycopg.connect(cluster.database, autocommit=True) as speaker,
    ):
        listener.execute("LISTEN raw")
        for _ in range(200):
            began = time.perf_counter()
            speaker.execute("SELECT pg_notify('raw', 'x')")
            next(listener.notifies(timeout=5, stop_after=1))
            took.append((time.perf_counter() - began) * 1000)
    return took


# -- events ---------------------------------------------------------------------------------------------------------


def events(cluster: Cluster) -> list[Row]:
    """How many events of resumable runs a second are stored and read."""
    raw = raw_inserts(cluster)
    rows = []
    for count in (1, 3):
        runs, each = 6, 2_000
        began, stored = time.perf_counter(), asyncio.run(_flood(cluster.urls[:count], runs, each))
        rate = stored / (time.perf_counter() - began)
        rows.append((f"kept events, {runs} runs of {each}, {count} replica{'s' * (count > 1)}", f"{rate:.0f}/s", raw))
    return rows


async def _flood(urls: Sequence[str], runs: int, each: int) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=120) as http:

        async def one(number: int) -> int:
            body = {
                "assistant_id": "ticks", "input": {"label": "t", "count": each, "pause": 0}, "if_not_exists": "create",
                "stream_mode": ["custom"], "stream_resumable": True,
            }  # fmt: skip
            url = f"{urls[number % len(urls)]}/threads/{uuid.uuid4()}/runs/stream"
            async with http.stream("POST", url, json=body) as stream:
                return sum([chunk.count(b'data: {"at":') async for chunk in stream.aiter_raw()])

        return sum(await asyncio.gather(*(one(number) for number in range(runs))))


def raw_inserts(cluster: Cluster) -> str:
    """Rows of this size a second, one connection, 500 at a time, committed without waiting for the disk."""
    ids, data = list(range(500)), [b'{"at":1234567890123456}'] * 500
    with psycopg.connect(cluster.database) as connection:
        connection.execute("CREATE TABLE raw_events (run_id TEXT, seq INT, data BYTEA, PRIMARY KEY (run_id, seq))")
        connection.execute("SET synchronous_commit = off")
        began, number = time.perf_counter(), 0
        while time.perf_counter() - began < 2:
            connection.execute(
                "INSERT INTO raw_events SELECT %s, * FROM unnest(%s::int[], %s::bytea[])", (str(number), ids, data)
            )
            connection.commit()
            number += 1
        rate = number * 500 / (time.perf_counter() - began)
        connection.execute("DROP TABLE raw_events")
    return f"{rate:.0f} rows/s, psycopg, 500 a statement"


PARTS: dict[str, Callable[[Cluster], list[Row]]] = {"throughput": throughput, "latency": latency, "events": events}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=["recovery", *PARTS], default=["recovery", *PARTS])
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    table = Table("measure", "longline", "raw limit, same run", title="Replicas on one Postgres")
    with tempfile.TemporaryDirectory() as folder, own_server() as postgres, cluster_in(folder, postgres) as cluster:
        for part in arguments.only:
            console.print(part)
            found = recovery(cluster, arguments.kills) if part == "recovery" else PARTS[part](cluster)
            for row in found:
                table.add_row(*row)
    console.print(table)


def cluster_in(folder: str, postgres: OwnServer):
    return running_cluster(Path(folder), postgres, count=3)


if __name__ == "__main__":
    main()
