"""The JavaScript SDK against a server with credentials: its newest version, and the newest that speaks 0.3."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clients.node import copied_scripts, installed_packages
from tests.plugins.protocol_a2a.edge import GUARDED, TOKENS, serve_agents
from tests.plugins.protocol_langgraph.graphs import ANSWER

pytestmark = pytest.mark.anyio
SCRIPTS = Path(__file__).with_name("js")
SECONDS = 60


@pytest.fixture(scope="module")
def scripts() -> Iterator[Path]:
    """Our script, with the packages that it imports."""
    folder = copied_scripts(installed_packages(SCRIPTS), SCRIPTS)
    yield folder
    shutil.rmtree(folder)


async def reported(script: Path, *arguments: str) -> dict[str, Any]:
    """What the script says, by the name of the check."""
    process = await asyncio.create_subprocess_exec(
        "node", str(script), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    reports = [json.loads(line) for line in out.splitlines()]
    assert reports, err.decode()
    assert [report for report in reports if not report["ok"]] == []
    return {report["name"]: report["value"] for report in reports}


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
@pytest.mark.parametrize("package", ["@a2a-js/sdk", "a2a-js-0"])
async def test_the_javascript_sdk_talks_to_an_agent(tmp_path: Path, scripts: Path, package: str, binding: str) -> None:
    async with serve_agents(tmp_path, others=GUARDED) as (served, _):
        url = f"{served.url}/a2a/chat/"
        found = await reported(scripts / "agent.mjs", package, binding, url, TOKENS["anna"])
    assert found["card"] == "chat"
    assert found["send"] == ANSWER
    assert found["get"] == [True, ANSWER]
    assert found["stream"][-1] == (3 if package == "@a2a-js/sdk" else "completed")
    assert "ot found" in found["missing"] or "404" in found["missing"]
