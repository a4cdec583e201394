"""Many runs on a cluster whose parts are killed, stopped and restarted all the time; and what must hold afterwards."""

import asyncio
import itertools
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.faults.client import PatientClient, Reading
from tests.faults.cluster import START_SECONDS, Cluster, Replica, expected_states, wait_until

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


@dataclass(slots=True)
class Told:
    """What clients were told."""

    accepted: dict[str, str] = field(default_factory=dict)
    """Run ids that were answered to a client, and their threads."""
    readings: list[Reading] = field(default_factory=list)
    results: list[tuple[str, object]] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    """What clients wait for now, in words."""

    @contextmanager
    def waits(self, what: str) -> Iterator[None]:
        """The client waits for this."""
        self.waiting.add(what)
        yield
        self.waiting.discard(what)


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of a storm. Everything that must not be is in `faults`, one sentence each."""

    runs_accepted: int = 0
    runs_stored: int = 0
    runs_lost: int = 0
    threads: int = 0
    kills: int = 0
    stops: int = 0
    database_restarts: int = 0
    attempts: int = 0
    recoveries: int = 0
    handed_back: int = 0
    most_attempts: int = 0
    events_stored: int = 0
    events_read: int = 0
    events_lost: int = 0
    events_doubled: int = 0
    readers: int = 0
    resumes: int = 0
    readers_of_several: int = 0
    asked_again: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


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
    await asyncio.to_thread(_judge, cluster, told, figures)
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


# -- what must hold -------------------------------------------------------------------------------------------------


def _judge(cluster: Cluster, told: Told, figures: Figures) -> None:
    runs = cluster.rows("SELECT * FROM longline.runs ORDER BY position")
    stored = {run["run_id"]: run for run in runs}
    figures.runs_accepted, figures.runs_stored = len(told.accepted), len(runs)
    figures.threads = len({run["thread_id"] for run in runs})
    lost = [run_id for run_id in told.accepted if run_id not in stored]
    figures.runs_lost = len(lost)
    figures.faults += [f"run {run_id} was accepted and is gone" for run_id in lost]
    figures.attempts = sum(run["attempt"] for run in runs)
    figures.most_attempts = max((run["attempt"] for run in runs), default=0)
    figures.handed_back = sum(run["released"] for run in runs)
    figures.recoveries = figures.attempts - len(runs) - figures.handed_back
    figures.faults += [
        f"run {run['run_id']} ended as {run['status']}: {run['failure']}" for run in runs if run["status"] != "success"
    ]
    _judge_states(cluster, runs, told, figures)
    _judge_events(cluster, stored, told.readings, figures)
    _judge_effects(cluster, runs, figures)


def _judge_states(cluster: Cluster, runs: Sequence[dict], told: Told, figures: Figures) -> None:
    """Every thread is as if nothing had happened; so are the results that were waited for, and no branch was left."""
    threads: dict[str, list[dict]] = {}
    for run in runs:
        threads.setdefault(run["thread_id"], []).append(run)
    asked = []
    for of_thread in threads.values():
        facts = [json.loads(run["metadata"]) for run in of_thread]
        asked.append([(fact["graph"], fact["label"]) for fact in facts])
    expected = expected_states(cluster.folder, asked)
    after: dict[str, dict] = {}
    for (thread_id, of_thread), states in zip(threads.items(), expected, strict=True):
        after |= {run["run_id"]: state for run, state in zip(of_thread, states, strict=True)}
        kept = cluster.row('SELECT "values" FROM longline.threads WHERE thread_id = %s', thread_id)
        found = json.loads(bytes(kept["values"])) if kept["values"] is not None else None
        if found != states[-1]:
            figures.faults.append(f"thread {thread_id} holds {found}, not {states[-1]}")
    for run_id, result in told.results:
        if result not in [after[run["run_id"]] for run in threads[told.accepted[run_id]]]:
            figures.faults.append(f"run {run_id} was answered with {result}, not {after[run_id]}")
    forks = cluster.rows(
        "SELECT thread_id, parent_checkpoint_id, count(*) AS n FROM longline.checkpoints WHERE checkpoint_ns = ''"
        " GROUP BY thread_id, parent_checkpoint_id HAVING count(*) > 1"
    )
    figures.faults += [f"thread {fork['thread_id']} has {fork['n']} checkpoints after one" for fork in forks]


def _judge_events(cluster: Cluster, runs: dict[str, dict], readings: Sequence[Reading], figures: Figures) -> None:
    """No hole in what is stored, and every reader got exactly that."""
    stored: dict[str, list[dict]] = {}
    for row in cluster.rows("SELECT * FROM longline.events ORDER BY run_id, attempt, seq"):
        stored.setdefault(row["run_id"], []).append(row)
    figures.events_stored = sum(map(len, stored.values()))
    for run_id, rows in stored.items():
        for attempt, of_attempt in itertools.groupby(rows, key=lambda row: row["attempt"]):
            numbers = [row["seq"] for row in of_attempt]
            missing = set(range(1, numbers[-1] + 1)) - set(numbers)
            figures.events_lost += len(missing)
            if missing:
                figures.faults.append(f"attempt {attempt} of run {run_id} has no events {sorted(missing)}")
        last = rows[-1]["attempt"] if rows else 0
        if last != runs[run_id]["attempt"]:
            figures.faults.append(f"run {run_id} ended with attempt {runs[run_id]['attempt']}, its events with {last}")
    for run_id, run in runs.items():
        if run["resumable"] and run_id not in stored:
            figures.faults.append(f"run {run_id} has no events")
    for reading in readings:
        judge_reading(reading, stored.get(reading.run_id, []), figures)


def judge_reading(reading: Reading, rows: Sequence[dict], figures: Figures) -> None:
    """Add what one reader got to the figures: it must be the stored events of its run, from where it began."""
    figures.readers += 1
    figures.resumes += max(0, reading.connections - 1)
    figures.readers_of_several += len(reading.replicas) > 1
    figures.events_read += len(reading.frames)
    if reading.ended_before_run is not None:
        figures.faults.append(f"a stream of run {reading.run_id} ended while it was {reading.ended_before_run}")
    base = int(reading.run_id.replace("-", "")[:12], 16)
    whole = [(f"{base + row['attempt']}-{row['seq']}", bytes(row["data"]).decode()) for row in rows]
    got = [(frame.id, frame.data) for frame in reading.frames]
    begin = 0 if reading.is_from_beginning or not got else next(
        (index for index, (event_id, _) in enumerate(whole) if event_id == got[0][0]), 0
    )  # fmt: skip
    wanted = whole[begin:] if got or reading.is_from_beginning else []
    if got != wanted:
        twice = sum(n - 1 for n in Counter(event_id for event_id, _ in got).values())
        known, read = dict(whole), {event_id for event_id, _ in got}
        unread = [event_id for event_id, _ in wanted if event_id not in read]
        unknown = [event_id for event_id, data in got if known.get(str(event_id)) != data]
        figures.events_doubled += twice
        figures.events_lost += len(unread)
        figures.faults.append(
            f"a reader of run {reading.run_id} (runs from {base + 1}) missed {unread}, got {unknown} that are not"
            f" stored so, and {twice} twice, over {reading.connections} connections"
        )


def _judge_effects(cluster: Cluster, runs: Sequence[dict], figures: Figures) -> None:
    """At most one attempt at a time was at work on a thread. One that had lost its lease did no more than end the step
    that it was in, or begin one."""
    order = {run["run_id"]: run["position"] for run in runs}
    threads: dict[str, list[dict]] = {}
    for line in cluster.effects(what="begin"):
        if line["run"] in order:
            threads.setdefault(line["thread"], []).append(line)
    for thread_id, lines in threads.items():
        newest, late = (0, 0), Counter()
        for line in sorted(lines, key=lambda line: line["at"]):
            place = (order[line["run"]], line["attempt"])
            if place < newest:
                late[place] += 1
            newest = max(newest, place)
        figures.faults += [
            f"thread {thread_id}: attempt {place[1]} of a run began {count} steps after it had lost its lease"
            for place, count in late.items()
            if count > 1
        ]
