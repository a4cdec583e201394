"""Times as columns give them. Now is what the database says: every server has another clock."""

from datetime import UTC, datetime


def instant(at: datetime) -> datetime:
    """A time of a column, which the driver gives in the session's time zone, as an aware time in UTC."""
    return at.astimezone(UTC)


def optional_instant(at: datetime | None) -> datetime | None:
    """A time from a column that may have none."""
    return None if at is None else instant(at)
