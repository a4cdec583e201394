"""The database of a Supabase project: tables as they were and as they are, roles, policies, and rows to put in.

with fresh_project() as project:
    kanzlei = project.add_organization("Kanzlei Müller & Söhne")
    agent_id = project.add_agent(kanzlei, "Rechts-Assistent", tools=[McpTool("gesetz_suchen", legal_url)])
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.postgres import fresh_database, server_url, url_of

Variant = Literal["older", "newer"]
VARIANTS: Final[tuple[Variant, ...]] = ("older", "newer")
_SQL = Path(__file__).with_name("sql")
_LOCK = 8274120912
_MANY = """
    INSERT INTO public.agents (organization_id, name, system_prompt, status, engine_id)
    SELECT %(organization)s, 'Assistent Nº ' || n, 'Du bist Assistent Nº ' || n || '.', 'active', %(engine)s
    FROM generate_series(1, %(count)s) AS n RETURNING id
"""


@dataclass(frozen=True, slots=True)
class McpTool:
    """A row of `mcp_tools`. One without an endpoint is built in."""

    name: str
    endpoint_url: str | None = None
    auth_required: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """A row of `auth.users`."""

    id: str
    email: str


class Project:
    """A project's database. `url` is that of a user who may do everything in it."""

    def __init__(self, url: str, variant: Variant = "newer") -> None:
        self.url = url
        self.variant = variant

    def rows(self, query: sql.SQL | str, *parameters: Any) -> list[dict[str, Any]]:
        """Run one statement in a transaction of its own; what it answers."""
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            cursor = connection.execute(query, parameters or None)  # type: ignore[arg-type]  # texts of tests
            return cursor.fetchall() if cursor.description else []

    def value(self, query: sql.SQL | str, *parameters: Any) -> Any:
        """The only value of an answer."""
        (row,) = self.rows(query, *parameters)
        (value,) = row.values()
        return value

    def rows_as(self, claims: Mapping[str, object], query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run one statement as the user of a token with these claims, as Supabase's gateway does."""
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            connection.execute("SELECT set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
            connection.execute("SELECT set_config('role', %s, true)", (claims["role"],))
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    # -- who ------------------------------------------------------------------------------------------------------

    def add_organization(self, name: str) -> str:
        """A new organisation's id."""
        return str(self.value("INSERT INTO public.organizations (name) VALUES (%s) RETURNING id", name))

    def add_user(self, email: str, *organization_ids: str) -> User:
        """A new user, a member of these organisations."""
        user_id = str(self.value("INSERT INTO auth.users (email) VALUES (%s) RETURNING id", email))
        for organization_id in organization_ids:
            self.add_member(user_id, organization_id)
        return User(user_id, email)

    def add_member(self, user_id: str, organization_id: str) -> None:
        self.rows(
            "INSERT INTO public.organization_members (user_id, organization_id) VALUES (%s, %s)",
            user_id, organization_id,
        )  # fmt: skip

    def remove_member(self, user_id: str, organization_id: str) -> None:
        self.rows(
            "DELETE FROM public.organization_members WHERE user_id = %s AND organization_id = %s",
            user_id, organization_id,
        )  # fmt: skip

    # -- what -----------------------------------------------------------------------------------------------------

    def add_engine(self, runtime_model_name: str | None) -> str:
        """An engine with a language model of this name."""
        return str(
            self.value(
                "WITH model AS (INSERT INTO public.ai_models (display_name, runtime_model_name) VALUES (%s, %s)"
                " RETURNING id)"
                " INSERT INTO public.global_ai_engines (name, language_model_id) SELECT %s, id FROM model RETURNING id",
                runtime_model_name or "ohne Namen", runtime_model_name, f"Engine {runtime_model_name}",
            )
        )  # fmt: skip

    def add_agent(
        self,
        organization_id: str,
        name: str,
        *,
        tools: Sequence[McpTool] = (),
        sampling: Mapping[str, object] | None = None,
        **columns: object,
    ) -> str:
        """A new agent's id; active, if `columns` say nothing else. `sampling` goes to where this variant has it."""
        row = {"organization_id": organization_id, "name": name, "status": "active", **self._sampling(sampling or {})}
        row |= columns
        statement = sql.SQL("INSERT INTO public.agents ({}) VALUES ({}) RETURNING id").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join([sql.Placeholder()] * len(row))
        )
        agent_id = str(self.value(statement, *row.values()))
        self.add_tools(agent_id, *tools)
        return agent_id

    def add_tools(self, agent_id: str, *tools: McpTool) -> None:
        """Give an agent more tools."""
        rows = [
            {"id": str(uuid.uuid4()), "endpoint_url": tool.endpoint_url, "tool_name": tool.name,
             "is_builtin": tool.endpoint_url is None, "auth_required": tool.auth_required}
            for tool in tools
        ]  # fmt: skip
        names = ["id", "endpoint_url", "tool_name", "is_builtin", *(["auth_required"] * (self.variant == "newer"))]
        into = sql.SQL("INSERT INTO public.mcp_tools ({}) VALUES ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(map(sql.Placeholder, names))
        )
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.executemany(into, rows)
            cursor.executemany(
                "INSERT INTO public.agent_mcp_tools (agent_id, mcp_tool_id) VALUES (%s, %s)",
                [(agent_id, row["id"]) for row in rows],
            )

    def add_many_agents(self, organization_id: str, count: int, *, tools: Sequence[McpTool] = ()) -> list[str]:
        """The ids of this many active agents, each with these tools."""
        engine = self.add_engine("openai:gpt-4o-mini")
        with psycopg.connect(self.url) as connection:
            found = connection.execute(_MANY, {"organization": organization_id, "engine": engine, "count": count})
            agent_ids = [str(row[0]) for row in found]
            for tool in tools:
                connection.execute(
                    "WITH tool AS (INSERT INTO public.mcp_tools (endpoint_url, tool_name) VALUES (%s, %s) RETURNING id)"
                    " INSERT INTO public.agent_mcp_tools SELECT a.id, tool.id FROM unnest(%s::uuid[]) a(id), tool",
                    (tool.endpoint_url, tool.name, agent_ids),
                )
        return agent_ids

    def set_agent(self, agent_id: str, **columns: object) -> None:
        """Change columns of an agent."""
        pairs = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in columns
        )
        change = sql.SQL("UPDATE public.agents SET {} WHERE id = {}").format(pairs, sql.Placeholder())
        self.rows(change, *columns.values(), agent_id)

    def delete_agent(self, agent_id: str) -> None:
        """As the platform deletes: the row stays, with the time in it."""
        self.rows("UPDATE public.agents SET deleted_at = now() WHERE id = %s", agent_id)

    def written_back(self) -> dict[str, str | None]:
        """`langgraph_assistant_id` of every agent, as text, by the agent's id."""
        rows = self.rows("SELECT id::text, langgraph_assistant_id::text AS assistant_id FROM public.agents")
        return {row["id"]: row["assistant_id"] for row in rows}

    def _sampling(self, sampling: Mapping[str, object]) -> dict[str, object]:
        if self.variant == "older":
            return dict(sampling)
        return {"sampling_params": json.dumps(sampling)} if sampling else {}


@contextmanager
def fresh_project(variant: Variant = "newer", server: str | None = None) -> Iterator[Project]:
    """An empty project of its own, on the server that tests share or on the one that is named."""
    where = server or server_url()
    with fresh_database(where, _template(where, variant)) as url:
        yield Project(url, variant)


def _template(server: str, variant: Variant) -> str:
    """The name of a database with the tables; made once for each state of the files."""
    texts = [(_SQL / f"{name}.sql").read_text("utf-8") for name in _files(variant)]
    name = f"longline_supabase_{variant}_{hashlib.sha256(''.join(texts).encode()).hexdigest()[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                _make_template(connection, server, name, texts)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return name


def _files(variant: Variant) -> tuple[str, ...]:
    return ("roles", "auth", "organizations", f"agents_{variant}", "policies")


def _make_template(connection: psycopg.Connection[Any], server: str, name: str, texts: Sequence[str]) -> None:
    making = f"{name}_making"
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(making)))
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(making)))
    with psycopg.connect(url_of(server, making)) as project:
        for text in texts:
            project.execute(text)  # type: ignore[call-overload]  # files of ours
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(making), sql.Identifier(name)))
