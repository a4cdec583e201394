"""Values that the storage contracts are played through with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from longline.errors import ThreadBusyError
from longline.ids import new_id
from longline.models.assistants import Assistant
from longline.models.crons import Cron, CronSpec
from longline.models.events import EventBatch, RunEvent
from longline.models.json import JsonBytes, JsonObject
from longline.models.runs import (
    CancelAction,
    CancelRequest,
    Claim,
    Displacement,
    Lease,
    NewRun,
    Run,
    RunOutcome,
    RunSpec,
    RunStatus,
)
from longline.models.threads import NewThread, RunFailure, ThreadState, ThreadStatus
from longline.storage.protocols import Storage

LONG = 600.0
"""A lease that no test outlives."""
OVER = 0.0
"""A lease that has run out by the time anybody looks."""


def moment(seconds: float = 0) -> datetime:
    """A fixed time in the past, plus some seconds."""
    return datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC) + timedelta(seconds=seconds)


def far_off() -> datetime:
    """A time that no test reaches."""
    return datetime.now(UTC) + timedelta(days=1)


def sample_assistant(assistant_id: str | None = None, **changed: object) -> Assistant:
    """An assistant with something in every field."""
    values: dict[str, object] = {
        "assistant_id": assistant_id or new_id(),
        "graph_id": "agent",
        "name": "Ada",
        "description": "counts",
        "config": {"tags": ["a"], "configurable": {"model_name": "demo:"}},
        "context": {"language": "fr"},
        "metadata": {"owner": "ann"},
        "version": 1,
        "created_at": moment(),
        "updated_at": moment(),
        **changed,
    }
    return Assistant(**values)  # type: ignore[arg-type]  # the names are checked when it is called


def sample_thread(
    thread_id: str | None = None, *, metadata: JsonObject | None = None, created_at: datetime | None = None
) -> NewThread:
    """A thread to create."""
    return NewThread(thread_id=thread_id or new_id(), metadata=metadata or {}, created_at=created_at or moment())


def sample_cron(cron_id: str | None = None, **changed: object) -> Cron:
    """A cron with something in every field of its spec, due for a long time."""
    values: dict[str, object] = {
        "cron_id": cron_id or new_id(),
        "assistant_id": "assistant-1",
        "thread_id": None,
        "schedule": "*/5 * * * *",
        "timezone": None,
        "end_at": None,
        "enabled": True,
        "keeps_threads": False,
        "spec": CronSpec(
            input={"messages": [{"role": "user", "content": 'say "hi" — ünï'}]},
            metadata={"k": [1, None]},
            config={"recursion_limit": 7, "configurable": {"a": 1}},
            context={"language": "fr"},
            webhook="https://example.com/hook",
            interrupt_before=["one"],
            interrupt_after="*",
            multitask_strategy="reject",
            stream_modes=("values", "messages-tuple"),
            subgraphs=True,
            resumable=False,
            durability="sync",
        ),
        "metadata": {"owner": "ann"},
        "creator": {"identity": "ann", "permissions": ["read"]},
        "next_tick": moment(),
        "created_at": moment(),
        "updated_at": moment(),
        **changed,
    }
    return Cron(**values)  # type: ignore[arg-type]  # the names are checked when it is called


def sample_spec(*, temporary: bool = False) -> RunSpec:
    """A spec with something in every field."""
    return RunSpec(
        graph_id="agent",
        input={"messages": [{"role": "user", "content": 'say "hi" — ünï'}]},
        command={"resume": True},
        config={"recursion_limit": 7, "configurable": {"a": 1}},
        context={"language": "fr"},
        stream_modes=("values", "messages-tuple"),
        subgraphs=True,
        resumable=True,
        interrupt_before=["one"],
        interrupt_after="*",
        durability="sync",
        temporary=temporary,
        webhook="https://example.com/hook",
        feedback_keys=("good", "bad"),
    )


def sample_run(
    thread_id: str | None = None,
    *,
    run_id: str | None = None,
    temporary: bool = False,
    creates_thread: bool = True,
    created_at: datetime | None = None,
    not_before: datetime | None = None,
) -> NewRun:
    """A run to put on the queue, due unless `not_before` says otherwise."""
    thread_id = thread_id or new_id()
    return NewRun(
        run_id=run_id or new_id(),
        thread_id=thread_id,
        assistant_id="assistant-1",
        metadata={"source": "contract"},
        spec=sample_spec(temporary=temporary),
        multitask_strategy="enqueue",
        created_at=created_at or moment(),
        not_before=not_before or moment(),
        thread=sample_thread(thread_id, metadata={"owner": "ann"}) if creates_thread else None,
        thread_metadata={"graph_id": "agent", "assistant_id": "assistant-1"},
    )


def admit_all(unfinished: Sequence[Run]) -> Displacement:  # noqa: ARG001  # an AdmissionRule
    """The rule that lets everyone wait."""
    return Displacement()


def admit_if_idle(unfinished: Sequence[Run]) -> Displacement:
    """The rule that refuses a run on a busy thread."""
    if unfinished:
        raise ThreadBusyError(unfinished[0].thread_id)
    return Displacement()


@dataclass
class Displacing:
    """The rule that cancels every unfinished run, and remembers what it was shown."""

    action: CancelAction
    seen: list[Run] = field(default_factory=list)

    def __call__(self, unfinished: Sequence[Run]) -> Displacement:
        self.seen = list(unfinished)
        return Displacement(
            run_ids=tuple(run.run_id for run in unfinished),
            request=CancelRequest(action=self.action, reason="displaced"),
        )


def claim_by(owner: str = "worker-1", *, lease_seconds: float = LONG) -> Claim:
    """Who asks for runs."""
    return Claim(owner=owner, lease_seconds=lease_seconds)


async def put(storage: Storage, new: NewRun) -> Run:
    """Put a run on the queue and let it wait."""
    return (await storage.runs.enqueue(new, admit=admit_all)).run


async def begin(storage: Storage, new: NewRun | None = None, *, lease_seconds: float = LONG) -> Run:
    """Put a run on the queue and start it in the same breath."""
    admission = await storage.runs.enqueue(
        new or sample_run(), admit=admit_all, claim=claim_by(lease_seconds=lease_seconds)
    )
    return admission.run


async def lose(storage: Storage, run: Run) -> Run:
    """Let another worker take over a run whose lease is over; the new attempt."""
    (taken,) = await storage.runs.claim(claim_by("worker-2"), limit=1)
    if taken.run_id != run.run_id:
        raise ValueError(taken.run_id)
    return taken


def ended(
    status: RunStatus = RunStatus.SUCCESS,
    *,
    thread_status: ThreadStatus = ThreadStatus.IDLE,
    values: JsonBytes | None = b'{"n":1}',
    interrupts: JsonBytes | None = b"{}",
    failure: RunFailure | None = None,
    keep_values: bool = False,
    erase: bool = False,
) -> RunOutcome:
    """How a run ended."""
    state = ThreadState(status=thread_status, values=values, interrupts=interrupts, error=failure)
    return RunOutcome(status=status, state=state, failure=failure, keep_values=keep_values, erase=erase)


def batch_of(lease: Lease, *texts: bytes, first_seq: int = 1) -> EventBatch:
    """Events of one attempt with these data."""
    return EventBatch(
        lease,
        tuple(
            RunEvent(lease.run_id, lease.attempt, seq, "messages/partial", ("child:1", "x"), text)
            for seq, text in enumerate(texts, first_seq)
        ),
    )
