"""Rows ↔ models: the only place that knows which column holds what."""

import sqlite3
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TypeAlias

import orjson

from longline.models.assistants import Assistant
from longline.models.collections import Document, NewDocument
from longline.models.events import KeptEntry, RunEnding, RunEvent
from longline.models.json import JsonObject, JsonValue
from longline.models.runs import CancelRequest, NewRun, Run, RunSpec, RunStatus
from longline.models.threads import NewThread, RunFailure, Thread, ThreadState, ThreadStatus, ThreadTtl
from longline_storage_sqlite.clocks import instant, micros, optional_instant, optional_micros

_MINUTE = 60_000_000  # microseconds
_SPEC_FIELDS = frozenset(field.name for field in fields(RunSpec))

Parameters: TypeAlias = Mapping[str, str | int | bytes | None]


def encode(value: JsonValue) -> str:
    """JSON text for a column that SQL looks into."""
    return orjson.dumps(value).decode()


def decode_object(text: str) -> JsonObject:
    """The object in a column that holds one."""
    value: JsonObject = orjson.loads(text)
    return value


def assistant_from_row(row: sqlite3.Row) -> Assistant:
    """A version of an assistant."""
    return Assistant(
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        name=row["name"],
        description=row["description"],
        config=decode_object(row["config"]),
        context=decode_object(row["context"]),
        metadata=decode_object(row["metadata"]),
        version=row["version"],
        created_at=instant(row["created_at"]),
        updated_at=instant(row["updated_at"]),
    )


def assistant_parameters(assistant: Assistant) -> Parameters:
    """What both tables of assistants take."""
    return {
        "assistant_id": assistant.assistant_id,
        "version": assistant.version,
        "graph_id": assistant.graph_id,
        "name": assistant.name,
        "description": assistant.description,
        "config": encode(assistant.config),
        "context": encode(assistant.context),
        "metadata": encode(assistant.metadata),
        "created_at": micros(assistant.created_at),
        "updated_at": micros(assistant.updated_at),
    }


def thread_from_row(row: sqlite3.Row) -> Thread:
    """A thread, as the view shows it."""
    return Thread(
        thread_id=row["thread_id"],
        created_at=instant(row["created_at"]),
        updated_at=instant(row["updated_at"]),
        state_updated_at=instant(row["state_updated_at"]),
        metadata=decode_object(row["metadata"]),
        status=ThreadStatus(row["status"]),
        values=row["values"],
        interrupts=row["interrupts"],
        error=failure_from_text(row["error"]),
        has_run=bool(row["has_run"]),
        ttl=ttl_from_row(row),
    )


def thread_parameters(thread: NewThread) -> Parameters:
    """What a new thread's row takes."""
    return {
        "thread_id": thread.thread_id,
        "metadata": encode(thread.metadata),
        "created_at": micros(thread.created_at),
        **ttl_parameters(thread.ttl),
    }


def ttl_parameters(ttl: ThreadTtl | None) -> dict[str, str | int | bytes | None]:
    """How long a thread stays, for its columns."""
    if ttl is None:
        return {"ttl_micros": None, "ttl_strategy": None}
    return {"ttl_micros": round(ttl.minutes * _MINUTE), "ttl_strategy": ttl.strategy}


def ttl_from_row(row: sqlite3.Row) -> ThreadTtl | None:
    """How long a thread stays."""
    if row["ttl_micros"] is None:
        return None
    return ThreadTtl(minutes=row["ttl_micros"] / _MINUTE, strategy=row["ttl_strategy"])


def new_thread_model(thread: NewThread) -> Thread:
    """A new thread as it will be read back."""
    created_at = instant(micros(thread.created_at))
    return Thread(
        thread_id=thread.thread_id,
        created_at=created_at,
        updated_at=created_at,
        state_updated_at=created_at,
        metadata=thread.metadata,
        status=ThreadStatus.IDLE,
        values=None,
        interrupts=None,
        error=None,
        has_run=False,
        ttl=thread.ttl,
    )


def state_parameters(state: ThreadState) -> dict[str, str | int | bytes | None]:
    """What a run or a state update leaves in the thread's row."""
    return {
        "status": state.status,
        "values": state.values,
        "interrupts": state.interrupts,
        "error": failure_text(state.error),
    }


def failure_text(failure: RunFailure | None) -> str | None:
    """A failure for its column."""
    return None if failure is None else encode({"error": failure.error, "message": failure.message})


def failure_from_text(text: str | None) -> RunFailure | None:
    """A failure from its column."""
    return None if text is None else RunFailure(**orjson.loads(text))


def run_from_row(row: sqlite3.Row) -> Run:
    """A run."""
    return Run(
        run_id=row["run_id"],
        thread_id=row["thread_id"],
        assistant_id=row["assistant_id"],
        metadata=decode_object(row["metadata"]),
        status=RunStatus(row["status"]),
        spec=_spec_from_text(row["spec"]),
        multitask_strategy=row["multitask_strategy"],
        created_at=instant(row["created_at"]),
        updated_at=instant(row["updated_at"]),
        not_before=instant(row["not_before"]),
        attempt=row["attempt"],
        released=row["released"],
        lease_owner=row["lease_owner"],
        cancel=cancel_from_row(row),
        failure=failure_from_text(row["failure"]),
        turn=row["turn"],
        token=row["token"],
        chain_id=row["chain_id"],
        verdict=row["verdict"],
    )


def cancel_from_row(row: sqlite3.Row) -> CancelRequest | None:
    """The request to cancel a run, if there is one."""
    if row["cancel_action"] is None:
        return None
    return CancelRequest(action=row["cancel_action"], reason=row["cancel_reason"])


def run_parameters(new: NewRun) -> dict[str, str | int | bytes | None]:
    """What a new run's row takes: pending, never claimed."""
    return {
        "run_id": new.run_id,
        "thread_id": new.thread_id,
        "assistant_id": new.assistant_id,
        "metadata": encode(new.metadata),
        "status": RunStatus.PENDING,
        "spec": orjson.dumps(new.spec).decode(),
        "temporary": new.spec.temporary,
        "resumable": new.spec.resumable,
        "multitask_strategy": new.multitask_strategy,
        "created_at": micros(new.created_at),
        "not_before": micros(new.not_before),
        "attempt": 0,
        "lease_owner": None,
        "lease_expires_at": None,
        "token": new.token,
        "chain_id": new.chain_id,
    }


def new_run_model(new: NewRun) -> Run:
    """A new run as it will be read back: pending, never claimed."""
    created_at = instant(micros(new.created_at))
    return Run(
        run_id=new.run_id,
        thread_id=new.thread_id,
        assistant_id=new.assistant_id,
        metadata=new.metadata,
        status=RunStatus.PENDING,
        spec=new.spec,
        multitask_strategy=new.multitask_strategy,
        created_at=created_at,
        updated_at=created_at,
        not_before=instant(micros(new.not_before)),
        attempt=0,
        lease_owner=None,
        token=new.token,
        chain_id=new.chain_id,
    )


def started(run: Run, owner: str) -> Run:
    """A new run that is claimed in the moment it is stored."""
    return replace(run, status=RunStatus.RUNNING, attempt=1, lease_owner=owner)


def document_from_row(row: sqlite3.Row) -> Document:
    """A document of a collection."""
    return Document(
        collection=row["collection"],
        owner=row["owner"],
        key=row["key"],
        value=decode_object(row["value"]),
        version=row["version"],
        created_at=instant(row["created_at"]),
        updated_at=instant(row["updated_at"]),
        expires_at=optional_instant(row["expires_at"]),
        due_at=optional_instant(row["due_at"]),
        takes=row["takes"],
        holder=row["holder"],
    )


def document_parameters(new: NewDocument, now: int) -> Parameters:
    """What a document's row takes when it is put."""
    return {
        "collection": new.collection,
        "owner": new.owner,
        "key": new.key,
        "value": encode(new.value),
        "now": now,
        "expires_at": optional_micros(new.expires_at),
        "due_at": optional_micros(new.due_at),
    }


def event_from_row(run_id: str, row: sqlite3.Row) -> RunEvent:
    """An event of a run."""
    namespace = tuple(orjson.loads(row["namespace"]))
    return RunEvent(
        run_id, row["attempt"], row["seq"], row["mode"], namespace, row["data"], turn=row["turn"], at_ms=row["at_ms"]
    )


def entry_from_row(row: sqlite3.Row) -> KeptEntry:
    """An event of a thread, or the end of a run on it."""
    if row["status"] is None:
        return event_from_row(row["run_id"], row)
    return RunEnding(
        run_id=row["run_id"],
        turn=row["turn"],
        status=RunStatus(row["status"]),
        failure=failure_from_text(row["failure"]),
        at_ms=row["at_ms"],
        is_behind=bool(row["is_behind"]),
    )


def event_parameters(event: RunEvent) -> tuple[str, int, int, str, str, bytes, int]:
    """What an event's row takes, in the order of its columns."""
    namespace = orjson.dumps(event.namespace).decode() if event.namespace else "[]"
    return event.run_id, event.attempt, event.seq, event.mode, namespace, event.data, event.at_ms


def _spec_from_text(text: str) -> RunSpec:
    """The spec without what only a later version of the server knows."""
    known = {key: value for key, value in orjson.loads(text).items() if key in _SPEC_FIELDS}
    keys, modes = known["feedback_keys"], tuple(known["stream_modes"])
    return RunSpec(**{**known, "stream_modes": modes, "feedback_keys": None if keys is None else tuple(keys)})
