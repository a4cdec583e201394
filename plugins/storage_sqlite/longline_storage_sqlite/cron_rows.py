"""Rows of crons ↔ models."""

import sqlite3
from collections.abc import Mapping
from dataclasses import fields, replace

import orjson

from longline.models.crons import Cron, CronSpec
from longline_storage_sqlite.clocks import instant, micros, optional_instant, optional_micros
from longline_storage_sqlite.rows import decode_object, encode

_SPEC_FIELDS = frozenset(field.name for field in fields(CronSpec))


def cron_from_row(row: sqlite3.Row) -> Cron:
    """A cron."""
    return Cron(
        cron_id=row["cron_id"],
        assistant_id=row["assistant_id"],
        thread_id=row["thread_id"],
        schedule=row["schedule"],
        timezone=row["timezone"],
        end_at=optional_instant(row["end_at"]),
        enabled=bool(row["enabled"]),
        keeps_threads=bool(row["keeps_threads"]),
        spec=_spec_from_text(row["spec"]),
        metadata=decode_object(row["metadata"]),
        creator=decode_object(row["creator"]),
        next_tick=optional_instant(row["next_tick"]),
        created_at=instant(row["created_at"]),
        updated_at=instant(row["updated_at"]),
    )


def cron_parameters(cron: Cron) -> Mapping[str, str | int | None]:
    """What a cron's row takes."""
    return {
        "cron_id": cron.cron_id,
        "assistant_id": cron.assistant_id,
        "thread_id": cron.thread_id,
        "schedule": cron.schedule,
        "timezone": cron.timezone,
        "end_at": optional_micros(cron.end_at),
        "enabled": cron.enabled,
        "keeps_threads": cron.keeps_threads,
        "spec": orjson.dumps(cron.spec).decode(),
        "metadata": encode(cron.metadata),
        "creator": encode(cron.creator),
        "next_tick": optional_micros(cron.next_tick),
        "created_at": micros(cron.created_at),
        "updated_at": micros(cron.updated_at),
    }


def stored_cron(cron: Cron) -> Cron:
    """The cron with its times as they will be read back."""
    return replace(
        cron,
        end_at=optional_instant(optional_micros(cron.end_at)),
        next_tick=optional_instant(optional_micros(cron.next_tick)),
        created_at=instant(micros(cron.created_at)),
        updated_at=instant(micros(cron.updated_at)),
    )


def _spec_from_text(text: str) -> CronSpec:
    """The spec without what only a later version of the server knows."""
    known = {key: value for key, value in orjson.loads(text).items() if key in _SPEC_FIELDS}
    modes = known.get("stream_modes")
    return CronSpec(**{**known, "stream_modes": None if modes is None else tuple(modes)})
