"""Installs what tells of changed agents in the project's database, or shows it for who installs it by hand."""

from importlib import resources

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from longline_supabase_sync.errors import translated
from longline_supabase_sync.places import Place


def script(role: str | None) -> str:
    """All of it as text, one transaction, with what `role` needs to read it."""
    parts = [_file("triggers"), *([_grants(role).as_string()] if role is not None else [])]
    return "BEGIN;\n\n" + "\n".join(part.rstrip() + "\n" for part in parts) + "\nCOMMIT;\n"


def install(place: Place, role: str | None) -> None:
    """Do it; nothing of it is left where a part fails. Raises SourceAwayError."""
    with translated(), psycopg.connect(place.conninfo, prepare_threshold=None) as connection:
        connection.execute(_file("triggers").encode())
        if role is not None:
            connection.execute(_grants(role))


def _grants(role: str) -> Composed:
    return SQL(_file("grants")).format(role=Identifier(role))


def _file(name: str) -> str:
    return (resources.files("longline_supabase_sync") / "sql" / f"{name}.sql").read_text("utf-8")
