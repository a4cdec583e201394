"""Whether a server can serve as the storage: found out at the start, not by the first write."""

from typing import Final

from psycopg.rows import DictRow

from longline_storage_postgres.errors import READ_ONLY, UnfitServerError

_OLDEST: Final = 140_000  # PostgreSQL 14


def check_server(row: DictRow, place: str) -> None:
    """Raises UnfitServerError with what to do; `row` is what the statement `look` gives."""
    if row["is_standby"] or row["is_read_only"]:
        raise UnfitServerError(place, READ_ONLY)
    if row["encoding"] != "UTF8":
        reason = f"its encoding is {row['encoding']}; create the database with ENCODING 'UTF8' TEMPLATE template0"
        raise UnfitServerError(place, reason)
    if row["version"] < _OLDEST:
        major = row["version"] // 10_000
        raise UnfitServerError(place, f"PostgreSQL {major} is too old; version 14 or newer is needed")
