"""Rows of crons ↔ models."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime

import orjson
from psycopg.rows import DictRow

from longline.models.crons import Cron, CronSpec
from longline_storage_postgres.clocks import instant, optional_instant
from longline_storage_postgres.rows import decode_object, encode

_SPEC_FIELDS = frozenset(field.name for field in fields(CronSpec))


def cron_from_row(row: DictRow) -> Cron:
    """A cron."""
    return Cron(
        cron_id=row["cron_id"],
        assistant_id=row["assistant_id"],
        thread_id=row["thread_id"],
        schedule=row["schedule"],
        timezone=row["timezone"],
        end_at=optional_instant(row["end_at"]),
        enabled=row["enabled"],
        keeps_threads=row["keeps_threads"],
        spec=_spec_from_text(row["spec"]),
        metadata=decode_object(row["metadata"]),
        creator=decode_object(row["creator"]),
        next_tick=optional_instant(row["next_tick"]),
        created_at=instant(row["created_at"]),
        updated_at=instant(row["updated_at"]),
    )


def cron_parameters(cron: Cron) -> Mapping[str, str | bool | datetime | None]:
    """What a cron's row takes."""
    return {
        "cron_id": cron.cron_id,
        "assistant_id": cron.assistant_id,
        "thread_id": cron.thread_id,
        "schedule": cron.schedule,
        "timezone": cron.timezone,
        "end_at": cron.end_at,
        "enabled": cron.enabled,
        "keeps_threads": cron.keeps_threads,
        "spec": orjson.dumps(cron.spec).decode(),
        "metadata": encode(cron.metadata),
        "creator": encode(cron.creator),
        "next_tick": cron.next_tick,
        "created_at": cron.created_at,
        "updated_at": cron.updated_at,
    }


def stored_cron(cron: Cron) -> Cron:
    """The cron with its times as they will be read back."""
    return replace(
        cron,
        end_at=optional_instant(cron.end_at),
        next_tick=optional_instant(cron.next_tick),
        created_at=instant(cron.created_at),
        updated_at=instant(cron.updated_at),
    )


def _spec_from_text(text: str) -> CronSpec:
    """The spec without what only a later version of the server knows."""
    known = {key: value for key, value in orjson.loads(text).items() if key in _SPEC_FIELDS}
    modes = known.get("stream_modes")
    return CronSpec(**{**known, "stream_modes": None if modes is None else tuple(modes)})
