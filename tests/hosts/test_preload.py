"""`longline serve` imports the libraries of models and tools behind its start; `longline dev` stays small."""

import json
from pathlib import Path

import httpx
import pytest

from longline_agent_tools.settings import AgentToolsSettings
from longline_hosts.assemble import Profile, assemble
from longline_hosts.dev import DEV
from longline_hosts.environment import Flags, load_configuration
from longline_hosts.production import PRODUCTION
from tests.hosts.command import running


@pytest.mark.parametrize(("profile", "expected"), [(PRODUCTION, True), (DEV, False)], ids=["serve", "dev"])
def test_who_does_it_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: Profile, expected: bool) -> None:
    monkeypatch.delenv("LONGLINE_AGENT_TOOLS__PRELOAD", raising=False)
    runtime = assemble(load_configuration(Flags(), tmp_path), profile)
    assert runtime.settings.section(AgentToolsSettings).preload is expected


def test_a_server_is_ready_before_it_begins(tmp_path: Path) -> None:
    command = ["serve", "--port", "0", "--insecure-no-auth"]
    with running(tmp_path, *command, env={"LONGLINE_AGENT_TOOLS__PRELOAD": "true"}) as server:
        url = json.loads(server.wait_for(r'\{.*"message": "server started".*\}').group())["url"]
        assert httpx.get(f"{url}/ok", timeout=30).status_code == 200
        server.wait_for(r'"message": "agent preloaded"')
        assert server.output.index("server started") < server.output.index("agent preloaded")
        assert server.stop() == 0
