"""What tasks are called: a thread and the first of the runs that the task is. Knows no SDK."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from longline.auth.principal import Principal
from longline.ids import parse_uuid
from longline.models.runs import Run
from longline.models.threads import Thread

MESSAGE_KEY: Final = "a2a_message_id"
"""Where the metadata of a run holds the id of the message that it answers. Runs without it are no tasks."""
DIGEST_KEY: Final = "a2a_message_digest"
"""Where it holds what tells that a message comes for the second time."""
REFERENCES_KEY: Final = "a2a_reference_task_ids"
TASK_KEY: Final = "a2a_task_id"
CONTEXT_KEY: Final = "a2a_context_id"
"""Where the metadata of a thread holds its context's id, if that is none of ours; that of a run has it always."""
_NAMESPACE: Final = UUID("7c6b1f0e-5d0b-5e0f-9a3c-2f1d8a4b6e21")


@dataclass(frozen=True, slots=True)
class TaskId:
    """A task's id, taken apart."""

    thread_id: str
    chain_id: str

    def __str__(self) -> str:
        return f"{self.thread_id}:{self.chain_id}"


def parse_task_id(text: str) -> TaskId | None:
    """The id, or None for what can be none."""
    thread, _, chain = text.rpartition(":")
    thread_id, chain_id = parse_uuid(thread), parse_uuid(chain)
    return None if thread_id is None or chain_id is None else TaskId(thread_id, chain_id)


def task_id_of(run: Run) -> str | None:
    """The task that the run belongs to; None if it belongs to none."""
    if run.chain_id is None or MESSAGE_KEY not in run.metadata:
        return None
    return str(TaskId(run.thread_id, run.chain_id))


def context_id_of(thread: Thread) -> str:
    """A thread's context, as its owner calls it."""
    said = thread.metadata.get(CONTEXT_KEY)
    return said if isinstance(said, str) else thread.thread_id


def thread_id_of(principal: Principal, context_id: str) -> str:
    """The thread that a caller means: its own id, or one that is made of the caller and their word."""
    return parse_uuid(context_id) or derived_id("context", principal.identity, context_id)


def derived_id(*parts: str) -> str:
    """An id that is the same for the same parts."""
    return str(uuid5(_NAMESPACE, "\0".join(f"{len(part)}:{part}" for part in parts)))
