"""What must hold after a storm, and the figures of it."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.client import Reading
from tests.faults.cluster import Cluster
from tests.faults.project import expected_states


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


def judge(cluster: Cluster, told: Told, figures: Figures) -> None:
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
