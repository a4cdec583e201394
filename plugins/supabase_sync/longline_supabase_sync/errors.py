"""Postgres' errors as sentences: the only place where one is looked at. They reach callers, so they name no host."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors as pg

from longline.errors import SourceAwayError
from longline_supabase_sync.names import SOURCE

_LOST: Final = "the connection to its database broke off"
_SILENT: Final = "its database does not answer"
_REASONS: Final[dict[type[psycopg.Error], str]] = {
    pg.InvalidPassword: "its database refuses the user or the password",
    pg.InvalidAuthorizationSpecification: "its database refuses the user",
    pg.InvalidCatalogName: "there is no such database",
    pg.TooManyConnections: "its database takes no more connections",
    pg.QueryCanceled: "a statement took over supabase_sync.statement_seconds",
    pg.LockNotAvailable: "another transaction holds what is needed; try again",
}
_REFUSALS: Final = (
    (re.compile(r"password|authentication failed|no such user|role .* does not exist"), _REASONS[pg.InvalidPassword]),
    (re.compile(r"database .* does not exist|no such database"), _REASONS[pg.InvalidCatalogName]),
    (re.compile(r"too many|connection slots|no more connections"), _REASONS[pg.TooManyConnections]),
    (re.compile(r"failed to resolve|could not translate"), "the name of its database's host is not known"),
    (re.compile(r"Connection refused|No such file"), "nothing listens where its database should be"),
    (re.compile(r"starting up|shutting down|recovery mode|not yet accepting"), "its database starts or stops"),
    (re.compile(r"timeout expired|timed out|No route to host|unreachable"), _SILENT),
    (re.compile(r"pg_hba.conf"), "its database lets nobody in from here"),
)
"""What a server says that lets nobody in: the driver has no code for it, only words."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise what Postgres, or the way to it, says as SourceAwayError."""
    try:
        yield
    except psycopg.Error as error:
        raise SourceAwayError(SOURCE, _reason(error)) from error
    except TimeoutError as error:
        raise SourceAwayError(SOURCE, _SILENT) from error
    except OSError as error:
        raise SourceAwayError(SOURCE, f"its database is not reached: {error.strerror or 'no connection'}") from error


def _reason(error: psycopg.Error) -> str:
    for known, reason in _REASONS.items():
        if isinstance(error, known):
            return reason
    text = str(error)
    if error.sqlstate is None:
        return next((reason for words, reason in _REFUSALS if words.search(text)), _LOST)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
