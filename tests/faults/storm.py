"""Many runs on a cluster whose parts are killed, stopped and restarted all the time; and what must hold afterwards."""

import asyncio
import itertools
import os
import random
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.faults.client import PatientClient
from tests.faults.cluster import START_SECONDS, Cluster, Replica, wait_until
from tests.faults.judge import Figures, Told, judge

SEED = int(os.environ.get("LONGLINE_FAULT_SEED", "20261121"))
_GRAPHS = ("steps", "steps", "talk")
_MODES = ["values", "updates", "custom", "messages-tuple"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """How much happens, and how often something dies. Times in seconds."""

    runs: int
    seed: int
    arrival_seconds: float
    """Over which the threads begin."""
    pause: tuple[float, float] = (1.0, 2.5)
    """Between two faults, from and to."""
    frozen: tuple[float, float] = (2.5, 4.0)
    """How long a stopped replica stays so: longer than a lease."""
    database_every: int = 6
    """Each so many faults the database is the one that goes."""
    limit_seconds: float = 150.0
    """After which clients give up: the test has failed then."""


async def run_storm(
    cluster: Cluster, plan: StormPlan, tell: Callable[[str], None] = lambda _: None, *, is_calm: bool = False
) -> Figures:
    """Make the runs of the plan while its faults happen, wait for all of them, and look at everything. `is_calm`: no
    faults."""
    rng = random.Random(plan.seed)
    figures, told = Figures(), Told()
    began = time.monotonic()
    sizes = []
    while sum(sizes) < plan.runs:
        sizes.append(min(rng.randint(1, 4), plan.runs - sum(sizes)))
    async with PatientClient(cluster.urls, random.Random(rng.random()), deadline=began + plan.limit_seconds) as client:
        over = asyncio.Event()
        storm = over.wait() if is_calm else _storm(cluster, plan, random.Random(rng.random()), figures, over)
        faults = asyncio.create_task(storm)
        work = [
            asyncio.create_task(_thread(client, random.Random(rng.random()), number, size, plan, told))
            for number, size in enumerate(sizes)
        ]
        tell(f"{len(sizes)} threads, {plan.runs} runs")
        clients = asyncio.gather(*work)
        try:
            limit = began + plan.limit_seconds + 5
            await asyncio.wait({clients, faults}, timeout=limit - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
            assert clients.done() or faults.done(), f"clients still wait: {sorted(told.waiting)}"
        finally:
            over.set()
            for task in work:
                task.cancel()
            ended = await asyncio.gather(clients, faults, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error
        figures.asked_again = client.retries.broken + client.retries.unavailable
        figures.faults += [f"refused: {refused}" for refused in client.retries.refused]
        if client.retries.without_retry_after:
            figures.faults.append(f"{client.retries.without_retry_after} answers of 503 without Retry-After")
    await _wait_all_ended(cluster, plan)
    figures.seconds = time.monotonic() - began
    tell("all ended; looking at what is stored")
    await asyncio.to_thread(judge, cluster, told, figures)
    return figures


# -- clients --------------------------------------------------------------------------------------------------------


async def _thread(
    client: PatientClient, rng: random.Random, number: int, size: int, plan: StormPlan, told: Told
) -> None:
    await asyncio.sleep(rng.random() * plan.arrival_seconds)
    thread_id, graph_id = str(uuid.UUID(int=rng.getrandbits(128), version=4)), rng.choice(_GRAPHS)
    followers: list[asyncio.Task[None]] = []
    for turn in range(size):
        label = f"t{number}r{turn}"
        body = {
            "assistant_id": graph_id, "input": {"label": label}, "metadata": {"label": label, "graph": graph_id},
            "if_not_exists": "create", "multitask_strategy": "enqueue", "stream_mode": _MODES,
            "stream_resumable": rng.random() < 0.85,
        }  # fmt: skip
        way = rng.random()
        if way < 0.6:
            with told.waits(f"{label} being created"):
                run_id = await client.create(thread_id, body, label)
            told.accepted[run_id] = thread_id
            readers = rng.choice((0, 1, 1, 2)) if body["stream_resumable"] else 0
            for is_from_beginning in (True, False)[:readers]:
                following = _follow(client, told, thread_id, run_id, is_from_beginning=is_from_beginning)
                followers.append(asyncio.create_task(following))
        elif way < 0.8:
            followers.append(asyncio.create_task(_stream(client, told, thread_id, body, label)))
            if rng.random() < 0.5:
                await followers[-1]
        else:
            with told.waits(f"the result of {label}"):
                run_id, result = await client.create_and_wait(thread_id, body, label)
            told.accepted[run_id] = thread_id
            told.results.append((run_id, result))
    await asyncio.gather(*followers)


async def _follow(client: PatientClient, told: Told, thread_id: str, run_id: str, *, is_from_beginning: bool) -> None:
    with told.waits(f"the stream of run {run_id}, all of it: {is_from_beginning}"):
        told.readings.append(await client.follow(thread_id, run_id, is_from_beginning=is_from_beginning))


async def _stream(client: PatientClient, told: Told, thread_id: str, body: dict, label: str) -> None:
    if not body["stream_resumable"]:  # nobody could go on reading it elsewhere
        run_id = await client.create(thread_id, body, label)
        told.accepted[run_id] = thread_id
        return
    with told.waits(f"the stream of {label}"):
        reading = await client.create_and_stream(thread_id, body, label)
    told.accepted[reading.run_id] = thread_id
    told.readings.append(reading)


# -- faults ---------------------------------------------------------------------------------------------------------


async def _storm(cluster: Cluster, plan: StormPlan, rng: random.Random, figures: Figures, over: asyncio.Event) -> None:
    """One fault after another, two replicas at a time at most, until it is over; then everything is up again."""
    async with asyncio.TaskGroup() as group:
        busy: set[int] = set()
        for number in itertools.count(1):
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), rng.uniform(*plan.pause))
            if over.is_set():
                return
            free = [replica for replica in cluster.replicas if replica.number not in busy]
            if number % plan.database_every == 0:
                figures.database_restarts += 1
                await asyncio.to_thread(_restart_database, cluster, rng.uniform(0.0, 0.8))
            elif len(free) > len(cluster.replicas) - 2:
                replica = rng.choice(free)
                busy.add(replica.number)
                fault = _kill if rng.random() < 0.6 else _stop
                group.create_task(fault(replica, plan, rng, figures, busy))


def _restart_database(cluster: Cluster, seconds: float) -> None:
    cluster.postgres.stop("immediate")
    time.sleep(seconds)
    cluster.postgres.start()


async def _kill(replica: Replica, plan: StormPlan, rng: random.Random, figures: Figures, busy: set[int]) -> None:
    figures.kills += 1
    await asyncio.to_thread(replica.kill)
    await asyncio.sleep(rng.uniform(0.0, 1.0))
    replica.start()
    await wait_until(lambda: _is_ready(replica), f"replica {replica.number} being ready", START_SECONDS)
    busy.discard(replica.number)


async def _is_ready(replica: Replica) -> bool:
    return await asyncio.to_thread(replica.is_ready)


async def _stop(replica: Replica, plan: StormPlan, rng: random.Random, figures: Figures, busy: set[int]) -> None:
    figures.stops += 1
    replica.freeze()
    try:
        await asyncio.sleep(rng.uniform(*plan.frozen))
    finally:
        replica.thaw()
    busy.discard(replica.number)


async def _wait_all_ended(cluster: Cluster, plan: StormPlan) -> None:
    def unfinished() -> int:
        query = "SELECT count(*) AS n FROM longline.runs WHERE status IN ('pending', 'running')"
        return int(cluster.row(query)["n"])

    await wait_until(lambda: unfinished() == 0, "the end of all runs", 40)
