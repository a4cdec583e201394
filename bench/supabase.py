"""Agents of a Supabase project: how long each step takes from a row to an answer, and what a thousand agents cost.

    uv run python bench/supabase.py [--only steps tokens agents] [--agents 1000]

Starts an own Postgres that logs its statements, an Auth server, two MCP servers, a model that is none (aimock, needs
Node), and `longline serve` on loopback, in folders that are removed.
"""

import argparse
import asyncio
import logging
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parent.parent)]

from tests.postgres import OwnServer, own_server  # noqa: E402
from tests.processes import wait_for  # noqa: E402
from tests.supabase.bad_tokens import BAD_TOKENS  # noqa: E402
from tests.supabase.model import ANSWERS, BOTH, LAW  # noqa: E402
from tests.supabase.project import McpTool, User  # noqa: E402
from tests.supabase.stack import Server, Stack, install_triggers, running_stack, said, serving  # noqa: E402

console = Console(width=140)
Row = tuple[str, str]
_STATEMENT = re.compile(r"^<(?P<database>[^>]*)> LOG:  (execute [^:]*|statement): (?P<text>.*)", re.MULTILINE)
_HOUSEKEEPING = ("BEGIN", "COMMIT", "ROLLBACK", "SET ", "SHOW", "LISTEN", "UNLISTEN", "DEALLOCATE", "DISCARD")


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def timed(taken: list[float]) -> Iterator[None]:
    """Adds the seconds that its body took."""
    began = time.perf_counter()
    yield
    taken.append(time.perf_counter() - began)


def centiles(seconds: Sequence[float]) -> str:
    ordered = sorted(1000 * value for value in seconds)
    return f"p50 {statistics.median(ordered):.2f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.2f} ({len(ordered)})"


def client_of(stack: Stack, server: Server, user: User) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers=stack.headers(user), timeout=60)


def ask(client: httpx.Client, agent_id: str, question: str) -> float:
    """Seconds of one run with tools, from the request to the whole answer."""
    taken: list[float] = []
    with timed(taken):
        answer = client.post("/runs/wait", json={"assistant_id": agent_id, "input": said(question)})
    found = answer.json()["messages"][-1]["content"]
    assert found == ANSWERS[question], answer.text
    return taken[0]


def until(condition: Callable[[], object]) -> float:
    """Seconds until something is so."""
    began = time.perf_counter()
    wait_for(condition, "what was waited for", 30)
    return time.perf_counter() - began


# -- the steps ------------------------------------------------------------------------------------------------------


def steps(postgres: OwnServer) -> list[Row]:
    rows: list[Row] = []
    with running_stack(postgres=postgres.url) as stack, folder() as place:
        install_triggers(stack)
        for name in ("1 first start", "2 second start"):
            began = time.perf_counter()
            with serving(stack, place) as server:
                counts, took = server.sync_counts(), time.perf_counter() - began
            told = ", ".join(f"{counts[key]} {key}" for key in ("created", "updated", "skipped", "failed"))
            rows.append((name, f"ready after {took:.2f} s: {told}"))
        with serving(stack, place) as server, client_of(stack, server, stack.seed.anna) as anna:
            rows += _runs(stack, anna)
            with client_of(stack, server, stack.seed.bjoern) as bjoern:
                times: list[float] = []
                for _ in range(20):
                    with timed(times):
                        assert bjoern.get(f"/assistants/{stack.seed.recht}").status_code == 404
                rows.append(("5 a stranger's GET: 404", centiles(times)))
            rows += _changes(stack, anna)
    rows += _away(postgres) + _first_syncs(postgres)
    return rows


def _runs(stack: Stack, anna: httpx.Client) -> list[Row]:
    seed = stack.seed
    first, warm = ask(anna, seed.recht, LAW), [ask(anna, seed.recht, LAW) for _ in range(20)]
    both, warm_both = ask(anna, seed.fristen, BOTH), [ask(anna, seed.fristen, BOTH) for _ in range(20)]
    return [
        ("3 a member's first run with a tool", f"{1000 * first:.0f} ms; then {centiles(warm)}"),
        (
            "4 first run with two servers, one behind token exchange",
            f"{1000 * both:.0f} ms; then {centiles(warm_both)}",
        ),
    ]


def _changes(stack: Stack, anna: httpx.Client) -> list[Row]:
    seed, live, gone = stack.seed, [], []
    for number in range(10):
        stack.project.set_agent(seed.recht, name=f"Name {number}")
        live.append(until(lambda name=f"Name {number}": anna.get(f"/assistants/{seed.recht}").json()["name"] == name))
    for _ in range(10):
        agent = stack.project.add_agent(seed.kanzlei, "Kurz da")
        place = f"/assistants/{agent}"
        wait_for(lambda place=place: anna.get(place).status_code == 200, "the new agent")
        stack.project.delete_agent(agent)
        gone.append(until(lambda place=place: anna.get(place).status_code == 404))
    return [("7 a row changed in SQL is live", centiles(live)), ("7 a deleted agent is gone", centiles(gone))]


def _away(postgres: OwnServer) -> list[Row]:
    taken: list[float] = []
    with running_stack(postgres=postgres.url) as stack, folder() as place:
        headers = stack.headers(stack.seed.anna)
        postgres.stop()
        began = time.perf_counter()
        with serving(stack, place) as server, httpx.Client(base_url=server.url, headers=headers, timeout=60) as anna:
            taken.append(time.perf_counter() - began)
            postgres.start()
            sync = f"/agents/{stack.seed.recht}/sync"
            taken.append(until(lambda: anna.post(sync).status_code == 200))
    back = f"ready after {taken[0]:.2f} s; synced on demand {taken[1]:.2f} s after Postgres was back"
    return [("6 the project is down at the start", back)]


def _first_syncs(postgres: OwnServer) -> list[Row]:
    with (
        running_stack(postgres=postgres.url) as stack,
        folder() as place,
        serving(stack, place, scope="none") as server,
    ):
        headers, url = stack.headers(stack.seed.anna), f"{server.url}/agents/{stack.seed.recht}/sync"

        async def all_at_once() -> list[int]:
            async with httpx.AsyncClient(headers=headers, timeout=60) as client:
                return [answer.status_code for answer in await asyncio.gather(*(client.post(url) for _ in range(20)))]

        before = len(statements(postgres, stack))
        taken: list[float] = []
        with timed(taken):
            assert set(asyncio.run(all_at_once())) == {200}
        asked = len(statements(postgres, stack)) - before
        return [("7 twenty first syncs of one agent", f"{1000 * taken[0]:.0f} ms, {asked} statements at the project")]


# -- tokens ---------------------------------------------------------------------------------------------------------


def tokens(postgres: OwnServer) -> list[Row]:
    with (
        running_stack(postgres=postgres.url) as stack,
        folder() as place,
        serving(stack, place, scope="none") as server,
    ):
        refused = {}
        for kind, make in BAD_TOKENS.items():
            with httpx.Client(headers={"authorization": f"Bearer {make(stack.identity, stack.seed.anna)}"}) as client:
                try:
                    refused[kind] = str(client.post(f"{server.url}/assistants/search", json={}).status_code)
                except httpx.TransportError:
                    refused[kind] = "closed"
        assert "200" not in refused.values()
        return [(f"refused: {len(refused)} kinds", ", ".join(f"{kind} {code}" for kind, code in refused.items()))]


# -- many agents ----------------------------------------------------------------------------------------------------


def statements(postgres: OwnServer, stack: Stack) -> list[str]:
    """What the project's database was asked so far, by clients that call themselves nothing of ours."""
    name = stack.project.url.rpartition("/")[2].partition("?")[0]
    found = [match for match in _STATEMENT.finditer(postgres.log) if match["database"] == name]
    return [match["text"] for match in found if not match["text"].lstrip().upper().startswith(_HOUSEKEEPING)]


def agents(postgres: OwnServer, count: int = 1000) -> list[Row]:
    rows: list[Row] = []
    with running_stack(postgres=postgres.url) as stack, folder() as place:
        tools = [McpTool("gesetz_suchen", stack.legal.endpoint), McpTool("urteil_lesen", stack.legal.endpoint)]
        ids = stack.project.add_many_agents(stack.seed.kanzlei, count, tools=tools)
        stack.project.rows("UPDATE public.agents SET graph_id = 'agent'")
        for name in ("first", "second"):
            before, began = len(statements(postgres, stack)), time.perf_counter()
            with serving(stack, place) as server:
                ready = time.perf_counter() - began
                counts = server.sync_counts()
                asked = statements(postgres, stack)[before:]
                told = ", ".join(f"{value} {key}" for key, value in counts.items())
                rows.append((f"{name} start with {counts['total']} agents", f"ready after {ready:.2f} s: {told}"))
                rows.append((f"  statements at the project, {name} start", str(len(asked))))
                if name == "first":
                    with client_of(stack, server, stack.seed.anna) as anna:
                        runs = [ask(anna, agent_id, LAW) for agent_id in ids[:20]]
                        rows.append(("  a member's first run of 20 of these agents", centiles(runs)))
                        times: list[float] = []
                        for _ in range(50):
                            with timed(times):
                                assert len(anna.post("/assistants/search", json={"limit": 20}).json()) == 20
                        rows.append(("  a search among them", centiles(times)))
                server.terminate()
                server.wait_end()
    return rows


PARTS: dict[str, Callable[[OwnServer], list[Row]]] = {"steps": steps, "tokens": tokens, "agents": agents}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--agents", type=int, default=1000)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    table = Table("step", "longline", title="A Supabase project's agents")
    with own_server("log_statement=all", "log_line_prefix=<%d> ") as postgres:
        for part in arguments.only:
            console.print(part)
            for row in agents(postgres, arguments.agents) if part == "agents" else PARTS[part](postgres):
                table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
