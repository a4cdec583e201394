"""Users of a project's database who may do less than everything."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict
from tests.supabase.project import Project

_TABLES = ("agents", "agent_mcp_tools", "mcp_tools", "ai_models", "global_ai_engines")
PASSWORD = "geheim-9"


@dataclass(frozen=True, slots=True)
class Reader:
    """A user who may read what is needed, and nothing else; policies show it nothing."""

    url: str
    name: str
    project: Project

    def sees_all(self) -> None:
        """A policy for it on every table."""
        for table in _TABLES:
            self.project.rows(f'CREATE POLICY "{self.name}" ON public.{table} TO {self.name} USING (true)')

    def may(self, right: str, table: str) -> None:
        """Grant something on a table of `public`, or of another schema that is named."""
        self.project.rows(f"GRANT {right} ON {table if '.' in table else f'public.{table}'} TO {self.name}")

    def may_not(self, right: str, table: str) -> None:
        self.project.rows(f"REVOKE {right} ON public.{table} FROM {self.name}")


@contextmanager
def new_reader(project: Project) -> Iterator[Reader]:
    """One of them, removed at the end."""
    name = f"leser_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(project.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        try:
            connection.execute(f"GRANT USAGE ON SCHEMA public TO {name}")
            connection.execute(f"GRANT SELECT ON {', '.join(f'public.{table}' for table in _TABLES)} TO {name}")
            yield Reader(_url(project.url, name), name, project)
        finally:
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


def _url(url: str, name: str) -> str:
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    if host.startswith("/"):
        return f"postgresql://{name}:{PASSWORD}@/{parts['dbname']}?host={host}&port={port}"
    return f"postgresql://{name}:{PASSWORD}@{host}:{port}/{parts['dbname']}"
