"""What the first run of an agent needs is imported behind the start, where the operator wants that."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from longline_agent_tools.preload import may_call_openai
from longline_agent_tools.settings import AgentToolsSettings

LIBRARIES = ("langchain.agents", "langchain_openai", "mcp", "langchain_mcp_adapters.tools")
SERVE = """
import asyncio, logging, sys
from longline.runtime import Runtime

for name in {missing!r}:
    sys.modules[name] = None
logging.basicConfig(level="WARNING")

def imported():
    return [name for name in {libraries!r} if sys.modules.get(name) is not None]

async def main():
    values = {{"server": {{"database": "sqlite:///x.db"}}, "agent_tools": {section!r}}}
    async with Runtime(["agent_tools", "storage_sqlite"], values).open():
        assert imported() == [], imported()
        for task in [task for task in asyncio.all_tasks() if task.get_name() == "preload agent"]:
            await task
    print(*imported())

asyncio.run(main())
"""


def imported_by(folder: Path, section: dict[str, Any], missing: tuple[str, ...] = ()) -> set[str]:
    """Which of the libraries a server has when it is done with its start, and with what it does behind it."""
    code = SERVE.format(libraries=LIBRARIES, section=section, missing=missing)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_nothing_is_imported_unasked(tmp_path: Path) -> None:
    assert imported_by(tmp_path, {"openai_api_key": "k"}) == set()


def test_what_runs_need_is_there_before_the_first(tmp_path: Path) -> None:
    assert imported_by(tmp_path, {"preload": True, "openai_api_key": "k"}) == set(LIBRARIES)


def test_what_is_not_installed_or_not_called_is_left_out(tmp_path: Path) -> None:
    section = {"preload": True, "model_name": "demo:"}
    assert imported_by(tmp_path, section, ("mcp", "langchain_mcp_adapters")) == {"langchain.agents"}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"openai_api_key": "k"}, True),
        ({"openai_base_url": "http://x/v1"}, True),
        ({"model_name": "openai:gpt-4o"}, True),
        ({"model_name": "custom:x"}, True),
        ({"model_name": "anthropic:x"}, False),
        ({"model_name": "demo:"}, False),
        ({}, False),
    ],
)
def test_who_may_call_openai(section: dict[str, Any], expected: bool) -> None:
    assert may_call_openai(AgentToolsSettings.model_validate(section)) == expected
