"""When crons tick: in time zones, on the days on which clocks change, and never again."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longline.errors import InvalidScheduleError, InvalidTimezoneError
from longline.runs.schedules import check_schedule, next_tick

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def ticks(schedule: str, timezone: str | None, start: str, count: int) -> list[str]:
    """The first ticks, as the clocks on the wall show them."""
    zone = ZoneInfo(timezone or "UTC")
    found, moment = [], at(start).astimezone(UTC)
    for _ in range(count):
        tick = next_tick(schedule, timezone, after=moment)
        assert tick is not None
        assert tick > moment
        assert tick.utcoffset() == timedelta(0)
        found.append(tick.astimezone(zone).isoformat())
        moment = tick
    return found


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*/5 * * * *", ["2026-01-01T00:10:00+00:00", "2026-01-01T00:15:00+00:00"]),
        ("* * * * * */20", ["2026-01-01T00:07:20+00:00", "2026-01-01T00:07:40+00:00"]),
        ("*/10 * * * * *", ["2026-01-01T00:10:00+00:00", "2026-01-01T00:10:01+00:00"]),
        ("0 12 29 2 *", ["2028-02-29T12:00:00+00:00", "2032-02-29T12:00:00+00:00"]),
        ("0 0 * * mon-fri", ["2026-01-02T00:00:00+00:00", "2026-01-05T00:00:00+00:00"]),
        ("@monthly", ["2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"]),
    ],
)
def test_a_schedule_is_read_as_cron_does_with_seconds_last(schedule: str, expected: list[str]) -> None:
    assert ticks(schedule, None, "2026-01-01T00:07:02+00:00", 2) == expected


@pytest.mark.parametrize(
    ("schedule", "timezone", "start", "expected"),
    [
        # 02:00 → 03:00
        ("30 2 * * *", "Europe/Warsaw", "2026-03-28T12:00+01:00",
         ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        ("*/30 * * * *", "Europe/Warsaw", "2026-03-29T01:00+01:00",
         ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]),
        ("0 4 * * *", "Europe/Warsaw", "2026-03-28T12:00+01:00",
         ["2026-03-29T04:00:00+02:00", "2026-03-30T04:00:00+02:00"]),
        # 03:00 → 02:00
        ("30 2 * * *", "Europe/Warsaw", "2026-10-24T12:00+02:00",
         ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        ("30 * * * *", "Europe/Warsaw", "2026-10-25T01:00+02:00",
         ["2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00",
          "2026-10-25T03:30:00+01:00"]),
        ("@hourly", "Europe/Warsaw", "2026-10-25T01:00+02:00",
         ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"]),
        ("* 2 * * * *", "Europe/Warsaw", "2026-10-25T02:59:58+02:00",
         ["2026-10-25T02:59:59+02:00", "2026-10-26T02:00:00+01:00"]),
        ("15 1 * * *", "America/New_York", "2026-10-31T12:00-04:00",
         ["2026-11-01T01:15:00-04:00", "2026-11-02T01:15:00-05:00"]),
        # half an hour
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00+10:30",
         ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]),
        ("45 * * * *", "Australia/Lord_Howe", "2026-04-05T01:00+11:00",
         ["2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-05T02:45:00+10:30"]),
        # over many changes
        ("0 * 29 2 *", "Europe/Warsaw", "2026-07-01T00:00+02:00",
         ["2028-02-29T00:00:00+01:00", "2028-02-29T01:00:00+01:00"]),
        ("0 * 31 3 *", "Europe/Warsaw", "2026-01-01T00:00+01:00",
         ["2026-03-31T00:00:00+02:00", "2026-03-31T01:00:00+02:00"]),
    ],
)  # fmt: skip
def test_days_on_which_clocks_change(schedule: str, timezone: str, start: str, expected: list[str]) -> None:
    assert ticks(schedule, timezone, start, len(expected)) == expected


ZONES = {
    "Europe/Warsaw": ["2026-03-29", "2026-10-25"],
    "Europe/Dublin": ["2026-03-29", "2026-10-25"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "America/Havana": ["2026-03-08", "2026-11-01"],
    "Africa/Casablanca": ["2026-02-15", "2026-03-22"],
    "Pacific/Apia": ["2011-12-30"],
    "Asia/Kolkata": ["2026-05-05"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "America/St_Johns": ["2010-03-14", "2010-11-07"],
}


def expected_ticks(minutes: set[int], hours: set[int] | None, zone: ZoneInfo, start: datetime, end: datetime) -> list:
    """Minute by minute: what the wall shows, once, and what it skips in the moment in which it does."""
    found, moment, before = [], start + MINUTE, start.astimezone(zone).replace(tzinfo=None)
    while moment <= end:
        local = moment.astimezone(zone)
        wall = local.replace(tzinfo=None)
        shown = [wall] if hours is None or local.fold == 0 else []
        skipped = [] if hours is None else [before + MINUTE * n for n in range(1, (wall - before) // MINUTE)]
        if any(w.minute in minutes and (hours is None or w.hour in hours) for w in (*shown, *skipped)):
            found.append(moment)
        before, moment = wall, moment + MINUTE
    return found


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_on_the_days_around_a_change_every_tick_comes_once(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ZONES)))
    zone, day = ZoneInfo(name), data.draw(st.sampled_from(ZONES[name]))
    start = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC) - MINUTE * data.draw(st.integers(0, 1200))
    minutes = data.draw(st.sets(st.integers(0, 59), min_size=1, max_size=4))
    hours = data.draw(st.none() | st.sets(st.integers(0, 4), min_size=1, max_size=3))
    hour_field = "*" if hours is None else ",".join(map(str, hours))
    schedule = f"{','.join(map(str, minutes))} {hour_field} * * *"
    end, found, moment = start + timedelta(hours=36), [], start
    while (tick := next_tick(schedule, name, after=moment)) is not None and tick <= end:
        found.append(tick)
        moment = tick
    assert found == expected_ticks(minutes, hours, zone, start, end)


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * * * * * 2020", "59 23 31 12 * 59 2099"])
def test_what_never_comes_again_has_no_next_tick(schedule: str) -> None:
    check_schedule(schedule, "Asia/Tokyo")
    assert next_tick(schedule, "Asia/Tokyo", after=at("2026-01-01T00:00+00:00")) is None


def test_the_last_tick_is_the_one_at_the_end() -> None:
    start = at("2026-01-01T00:00+00:00")
    for end, expected in (("2026-01-01T00:05+00:00", "2026-01-01T00:05+00:00"), ("2026-01-01T00:04:59+00:00", None)):
        found = next_tick("*/5 * * * *", None, after=start, end_at=at(end))
        assert found == (at(expected) if expected else None)


@pytest.mark.parametrize(
    "schedule",
    ["", "bad", "* * * *", "60 * * * *", "* * * * 9", "*/0 * * * *", "* * * * * * * *", "@reboot", "? * * * *",
     "@never", "R R * * *", "r(0-5) * * * *", "H * * * *", "1-99999999999 * * * *", "* * * * *\0",
     "0," * 600 + "0 * * * *", "* " * 100_000],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(InvalidScheduleError) as refused:
        check_schedule(schedule, None)
    assert len(str(refused.value)) < 300
    with pytest.raises(InvalidScheduleError):
        next_tick(schedule, None, after=at("2026-03-28T12:00+00:00"))


@pytest.mark.parametrize("timezone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("schedule", ["* * * * *", "0 9 * * *", "0 0 29 2 *"])
def test_after_the_last_year_there_is_no_tick(schedule: str, timezone: str) -> None:
    assert next_tick(schedule, timezone, after=datetime.max.replace(tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "timezone", ["", "X/Y", "..", "Europe", "/etc/passwd", "Europe/Warsaw\n", "\0", "a" * 5000, "+02:00"]
)
def test_what_is_no_time_zone_is_refused(timezone: str) -> None:
    with pytest.raises(InvalidTimezoneError) as refused:
        check_schedule("* * * * *", timezone)
    assert len(str(refused.value)) < 300


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789*/,-#?@LlWRH \t", max_size=40) | st.text(max_size=20))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    try:
        check_schedule(text, "Europe/Warsaw")
    except InvalidScheduleError:
        return
    tick = next_tick(text, "Europe/Warsaw", after=at("2026-03-28T12:00+00:00"))
    assert tick is None or tick > at("2026-03-28T12:00+00:00")
