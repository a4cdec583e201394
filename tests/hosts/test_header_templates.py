"""Headers of webhooks may name variables, and only those that are meant for it."""

import json
from pathlib import Path

import pytest

from longline.errors import SettingsError
from longline_hosts.assemble import assemble_chosen
from longline_hosts.dev import DEV
from longline_hosts.environment import Flags, load_configuration
from longline_hosts.header_templates import expand_headers
from longline_webhooks.settings import WebhookSettings


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${{ env.LG_WEBHOOK_A }}", "one"),
        ("a ${{env.LG_WEBHOOK_A}} b ${{  env.LG_WEBHOOK_B  }}", "a one b ${{ env.LG_WEBHOOK_A }}"),
        ("${{ env.HOME }}", "${{ env.HOME }}"),
        ("${{ env.LG_WEBHOOK_C }}", "${{ env.LG_WEBHOOK_C }}"),
        ("${LG_WEBHOOK_A}", "${LG_WEBHOOK_A}"),
    ],
)
def test_a_variable_with_the_prefix_is_put_in_once(text: str, expanded: str) -> None:
    variables = {"LG_WEBHOOK_A": "one", "LG_WEBHOOK_B": "${{ env.LG_WEBHOOK_A }}", "HOME": "/home/ann"}
    values = {"webhooks": {"headers": {"x": text, "n": 5}}, "server": {}}
    assert expand_headers(values, variables) == {"webhooks": {"headers": {"x": expanded, "n": 5}}, "server": {}}


def test_another_prefix_opens_other_variables_and_closes_the_first() -> None:
    values = {
        "webhooks": {"env_prefix": "HOOK_", "headers": {"a": "${{ env.HOOK_A }}", "b": "${{ env.LG_WEBHOOK_A }}"}}
    }
    expanded = expand_headers(values, {"HOOK_A": "1", "LG_WEBHOOK_A": "2"})
    assert expanded["webhooks"]["headers"] == {"a": "1", "b": "${{ env.LG_WEBHOOK_A }}"}
    assert expand_headers({"server": {}}, {}) == {"server": {}}


def _project(folder: Path, header: str) -> None:
    project = {"graphs": {}, "webhooks": {"headers": {"authorization": header}}, "env": {"LG_WEBHOOK_KEY": "of-env"}}
    (folder / "langgraph.json").write_text(json.dumps(project))


def test_headers_of_langgraph_json_reach_the_plugin_with_variables_put_in(tmp_path: Path) -> None:
    _project(tmp_path, "Bearer ${{ env.LG_WEBHOOK_KEY }}")
    configuration = load_configuration(Flags(), tmp_path)
    runtime = assemble_chosen(configuration, DEV, ["storage_sqlite", "webhooks"])
    headers = runtime.settings.section(WebhookSettings).headers
    assert headers["authorization"].get_secret_value() == "Bearer of-env"
    assert "of-env" not in repr(runtime.settings.section(WebhookSettings))


def test_a_variable_that_is_missing_stops_the_start_unless_the_plugin_is_left_out(tmp_path: Path) -> None:
    _project(tmp_path, "Bearer ${{ env.HOME }}")
    configuration = load_configuration(Flags(), tmp_path)
    with pytest.raises(SettingsError, match="header 'authorization' names a variable that is not set, or"):
        assemble_chosen(configuration, DEV, ["storage_sqlite", "webhooks"])
    assemble_chosen(configuration, DEV, ["storage_sqlite"])
