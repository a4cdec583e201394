"""Protocols that a host serves by default, and what leaves them out."""

import importlib.util
import json
from pathlib import Path

import pytest

from longline.errors import PluginMissingExtraError
from longline_hosts.assemble import assemble, choose_plugins
from longline_hosts.dev import DEV
from longline_hosts.environment import Configuration, Flags, load_configuration
from longline_hosts.production import PRODUCTION
from tests.hosts.command import longline, running

BOTH = {"protocol_a2a", "protocol_mcp"}


def load(folder: Path, toml: str = "", **langgraph: object) -> Configuration:
    if toml:
        (folder / "longline.toml").write_text(toml)
    if langgraph:
        (folder / "langgraph.json").write_text(json.dumps({"graphs": {}, **langgraph}))
    return load_configuration(Flags(), folder)


@pytest.fixture
def without_sdks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the packages of the extras."""
    found = importlib.util.find_spec
    gone = {"a2a", "mcp"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in gone else found(name, *rest))


@pytest.mark.parametrize("profile", [DEV, PRODUCTION])
def test_both_are_served_by_default(tmp_path: Path, profile) -> None:
    assert set(choose_plugins(load(tmp_path), profile).names) >= BOTH


@pytest.mark.usefixtures("without_sdks")
def test_they_are_left_out_where_their_packages_are_missing_with_the_line_that_installs_them(tmp_path: Path) -> None:
    choice = choose_plugins(load(tmp_path), DEV)
    assert not BOTH & set(choice.names)
    mcp = "the module 'mcp' is missing; run: pip install 'longline[protocol-mcp]'"
    assert choice.left_out["protocol_mcp"] == mcp
    assert "pip install 'longline[protocol-a2a]'" in choice.left_out["protocol_a2a"]


@pytest.mark.usefixtures("without_sdks")
@pytest.mark.parametrize("name", sorted(BOTH))
def test_one_that_is_enabled_by_name_stops_the_start(tmp_path: Path, name: str) -> None:
    configuration = load(tmp_path, f'[plugins]\nenable = ["storage_sqlite", "{name}"]\n')
    with pytest.raises(PluginMissingExtraError, match="pip install"):
        assemble(configuration, DEV)


@pytest.mark.parametrize(("key", "name"), [("disable_mcp", "protocol_mcp"), ("disable_a2a", "protocol_a2a")])
def test_a_langgraph_json_switches_them_off(tmp_path: Path, key: str, name: str) -> None:
    choice = choose_plugins(load(tmp_path, http={key: True}), DEV)
    assert BOTH - set(choice.names) == {name}
    assert choice.left_out[name] == f"http.{key} is set"
    enabled = load(tmp_path, f'[plugins]\nenable = ["{name}"]\n', http={key: True})
    assert choose_plugins(enabled, DEV).names == ()


def test_so_does_the_list_of_disabled_plugins(tmp_path: Path) -> None:
    choice = choose_plugins(load(tmp_path, '[plugins]\ndisable = ["protocol_mcp"]\n'), DEV)
    assert BOTH - set(choice.names) == {"protocol_mcp"}
    assert choice.left_out["protocol_mcp"] == "disabled under [plugins]"


def test_the_command_tells_what_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text("[protocol_langgraph]\nhttp = {disable_mcp = true}\n")
    done = longline(tmp_path, "plugins")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["protocol_a2a"].endswith("chosen")
    assert lines["protocol_mcp"].endswith("off: http.disable_mcp is set")


def test_the_log_of_a_server_tells_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text('[plugins]\ndisable = ["protocol_mcp"]\n')
    with running(tmp_path, "serve", "--port", "0", "--insecure-no-auth") as server:
        told = json.loads(server.wait_for(r'\{.*"message": "plugin left out".*\}').group())
        assert (told["level"], told["plugin"], told["reason"]) == ("info", "protocol_mcp", "disabled under [plugins]")
