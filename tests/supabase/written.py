"""Every byte that a server wrote: files, tables, logs, answers; and what must not be there."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
from psycopg import sql

from tests.supabase.stack import Stack

_OURS = {"langgraph.json", "spiegel.py", "warten.py"}


@dataclass(slots=True)
class Said:
    """Answers of a server, with their headers."""

    answers: list[tuple[str, bytes]] = field(default_factory=list)

    def ask(self, client: httpx.Client, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        """One request; its whole answer is kept, streams too."""
        answer = client.request(method, path, json=body, **options)
        head = json.dumps(list(answer.headers.multi_items())).encode()
        self.answers.append((f"{method} {path}", head + b"\n" + answer.content))
        return answer


def files_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything in a server's folder but the project's own files."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in _OURS and path.suffix != ".pyc":
            yield str(path.relative_to(folder)), path.read_bytes()


def rows_in(url: str, *schemas: str) -> Iterator[tuple[str, bytes]]:
    """Every row of the tables in these schemas."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s)", (list(schemas),)
        ).fetchall()
        for schema, table in tables:
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))):
                yield f"{schema}.{table}", b"\n".join(_bytes(value) for value in row)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def secrets_of(stack: Stack, *more: str) -> dict[str, str]:
    """Everything that only those may know to whom it was given, by what it is."""
    exchange = stack.deadlines.exchange
    given = list(exchange.given) if exchange is not None else []
    environment = stack.environment()
    tokens = {f"token {number} of a user": token for number, token in enumerate(stack.identity.issued)}
    signatures = {f"signature of {name}": end for name, token in tokens.items() if (end := token.rpartition(".")[2])}
    named = {name: environment[name] for name in ("SUPABASE_KEY", "OPENAI_API_KEY", "LONGLINE_SECRET_KEY")}
    password = psycopg.conninfo.conninfo_to_dict(environment["SUPABASE_DATABASE_URL"])["password"]
    others = {f"secret {number}": secret for number, secret in enumerate(more)}
    exchanged = {f"exchanged token {number}": token for number, token in enumerate(given)}
    return {**tokens, **signatures, **named, "the database's password": str(password), **others, **exchanged}


def leaks(places: Sequence[tuple[str, bytes]], secrets: dict[str, str]) -> list[str]:
    """Where something stands that must not, in clear, as a part of a URL, or as base64."""
    forms = {name: {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]} for name, secret in secrets.items()}
    found = []
    for name, spellings in forms.items():
        sought = [spelling.encode() for spelling in spellings]
        sought.append(base64.b64encode(secrets[name].encode()).rstrip(b"=")[:-2])
        found += [f"{name} in {place}" for place, data in places if any(one in data for one in sought)]
    return found
