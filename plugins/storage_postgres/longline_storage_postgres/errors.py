"""Postgres' errors as sentences that say what to do: the only place where one is looked at."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import errors as pg

from longline.errors import InvalidInputError, StorageAwayError, StorageError

_TOO_MANY: Final = (
    "the database server takes no more connections; raise its max_connections, or lower storage_postgres.pool_size"
    " times the number of processes"
)
_RIGHTS: Final = (
    "the user lacks rights; let it create the schema (GRANT CREATE ON DATABASE … TO …), or run `longline migrate` once"
    " as a user that may"
)
_MAY_NOT_USE: Final = (
    "the user may not use the schema longline; grant it what the README of storage_postgres lists (GRANT USAGE ON"
    " SCHEMA longline …), or use the user that ran `longline migrate`"
)
_MAY_NOT_CONNECT: Final = "the user may not connect to this database; run GRANT CONNECT ON DATABASE … TO …"
_PASSWORD: Final = "the user or its password is refused; check DATABASE_URL"  # noqa: S105  # a sentence about them
_NO_PASSWORD: Final = "the server wants a password; write it in DATABASE_URL, postgresql://user:password@…"  # noqa: S105
_USER: Final = "the user is refused; check DATABASE_URL"
_HBA: Final = "the server lets nobody in from here (pg_hba.conf); try sslmode=require, or check user, database and host"
_NO_DATABASE: Final = "there is no such database; create it (CREATE DATABASE …) or check DATABASE_URL"
_STARTING: Final = "the database server is starting, stopping or in recovery"
_AGAIN: Final = "two transactions were in each other's way, again and again; try again"
_NO_SCHEMA: Final = "the schema is not there; run `longline migrate`"
READ_ONLY: Final = "the database only reads (a standby, or in recovery); point DATABASE_URL at the primary"
_OTHER_SCHEMA: Final = "the schema is not the one of this version; run `longline migrate`"
_FULL: Final = "the disk of the database server is full; free some space there, nothing of this write was kept"
_NO_EXTENSION: Final = (
    "the extension {0} cannot be created; install it on the database server and run CREATE EXTENSION {0} as a user that"
    " may, or go without what needs it (items.index for vector)"
)
_EXTENSION: Final = re.compile(r'extension (?:control file .*/)?"?(\w+)', re.IGNORECASE)
_EXTENSION_FAULTS: Final = (pg.FeatureNotSupported, pg.UndefinedFile, pg.InsufficientPrivilege, pg.UndefinedObject)

_REASONS: Final[dict[type[psycopg.Error], str]] = {
    pg.DiskFull: _FULL,
    pg.TooManyConnections: _TOO_MANY,
    pg.OutOfMemory: "the database server ran out of memory",
    pg.InsufficientPrivilege: _RIGHTS,
    pg.InvalidPassword: _PASSWORD,
    pg.InvalidAuthorizationSpecification: _USER,
    pg.InvalidCatalogName: _NO_DATABASE,
    pg.ReadOnlySqlTransaction: READ_ONLY,
    pg.CannotConnectNow: _STARTING,
    pg.AdminShutdown: "the database server is being stopped, or ended this connection",
    pg.CrashShutdown: "the database server crashed and restarts",
    pg.IdleInTransactionSessionTimeout: "the database ended a transaction in which nothing happened for"
    " storage_postgres.idle_transaction_seconds; nothing of it was kept",
    pg.QueryCanceled: "a statement took over storage_postgres.read_seconds; ask for less",
    pg.LockNotAvailable: "another transaction holds the row; try again",
    pg.SerializationFailure: _AGAIN,
    pg.DeadlockDetected: _AGAIN,
    pg.UndefinedTable: _NO_SCHEMA,
    pg.InvalidSchemaName: _NO_SCHEMA,
    pg.UndefinedColumn: _OTHER_SCHEMA,
    pg.UndefinedFunction: _OTHER_SCHEMA,
}


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raise what Postgres, or the way to it, says as StorageError. A text with a NUL, which Postgres cannot hold, is
    InvalidInputError."""
    try:
        yield
    except (pg.CharacterNotInRepertoire, pg.UntranslatableCharacter) as error:
        raise InvalidInputError(_NUL) from error
    except psycopg.DataError as error:
        if "NUL" in str(error):
            raise InvalidInputError(_NUL) from error
        raise storage_error(error, place) from error
    except psycopg.Error as error:
        raise storage_error(error, place) from error
    except OSError as error:
        raise NetworkError(place, error) from error


def storage_error(error: psycopg.Error, place: str) -> StorageError:
    """The StorageError for an error of Postgres; StorageAwayError where waiting may mend it."""
    kind = StorageAwayError if is_away(error) else StorageError
    if isinstance(error, _EXTENSION_FAULTS) and (extension := _EXTENSION.search(str(error))) is not None:
        return StorageError(f"{place}: {_NO_EXTENSION.format(extension[1])}")
    if isinstance(error, pg.InsufficientPrivilege) and _OF_THE_SCHEMA.search(str(error)) is not None:
        return kind(f"{place}: {_MAY_NOT_USE}")
    refusal = _refusal(error)
    if refusal is not None:
        return kind(f"{place}: {refusal.reason}")
    for known, reason in _REASONS.items():
        if isinstance(error, known):
            return kind(f"{place}: {reason}")
    return kind(f"{place}: {_first_line(error)}")


def is_away(error: psycopg.Error) -> bool:
    """Whether what is the matter passes by itself: the server is not there, full, overloaded or in recovery."""
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_PASSING_CLASSES) or error.sqlstate in _PASSING_STATES
    if not isinstance(error, psycopg.OperationalError):
        return False
    refusal = _refusal(error)
    return refusal is None or refusal.is_passing


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a server did not let us in. The driver has no code for it, only words; pgbouncer's are here as well."""

    words: re.Pattern[str]
    reason: str
    is_passing: bool = False


def is_too_many(error: psycopg.Error) -> bool:
    """Whether the server has no connection left for us."""
    refusal = _refusal(error)
    return isinstance(error, pg.TooManyConnections) or (refusal is not None and refusal.reason == _TOO_MANY)


def _refusal(error: psycopg.Error) -> _Refusal | None:
    if not isinstance(error, psycopg.OperationalError) or error.sqlstate is not None:
        return None
    text = str(error)
    return next((refusal for refusal in _REFUSALS if refusal.words.search(text)), None)


def _refused(words: str, reason: str, *, is_passing: bool = False) -> _Refusal:
    return _Refusal(re.compile(words, re.IGNORECASE), reason, is_passing)


def _first_line(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


_NUL: Final = "a text holds a NUL character, which this storage cannot keep"

_PASSING_CLASSES: Final = ("08", "40", "53", "57")
"""Of SQLSTATE: connections, rollbacks, resources, and what operators do."""
_PASSING_STATES: Final = frozenset({"25006", "25P03", "25P04", "55P03", "58000", "58030"})
"""Only reading, transactions that took too long, locks, and errors of disks."""

_OF_THE_SCHEMA: Final = re.compile(r"permission denied for (schema longline|table|sequence)", re.IGNORECASE)

_REFUSALS: Final = (
    _refused(r"password authentication failed|SASL authentication failed", _PASSWORD),
    _refused(r"no password supplied", _NO_PASSWORD),
    _refused(r"no pg_hba.conf entry", _HBA),
    _refused(r"role .* does not exist|authentication failed|no such user|not permitted to log in", _USER),
    _refused(r"database .* does not exist|no such database", _NO_DATABASE),
    _refused(r"permission denied for database", _MAY_NOT_CONNECT),
    _refused(
        r"not currently accepting connections", "the database is closed; run ALTER DATABASE … ALLOW_CONNECTIONS true"
    ),
    _refused(r"does not support SSL", "the server speaks no SSL, which sslmode in DATABASE_URL asks for"),
    _refused(r"certificate|SSL error", "the server's certificate cannot be trusted; check sslmode and sslrootcert"),
    _refused(
        r"invalid .*(value|port number)|invalid connection option|(unrecognized configuration|unsupported startup) par",
        "DATABASE_URL has a port or a parameter with a value that does not fit",
    ),
    _refused(
        r"too many (clients|connections)|slots are reserved|no more connections allowed|max_client_conn",
        _TOO_MANY,
        is_passing=True,
    ),
    _refused(r"No space left on device|could not write init file", _FULL, is_passing=True),
    _refused(r"starting up|shutting down|recovery mode|not yet accepting", _STARTING, is_passing=True),
    _refused(
        r"failed to resolve|could not translate", "the host's name is not known; check DATABASE_URL", is_passing=True
    ),
    _refused(
        r"Connection refused|No such file",
        "nothing listens there; is the database server running, and do host and port of DATABASE_URL fit?",
        is_passing=True,
    ),
    _refused(
        r"timeout expired|timed out|No route to host|unreachable",
        "the database server does not answer; check host and port of DATABASE_URL, and firewalls between",
        is_passing=True,
    ),
    _refused(
        r"closed the connection|connection is lost|connection is closed|connection not open|consuming input failed|EOF",
        "the connection to the database broke off; whether the last change was kept is not known",
        is_passing=True,
    ),
)


class NoConnectionError(StorageAwayError):
    """All connections are at work, or none could be made in time."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place}: no connection was free, or none could be made, within storage_postgres.pool_wait_seconds"
        )


class NetworkError(StorageAwayError):
    """The system could not reach the server."""

    def __init__(self, place: str, cause: OSError) -> None:
        super().__init__(f"{place}: {cause.strerror or cause}")


class UnfitServerError(StorageError):
    """The server is there and cannot serve as the storage."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


class PoolClosedError(StorageError):
    """The storage was closed while somebody still wanted something of it."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place}: the storage is closed")


class NotKeptError(StorageError):
    """A transaction was taken back although its work ended well: one of its statements had failed."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place}: a statement failed, nothing of its transaction was kept")


class BadUrlError(StorageError):
    """The URL of the database cannot be read. Nothing of it is repeated: any part may be one of its password."""

    def __init__(self) -> None:
        super().__init__(
            "the database URL cannot be read; write postgresql://user:password@host:5432/database, with characters such"
            " as @ : / ? # % in user and password as %40 %3A %2F %3F %23 %25, and only parameters of libpq behind a ?"
        )


class UnmarkedMigrationError(StorageError):
    """A migration forgot to say which code it serves."""

    def __init__(self, name: str) -> None:
        super().__init__(f"migration {name} does not begin with the line -- Serves code from NNNN on.")
