"""Crons as clients see them."""

from longline.models.crons import Cron
from longline.models.json import JsonObject, JsonValue, as_object
from longline_protocol_langgraph.render import Rendered, time_text


def cron_json(cron: Cron) -> Rendered:
    """A cron."""
    completion = "keep" if cron.keeps_threads else "delete"
    return {
        "cron_id": cron.cron_id,
        "assistant_id": cron.assistant_id,
        "thread_id": cron.thread_id,
        "user_id": cron.user_id,
        "end_time": None if cron.end_at is None else cron.end_at.isoformat(),
        "schedule": cron.schedule,
        "timezone": cron.timezone,
        "payload": _payload(cron),
        "next_run_date": None if cron.next_tick is None else cron.next_tick.isoformat(),
        "metadata": cron.metadata,
        "on_run_completed": completion if cron.thread_id is None else None,
        "enabled": cron.enabled,
        "created_at": time_text(cron.created_at),
        "updated_at": time_text(cron.updated_at),
    }


def _payload(cron: Cron) -> JsonObject:
    """What its maker said of the runs, as the body that says it."""
    spec, config = cron.spec, cron.spec.config or {}
    said: dict[str, JsonValue] = {
        "input": spec.input,
        "metadata": spec.metadata,
        "timezone": cron.timezone,
        "context": spec.context,
        "webhook": spec.webhook,
        "interrupt_before": _nodes(spec.interrupt_before),
        "interrupt_after": _nodes(spec.interrupt_after),
        "multitask_strategy": spec.multitask_strategy,
        "stream_mode": None if spec.stream_modes is None else list(spec.stream_modes),
        "stream_subgraphs": spec.subgraphs,
        "stream_resumable": spec.resumable,
        "durability": spec.durability,
        "end_time": None if cron.end_at is None else cron.end_at.isoformat(),
        "on_run_completed": "keep" if cron.keeps_threads else None,
        "enabled": None if cron.enabled else False,
    }
    configurable = {**as_object(config.get("configurable")), "cron_id": cron.cron_id}
    return {
        "assistant_id": cron.assistant_id,
        "schedule": cron.schedule,
        **{key: value for key, value in said.items() if value is not None},
        "config": {**config, "configurable": configurable},
    }


def _nodes(names: str | list[str] | None) -> JsonValue:
    return list(names) if isinstance(names, list) else names
