"""The two clocks of this storage, and times as the whole microseconds that columns hold."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """A time as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Microseconds since 1970 as an aware time in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def optional_micros(at: datetime | None) -> int | None:
    """A time for a column that may have none."""
    return None if at is None else micros(at)


def optional_instant(value: int | None) -> datetime | None:
    """A time from a column that may have none."""
    return None if value is None else instant(value)


def wall_micros() -> int:
    """Now, for what people set: when a delayed run may start."""
    return time.time_ns() // 1_000


def lease_micros(seconds: float = 0.0) -> int:
    """Now plus some seconds, for leases: a clock that neither jumps nor runs while the machine sleeps. It starts anew
    with the machine, which does no harm: opening the file ends every lease that a former process held."""
    return time.monotonic_ns() // 1_000 + int(seconds * 1_000_000)
