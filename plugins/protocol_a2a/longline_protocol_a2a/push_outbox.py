"""What is stored with a run's end, so that no crash can keep it from those who are to be told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from longline.ids import new_id
from longline.models.collections import CollectionSpec, NewDocument
from longline.models.json import JsonObject
from longline.models.runs import Run, RunStatus
from longline.runs.recorders import RunEnding
from longline_protocol_a2a.names import task_id_of

CONFIGS: Final = CollectionSpec(name="protocol_a2a.push_configs", kind="documents")
"""One document for each task that has configs, by the id of the task's first run; see KeptConfigs."""
ENDINGS: Final = CollectionSpec(name="protocol_a2a.push_endings", kind="documents")
"""One document for each run that ended and whose task's configs were not looked at yet, by the id of the run."""
CALLS: Final = CollectionSpec(name="protocol_a2a.push_calls", kind="documents")
"""One document for each notification that is on its way. One that was given up stays for a while, without the task."""
OWNER: Final = ""


class PushOutbox:
    """Writes down that a task has news, in the transaction in which its run ends: who is to be told is looked up after
    that. Costs nothing for runs that are no tasks."""

    def wants(self, run: Run) -> bool:
        """See EndRecorder."""
        return task_id_of(run) is not None

    def record(self, ending: RunEnding) -> Sequence[NewDocument]:
        """See EndRecorder."""
        return [ending_document(ending.run, ending.ended_at)]


def ending_document(run: Run, ended_at: datetime) -> NewDocument:
    """The news that a run of a task ended as it says."""
    value = _value(run, ended_at)
    return NewDocument(collection=ENDINGS.name, owner=OWNER, key=run.run_id, value=value, due_at=ended_at)


def given_up_document(run: Run, at: datetime) -> NewDocument:
    """The news that a run of a task, which waited, is interrupted now: true if it is found to be so."""
    value = {**_value(replace(run, status=RunStatus.INTERRUPTED, verdict=None), at), "is_expected": True}
    return NewDocument(collection=ENDINGS.name, owner=OWNER, key=f"{run.run_id}.{new_id()}", value=value)


def _value(run: Run, at: datetime) -> JsonObject:
    return {
        "chain_id": run.chain_id,
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "assistant_id": run.assistant_id,
        "status": run.status.value,
        "verdict": run.verdict,
        "ended_at": at.isoformat(),
    }
