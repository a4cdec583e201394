"""The plugin as the host sees it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

import longline_agent_tools as plugin
from longline.graphs.factories import FactoryCall
from longline.graphs.registry import GraphRegistry
from longline.settings import parse_settings
from longline.tools.tool import ToolRegistry
from longline_agent_tools.configuration import AgentConfig
from longline_agent_tools.settings import AgentToolsSettings

ROOT = Path(__file__).parents[3]
README = ROOT / "plugins" / "agent_tools" / "README.md"
HEAVY = (
    "langchain",
    "langchain_core",
    "langchain_openai",
    "langgraph",
    "openai",
    "httpx",
    "tiktoken",
    "mcp",
    "langchain_mcp_adapters",
)


def loaded_after(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter has imported after this code."""
    script = f"import sys\n{code}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


ASSEMBLE = """
import asyncio
import longline_agent_tools as plugin
from longline.settings import parse_settings
from longline.tools.tool import ToolRegistry
tools = ToolRegistry({tool.name: tool for tool in plugin.register_tools()})
(graph,) = plugin.register_graph_sources(parse_settings({}, plugin.register_settings()), tools)
"""


def test_assembling_imports_nothing_heavy() -> None:
    assert loaded_after(ASSEMBLE) == set()


def test_a_demo_run_imports_neither_openai_nor_its_adapter() -> None:
    run = "agent = asyncio.run(graph.load()({'configurable': {}}))\n"
    run += "asyncio.run(agent.ainvoke({'messages': [{'role': 'user', 'content': '2 + 2'}]}))"
    assert not loaded_after(ASSEMBLE + run) & {"langchain_openai", "openai", "tiktoken"}


@pytest.mark.anyio
@pytest.mark.parametrize("is_run", [True, False])
async def test_the_servers_registry_opens_the_graph(is_run: bool) -> None:
    tools = ToolRegistry({tool.name: tool for tool in plugin.register_tools()})
    (definition,) = plugin.register_graph_sources(parse_settings({}, plugin.register_settings()), tools)
    registry = GraphRegistry({definition.graph_id: definition})
    call = FactoryCall(
        access="threads.create_run" if is_run else "threads.read",
        config={"configurable": {"__is_for_execution__": is_run, "max_tokens": 2}},
        context=None,
        store=InMemoryStore(),
        user=None,
    )
    async with registry.open("agent", call, checkpointer=InMemorySaver()) as graph:
        assert graph.name == "agent"
        state = await graph.ainvoke({"messages": [("user", "Hi")]}, {"configurable": {"thread_id": "t"}})
        assert state["messages"][-1].text.split() == ["This", "is"]


def test_the_graph_is_called_agent_and_the_tools_have_schemas() -> None:
    assert [tool.name for tool in plugin.register_tools()] == ["calculate", "current_time"]
    for tool in plugin.register_tools():
        assert tool.schema["type"] == "object"
        assert tool.schema["additionalProperties"] is False
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name)


@pytest.mark.parametrize("name", [field.alias or name for name, field in AgentConfig.model_fields.items()])
def test_every_configurable_key_is_in_the_readme(name: str) -> None:
    assert f"| `{name}` |" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", AgentToolsSettings.model_fields)
def test_every_setting_is_described_and_in_the_readme(name: str) -> None:
    assert AgentToolsSettings.model_fields[name].description
    assert re.search(rf"^\|[^|]*`{name}`[^|]*\|", README.read_text(encoding="utf-8"), re.MULTILINE)
