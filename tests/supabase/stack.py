"""A whole Supabase project with its surroundings, and `longline serve` processes in front of it.

with running_stack() as stack, serving(stack, folder, scope="all") as server:
    async with stack.client(server, stack.seed.anna) as client:
        await client.assistants.get(stack.seed.recht)
"""

import base64
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.faults.cluster import Replica
from tests.hosts.command import longline
from tests.plugins.agent_tools.aimock import Aimock
from tests.processes import wait_for
from tests.supabase.identity import KEY, Identity, serve_identity
from tests.supabase.mcp_servers import McpServer, serve_deadlines, serve_legal
from tests.supabase.model import API_KEY, serve_model
from tests.supabase.project import Project, User, Variant, fresh_project
from tests.supabase.seed import Seed, seed

SECRET_KEY: Final = base64.b64encode(bytes(range(32))).decode()
PASSWORD: Final = "Geheim-Wort-9kQ2"
"""The database's password in URLs, where the server asks for none."""
SYNCED: Final = "agent sync finished"
COUNTS: Final = ("total", "created", "updated", "skipped", "failed")
_GRAPHS: Final = Path(__file__).with_name("graphs")


class Server(Replica):
    """A `longline serve` that lets in whoever shows a token of the project."""

    flags = ()

    def logged(self, message: str, **fields: object) -> list[dict[str, Any]]:
        """The lines with this message and these fields."""
        wanted = {"message": message, **fields}
        return [line for line in self.lines if wanted.items() <= line.items()]

    def sync_counts(self) -> dict[str, int]:
        """What the first listing brought, once it has finished."""

        def finished() -> dict[str, int] | None:
            told = httpx.get(f"{self.url}/info", timeout=10).json()["agent_sync"]
            return told["counts"] if told["last_finished_at"] else None

        counts: dict[str, int] = wait_for(finished, "the first listing")
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Everything that a server of agents talks to."""

    project: Project
    identity: Identity
    legal: McpServer
    deadlines: McpServer
    model: Aimock
    seed: Seed

    def token(self, user: User, **claims: Any) -> str:
        """A token that names the user's organisations, as the platform makes them."""
        return self.identity.issue(user, **{"organizations": self.organizations_of(user), **claims})

    def organizations_of(self, user: User) -> list[str]:
        """The ids of those that the user is a member of."""
        rows = self.project.rows(
            "SELECT organization_id::text AS id FROM public.organization_members WHERE user_id = %s", user.id
        )
        return [row["id"] for row in rows]

    def client(self, server: Replica, user: User, **claims: Any) -> LangGraphClient:
        """A client with a fresh token of this user."""
        return get_client(url=server.url, headers=self.headers(user, **claims), api_key=None)

    def headers(self, user: User, **claims: Any) -> dict[str, str]:
        """What a request of this user carries, with a fresh token."""
        return {"authorization": f"Bearer {self.token(user, **claims)}"}

    def environment(self, scope: str | None = "all", **more: str) -> dict[str, str]:
        """What a server is told."""
        return {
            "SUPABASE_URL": self.identity.url,
            "SUPABASE_KEY": KEY,
            "SUPABASE_DATABASE_URL": with_password(self.project.url),
            **({"AGENT_SYNC_SCOPE": scope} if scope is not None else {}),
            "OPENAI_BASE_URL": self.model.base_url,
            "OPENAI_API_KEY": API_KEY,
            "LONGLINE_SECRET_KEY": SECRET_KEY,
            "LONGLINE_AGENT_TOOLS__MCP_LOOPBACK": "true",
            **more,
        }


def said(text: str) -> Any:
    """The input of a conversation."""
    return {"messages": [{"role": "human", "content": text}]}


def install_triggers(stack: Stack) -> None:
    """Let the project tell of changes, as an operator does."""
    environment = {**stack.environment(), "PATH": os.environ["PATH"]}
    with tempfile.TemporaryDirectory() as folder:
        done = longline(Path(folder), "supabase", "install-triggers", "--apply", env=environment, seconds=60)
    assert done.returncode == 0, done.stderr


def with_password(url: str) -> str:
    """The URL with a password in it, also where the server trusts everybody."""
    parts = urlsplit(url)
    if parts.password:
        return url
    name, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{name.rstrip(':')}:{quote(PASSWORD, safe='')}@{place}"))


@contextmanager
def running_stack(variant: Variant = "newer", *, postgres: str | None = None) -> Iterator[Stack]:
    """A seeded project and its surroundings. `postgres` is another server than the one that tests share."""
    with ExitStack() as stack:
        project = stack.enter_context(fresh_project(variant, postgres))
        identity = stack.enter_context(serve_identity())
        legal = stack.enter_context(serve_legal())
        deadlines = stack.enter_context(serve_deadlines(identity))
        model = stack.enter_context(serve_model())
        seeded = seed(project, legal.endpoint, deadlines.endpoint)
        yield Stack(
            project=project, identity=identity, legal=legal, deadlines=deadlines, model=model, seed=seeded
        )  # fmt: skip


@contextmanager
def serving(
    stack: Stack, folder: Path, *, scope: str | None = "all", count: int = 1, **environment: str
) -> Iterator[Server]:
    """One ready server; see `serving_many`."""
    with serving_many(stack, folder, scope=scope, count=count, **environment) as servers:
        yield servers[0]


@contextmanager
def serving_many(
    stack: Stack, folder: Path, *, scope: str | None = "all", count: int, **environment: str
) -> Iterator[Sequence[Server]]:
    """Ready servers in a folder, on its SQLite file or on `DATABASE_URL`, killed at the end if they still run."""
    shutil.copytree(_GRAPHS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    env = stack.environment(scope, **environment)
    servers = [Server(folder, number, env) for number in range(count)]
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait_ready()
        yield servers
    finally:
        for server in servers:
            server.kill()
