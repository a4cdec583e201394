"""The body of a call: the run as the LangGraph API shows it, when it started and ended, and what it left."""

from datetime import datetime

import orjson

from longline.models.json import as_object
from longline.models.runs import Run
from longline.runs.recorders import RunEnding


def render_payload(ending: RunEnding, limit: int) -> str:
    """The body as JSON text; `finish_payload` adds when it is sent. Arguments and values with which it would be
    longer than about `limit` bytes are left out, and `omitted` says so."""
    payload = _run(ending.run)
    payload["run_started_at"] = None if ending.started_at is None else _time(ending.started_at)
    payload["run_ended_at"] = _time(ending.ended_at)
    omitted, size = [], len(orjson.dumps(payload))
    if size > limit:
        payload["kwargs"] = {}
        omitted, size = ["kwargs"], len(orjson.dumps(payload))
    payload["values"] = None
    if ending.values is not None and size + len(ending.values) > limit:
        omitted.append("values")
    elif ending.values is not None:
        payload["values"] = orjson.Fragment(ending.values)
    if ending.failure is not None:
        payload["error"] = {"error": ending.failure.error, "message": ending.failure.message}
    if omitted:
        payload["omitted"] = omitted
    return orjson.dumps(payload).decode()


def finish_payload(payload: str, sent_at: datetime) -> bytes:
    """The bytes to send. What was rendered is not parsed again: numbers of any size stay as they are."""
    return f'{payload[:-1]},"webhook_sent_at":"{_time(sent_at)}"}}'.encode()


def _run(run: Run) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "assistant_id": run.assistant_id,
        "metadata": run.metadata,
        "status": run.status,
        "kwargs": _kwargs(run),
        "multitask_strategy": run.multitask_strategy,
        "created_at": _time(run.created_at),
        "updated_at": _time(run.updated_at),
        "langsmith_session_name": None,
    }


def _kwargs(run: Run) -> dict[str, object]:
    spec = run.spec
    return {
        "input": spec.input,
        "command": spec.command,
        "config": _config(run),
        "context": spec.context or {},
        "stream_mode": list(spec.stream_modes),
        "interrupt_before": spec.interrupt_before,
        "interrupt_after": spec.interrupt_after,
        "webhook": spec.webhook,
        "feedback_keys": spec.feedback_keys,
        "temporary": spec.temporary,
        "subgraphs": spec.subgraphs,
        "resumable": spec.resumable,
        "checkpoint_during": spec.durability != "exit",
        "durability": spec.durability,
    }


def _config(run: Run) -> dict[str, object]:
    """The config; of a run that was started, with what it was started with."""
    config = run.spec.config
    if run.attempt == 0:
        return {**config}
    return {
        **config,
        "configurable": {**as_object(config.get("configurable")), "__pregel_node_finished": None},
        "metadata": {**as_object(config.get("metadata")), "run_attempt": run.attempt},
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
