"""What changes in the project changes here, soon."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import NotFoundError

from tests.faults.cluster import wait_until
from tests.supabase.model import ANSWERS, GREETING
from tests.supabase.project import McpTool
from tests.supabase.stack import Server, Stack, install_triggers, running_stack, said, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def changing() -> Iterator[Stack]:
    """A project with triggers."""
    with running_stack() as stack:
        install_triggers(stack)
        yield stack


@pytest.fixture(scope="module")
def server(changing: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of it that looks at everything by itself too seldom to matter."""
    folder = tmp_path_factory.mktemp("server")
    with serving(changing, folder, LONGLINE_SUPABASE_SYNC__RECONCILE_SECONDS="3600") as server:
        server.sync_counts()
        yield server


async def test_a_changed_row_is_live(changing: Stack, server: Server) -> None:
    seed = changing.seed
    async with changing.client(server, seed.anna) as client:
        changing.project.set_agent(
            seed.recht, name="Rechts-Assistentin für Mietrecht", system_prompt="Kurz, bitte: äöüß."
        )
        began = time.monotonic()

        async def live() -> bool:
            found = await client.assistants.get(seed.recht)
            return found["name"] == "Rechts-Assistentin für Mietrecht"

        await wait_until(live, "the new name", 10)
        print(f"a changed row was live after {time.monotonic() - began:.3f} s")
        found = await client.assistants.get(seed.recht)
        assert found["version"] == 2
        assert found["config"]["configurable"]["system_prompt"] == "Kurz, bitte: äöüß."  # type: ignore[typeddict-item]
        changing.project.add_tools(seed.recht, McpTool("urteil_lesen", changing.legal.endpoint))

        async def has_tool() -> bool:
            configurable: Any = (await client.assistants.get(seed.recht))["config"]["configurable"]
            return configurable["mcp_config"]["servers"][0]["tools"] == ["gesetz_suchen", "urteil_lesen"]

        await wait_until(has_tool, "the new tool", 10)


async def test_a_new_agent_is_live_without_being_asked_for(changing: Stack, server: Server) -> None:
    made = changing.project.add_agent(changing.seed.kanzlei, "Neu hier", system_prompt="Hallo.")
    async with changing.client(server, changing.seed.anna) as client:

        async def is_there() -> bool:
            return any(one["assistant_id"] == made for one in await client.assistants.search(limit=100))

        await wait_until(is_there, "the new agent", 10)


@pytest.mark.parametrize("change", ["deleted", "deactivated", "removed"])
async def test_an_agent_that_is_gone_runs_no_more_and_its_threads_are_readable(
    changing: Stack, server: Server, change: str
) -> None:
    seed = changing.seed
    agent_id = changing.project.add_agent(
        seed.kanzlei, f"Bald {change}", system_prompt="Noch da.",
        engine_id=changing.project.add_engine("openai:gpt-4o-mini"),
    )  # fmt: skip
    async with changing.client(server, seed.anna) as client:
        thread_id = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread_id, agent_id, input=said(GREETING))
        if change == "removed":
            changing.project.rows("DELETE FROM public.agents WHERE id = %s", agent_id)
        elif change == "deleted":
            changing.project.delete_agent(agent_id)
        else:
            changing.project.set_agent(agent_id, status="inactive")
        began = time.monotonic()

        async def is_gone() -> bool:
            return all(one["assistant_id"] != agent_id for one in await client.assistants.search(limit=100))

        await wait_until(is_gone, "the end of the agent", 10)
        print(f"an agent that was {change} was gone after {time.monotonic() - began:.3f} s")
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            await client.runs.wait(thread_id, agent_id, input=said(GREETING))
        with pytest.raises(NotFoundError):
            await client.runs.create(None, agent_id, input=said(GREETING))
        state = await client.threads.get_state(thread_id)
        assert state["values"]["messages"][-1]["content"] == ANSWERS[GREETING]  # type: ignore[call-overload,index]
        assert len(await client.runs.list(thread_id)) == 1


async def test_an_agent_that_comes_back_runs_again(changing: Stack, server: Server) -> None:
    agent_id = changing.seed.rechner
    async with changing.client(server, changing.seed.anna) as client:
        for status, is_there in (("inactive", False), ("active", True)):
            changing.project.set_agent(agent_id, status=status)

            async def as_wanted(is_there: bool = is_there) -> bool:
                found = {one["assistant_id"] for one in await client.assistants.search(limit=100)}
                return (agent_id in found) == is_there

            await wait_until(as_wanted, f"an agent that is {status}", 10)
        answer: Any = await client.runs.wait(None, agent_id, input=said(GREETING))
        assert answer["messages"][-1]["content"] == ANSWERS[GREETING]
