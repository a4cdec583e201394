"""When a cron ticks: cron expressions read in a time zone, with its days of 23 and 25 hours."""

import re
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_zone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from longline.errors import InvalidScheduleError, InvalidTimezoneError

if TYPE_CHECKING:
    from croniter import croniter as Croniter  # noqa: N812  # it is a class

_LONGEST = 1000  # characters: lists of every minute fit, and reading more than this takes longer than anybody means
_CHANCE = re.compile(r"(^|[\s,])[hr](?=$|[\s,/(])", re.IGNORECASE)
"""`R` and `H` stand for a value by chance: no two processes would agree on it."""


def check_schedule(schedule: str, timezone: str | None) -> None:
    """Raises InvalidScheduleError, InvalidTimezoneError."""
    _read(schedule, datetime.now(_zone(timezone)))


def next_tick(
    schedule: str, timezone: str | None, *, after: datetime, end_at: datetime | None = None
) -> datetime | None:
    """The first tick after a moment, in UTC; None if there is none, or none up to `end_at`. Raises as
    `check_schedule`.

    A wall time that the clocks skip ticks in the moment in which they change; one that comes twice ticks the first time
    only. A schedule that leaves the hour open (`*`) goes by the time that passes: nothing is made up for, and what
    comes twice ticks twice.
    """
    zone = _zone(timezone)
    check_schedule(schedule, timezone)
    find = _next_by_offset if _is_open_hour(schedule) else _next_on_wall
    try:
        tick = find(schedule, after, zone)
    except (OverflowError, ValueError):  # it would come after the last year that there is
        return None
    return None if tick is None or (end_at is not None and tick > end_at) else tick.astimezone(UTC)


def _next_on_wall(schedule: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Of an hour that comes twice only the first counts."""
    tick = _next(schedule, after.astimezone(zone))
    while tick is not None and _is_second_time(tick):
        tick = _next(schedule, _end_of_second_time(tick))
    return tick


def _next_by_offset(schedule: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """As if the clocks never changed, up to the moment in which they do, and on from there: croniter passes over some
    ticks where they go back by half an hour."""
    known, offset = after, _offset(after, zone)
    while (tick := _next(schedule, after.astimezone(fixed_zone(offset)))) is not None:
        if _offset(tick, zone) == offset:
            return tick
        known = _change(known, tick, zone)
        after, offset = known - timedelta(microseconds=1), _offset(known, zone)
    return None


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """A moment, in whole seconds, in which the clocks changed between two moments of different offsets."""
    offset = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after.astimezone(UTC).replace(microsecond=0)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _is_open_hour(schedule: str) -> bool:
    first, *rest = schedule.lower().split()
    return rest[0].startswith("*") if rest else first == "@hourly"


def _is_second_time(tick: datetime) -> bool:
    return tick.fold == 1 and tick.utcoffset() != tick.replace(fold=0).utcoffset()


def _end_of_second_time(tick: datetime) -> datetime:
    """Just before the first moment after the hour that comes twice: a cron of every second has 3600 ticks in it."""
    moment = tick.astimezone(UTC).replace(second=0, microsecond=0)
    while _is_second_time(moment.astimezone(tick.tzinfo)):
        moment += timedelta(minutes=1)
    return (moment - timedelta(microseconds=1)).astimezone(tick.tzinfo)


def _next(schedule: str, start: datetime) -> datetime | None:
    from croniter import CroniterBadDateError  # noqa: PLC0415  # see _read

    try:
        tick: datetime = _read(schedule, start).get_next(datetime)
    except CroniterBadDateError:
        return None
    return tick


def _read(schedule: str, start: datetime) -> "Croniter":
    from croniter import CroniterError, croniter  # noqa: PLC0415  # a tenth of a second, and most servers have no cron

    if len(schedule) > _LONGEST or _CHANCE.search(schedule):
        raise InvalidScheduleError(schedule)
    try:
        return croniter(schedule, start)
    except (CroniterError, TypeError, ValueError, LookupError, ArithmeticError):
        raise InvalidScheduleError(schedule) from None


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo("UTC" if name is None else name)
    except (
        LookupError,
        ValueError,
        OSError,
    ):  # what is no name: a folder, a path that leads out, a text of 5000 letters
        raise InvalidTimezoneError(str(name)) from None
