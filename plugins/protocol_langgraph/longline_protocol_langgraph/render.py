"""Assistants, threads and runs as clients see them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import orjson

from longline.models.assistants import Assistant
from longline.models.runs import Run, RunSpec, RunStatus
from longline.models.threads import RunFailure, Thread, ThreadFootprint, ThreadStatus

Rendered = dict[str, object]
"""Ready for orjson: JSON values, and `orjson.Fragment` where something is encoded already."""

RUN_FIELDS: Final = (
    "run_id", "thread_id", "assistant_id", "metadata", "status", "kwargs", "multitask_strategy", "created_at",
    "updated_at", "langsmith_session_name",
)  # fmt: skip


def assistant_json(assistant: Assistant) -> Rendered:
    """An assistant."""
    return {
        "assistant_id": assistant.assistant_id,
        "graph_id": assistant.graph_id,
        "config": assistant.config,
        "context": assistant.context,
        "metadata": assistant.metadata,
        "name": assistant.name,
        "created_at": time_text(assistant.created_at),
        "updated_at": time_text(assistant.updated_at),
        "version": assistant.version,
        "description": assistant.description,
    }


def version_json(assistant: Assistant) -> Rendered:
    """One version of an assistant: it never changes, so it has no `updated_at`."""
    rendered = assistant_json(assistant)
    del rendered["updated_at"]
    return rendered


def thread_json(thread: Thread, *, with_ttl: bool = False) -> Rendered:
    """A thread. What only a run or a state update can leave behind is there from then on; how long it stays is there
    where it was asked for."""
    rendered = _new_thread_json(thread)
    rendered["values"] = _fragment(thread.values)
    if thread.has_run or thread.interrupts is not None or thread.error is not None:
        rendered["error"] = failure_json(thread.error) if thread.error is not None else None
        rendered["interrupts"] = _fragment(thread.interrupts, b"{}")
    if with_ttl and thread.ttl is not None and thread.expires_at is not None:
        rendered["ttl"] = {
            "strategy": thread.ttl.strategy,
            "ttl_minutes": thread.ttl.minutes,
            "expires_at": time_text(thread.expires_at),
        }
    return rendered


def thread_copy_json(thread: Thread) -> Rendered:
    """A thread that was just copied: its state is not shown."""
    return {**_new_thread_json(thread), "status": ThreadStatus.IDLE, "config": {}}


def run_json(run: Run) -> Rendered:
    """A run."""
    return {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "assistant_id": run.assistant_id,
        "metadata": run.metadata,
        "status": run.status,
        "kwargs": _kwargs(run.spec, _config(run)),
        "multitask_strategy": run.multitask_strategy,
        "created_at": time_text(run.created_at),
        "updated_at": time_text(run.updated_at),
        "langsmith_session_name": None,
    }


def created_run_json(run: Run) -> Rendered:
    """A run as it was put on the queue: it may have started since, which is nothing to wait for."""
    return {**run_json(run), "status": RunStatus.PENDING, "kwargs": _kwargs(run.spec, run.spec.config)}


def footprint_json(footprint: ThreadFootprint) -> Rendered:
    """What a thread's history takes."""
    by_channel = {
        name: {"versions": channel.versions, "bytes": channel.size_bytes}
        for name, channel in footprint.channels.items()
    }
    values = sum(channel.size_bytes for channel in footprint.channels.values())
    return {
        "total_bytes": footprint.checkpoint_bytes + values + footprint.write_bytes,
        "checkpoints": {"count": footprint.checkpoint_count, "bytes": footprint.checkpoint_bytes},
        "channel_values": {
            "count": sum(channel.versions for channel in footprint.channels.values()),
            "bytes": values,
            "by_channel": by_channel,
        },
        "pending_writes": {"count": footprint.write_count, "bytes": footprint.write_bytes},
    }


def failure_json(failure: RunFailure) -> dict[str, str]:
    """Why a run failed."""
    return {"error": failure.error, "message": failure.message}


def chosen(rendered: Rendered, fields: Collection[str] | None) -> Rendered:
    """The fields that the client wants; all if it names none."""
    return {key: value for key, value in rendered.items() if key in fields} if fields else rendered


def time_text(moment: datetime) -> str:
    """ISO 8601 with microseconds and offset, always."""
    return moment.isoformat(timespec="microseconds")


def _new_thread_json(thread: Thread) -> Rendered:
    had_run = thread.has_run or thread.status is ThreadStatus.BUSY
    return {
        "thread_id": thread.thread_id,
        "created_at": time_text(thread.created_at),
        "updated_at": time_text(thread.updated_at),
        "state_updated_at": time_text(thread.state_updated_at),
        "metadata": thread.metadata,
        "status": thread.status,
        "config": {"configurable": {}} if had_run else {},
    }


def _config(run: Run) -> Mapping[str, object]:
    """The run's config; once it has started, with what it was started with."""
    config = run.spec.config
    if run.attempt == 0:
        return config
    configurable, metadata = config.get("configurable"), config.get("metadata")
    known = configurable if isinstance(configurable, dict) else {}
    told = metadata if isinstance(metadata, dict) else {}
    return {
        **config,
        "configurable": {**known, "__pregel_node_finished": None},
        "metadata": {**told, "run_attempt": run.attempt},
    }


def _kwargs(spec: RunSpec, config: Mapping[str, object]) -> Rendered:
    return {
        "input": spec.input,
        "command": spec.command,
        "config": config,
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


def _fragment(data: bytes | None, missing: bytes | None = None) -> object:
    found = data if data is not None else missing
    return orjson.Fragment(found) if found is not None else None
