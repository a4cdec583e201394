"""Leases are renewed over a connection of their own, for a thread that nothing on the event loop holds up."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import psycopg
from psycopg import errors as pg
from psycopg.rows import DictRow, dict_row

from longline.models.runs import Lease, LeaseState
from longline_storage_postgres.connections import conninfo, cut
from longline_storage_postgres.database import Database
from longline_storage_postgres.errors import PoolClosedError, translated
from longline_storage_postgres.rows import cancel_from_row
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("queue")

_BEAT_SECONDS: Final = 5.0
"""A server that says nothing for so long is as good as away: the next beat goes over a new connection."""


class LeaseKeeper:
    """See RunQueue.keep."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[DictRow] | None = None
        self._is_closed = False

    def keep(self, owner: str, leases: Sequence[Lease], lease_seconds: float) -> list[LeaseState]:
        """See RunQueue. A connection that died since the last time is replaced once."""
        if not leases:
            return []
        row = {
            "owner": owner,
            "run_ids": [lease.run_id for lease in leases],
            "attempts": [lease.attempt for lease in leases],
            "lease_seconds": lease_seconds,
        }
        with self._lock, translated(self._database.place):
            is_new = self._connection is None
            try:
                return self._beat(row)
            except (psycopg.OperationalError, pg.ReadOnlySqlTransaction):
                if is_new or self._connection is not None:
                    raise
                return self._beat(row)

    def open(self) -> None:
        """Connect now: a server that has run out of connections later must not cost the leases of what runs. Blocks.
        Raises StorageError."""
        with self._lock, translated(self._database.place):
            self._open()

    def close(self) -> None:
        """Close the connection. Blocks while a beat is under way; then there is no other."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def _beat(self, row: dict[str, object]) -> list[LeaseState]:
        connection = self._open()
        watch = threading.Timer(_BEAT_SECONDS, cut, [connection])
        watch.daemon = True
        watch.start()
        try:
            return [_state(found) for found in connection.execute(_SQL["keep"], row)]
        except psycopg.OperationalError:
            if connection.broken:
                self._drop()
            raise
        except pg.ReadOnlySqlTransaction:  # after a fail-over the way may lead to another server by now
            self._drop()
            raise
        finally:
            watch.cancel()

    def _open(self) -> psycopg.Connection[DictRow]:
        if self._is_closed:
            raise PoolClosedError(self._database.place)
        if self._connection is None:
            self._connection = psycopg.connect(
                conninfo(self._database.url, self._database.settings),
                autocommit=True,
                row_factory=dict_row,
                prepare_threshold=None,  # a pooler may give each statement to another process of the server
            )
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _state(row: DictRow) -> LeaseState:
    return LeaseState(
        run_id=row["run_id"],
        attempt=row["attempt"],
        held=row["held"],
        cancel=cancel_from_row(row),
        watched=row["is_watched"],
    )
