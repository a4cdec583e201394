"""Where the project's database is: what the driver takes for a URL, and words for it that hold no secret."""

from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from longline.errors import SettingsError

_POOLER_PORT: Final = (
    "6543"  # of transaction poolers of Supabase: https://supabase.com/docs/guides/database/connecting-to-postgres
)
_KEEPALIVE: Final[Mapping[str, str]] = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""A server that vanished without a word is noticed in about ten seconds."""


class BadUrlError(SettingsError):
    """A URL cannot be read. Nothing of it is repeated: any part may be one of its password."""

    def __init__(self, setting: str) -> None:
        way_out = (
            "write postgresql://user:password@host:5432/database, with characters such as @ : / ? # % in user and"
            " password as %40 %3A %2F %3F %23 %25"
        )
        super().__init__([f"bad value for {setting}: {way_out}"])


class Place:
    """A database, reached at a URL that stands in a setting. Raises BadUrlError."""

    def __init__(self, url: str, setting: str, connect_seconds: float) -> None:
        parts = _parts(url, setting)
        defaults = {"application_name": "longline", "connect_timeout": str(max(2, round(connect_seconds)))}
        self.conninfo: Final = make_conninfo("", **{**defaults, **_KEEPALIVE, **parts, "client_encoding": "UTF8"})
        host, port = parts.get("host", "localhost"), parts.get("port", "5432")
        where = host if host.startswith("/") else f"{host}:{port}"
        self.name: Final = f"{where}/{parts.get('dbname', '')}"
        self.is_pooler: Final = port == _POOLER_PORT
        """Whether no notification comes through, by the port."""


def _parts(url: str, setting: str) -> Mapping[str, str]:
    scheme, _, rest = url.partition("://")
    try:
        given = conninfo_to_dict(f"{scheme.partition('+')[0]}://{rest}")
    except psycopg.Error:
        raise BadUrlError(setting) from None  # the driver's words repeat a piece of the URL
    parts = {key: str(value) for key, value in given.items() if value is not None}
    named = [parts.get(key, "") for key in ("host", "dbname")]
    ports = parts.get("port", "").split(",")
    # A password that is not percent-encoded went into what seems to be the host, port or database.
    if any("@" in name for name in named) or not all(not port or port.isdecimal() for port in ports):
        raise BadUrlError(setting)
    return parts
