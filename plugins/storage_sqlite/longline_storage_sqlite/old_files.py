"""Files that were made before deleted content was overwritten and its space given back: they are rewritten once."""

import logging
import sqlite3
from pathlib import Path

logger = logging.getLogger(__name__)

_INCREMENTAL = 2


def rewrite_old_file(connection: sqlite3.Connection, path: Path, *, most_bytes: int | None) -> None:
    """Make a file of before like a new one: it gives space back, and nothing deleted can be read in it. One that is
    larger than `most_bytes` is left as it is, which the log says. The file must be this connection's own."""
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL:
        return
    size = path.stat().st_size
    if most_bytes is not None and size > most_bytes:
        logger.warning(
            "database file keeps its size",
            extra={"file": str(path), "bytes": size, "hint": "run `longline migrate` once with the server stopped"},
        )
        return
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
