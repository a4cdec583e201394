"""The example of an env file explains every variable, and is one."""

import os
import re
from pathlib import Path

import pytest

from longline_hosts.assemble import assemble
from longline_hosts.environment import HOST_VARIABLES, Flags, load_configuration
from longline_hosts.production import PRODUCTION
from longline_hosts.variables import VARIABLES

TEXT = (Path(__file__).parents[2] / ".env.example").read_text("utf-8")


def test_it_explains_every_variable_of_the_house_and_no_other() -> None:
    named = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", TEXT, re.MULTILINE))
    own = {variable.name for variable in VARIABLES} | set(HOST_VARIABLES)
    assert own <= named
    assert {name for name in named - own if not name.startswith("LONGLINE_") or "__" not in name} == set()


def test_it_is_a_valid_configuration_when_everything_in_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(("LONGLINE_", "OPENAI_", "DATABASE_", "SUPABASE_", "AGENT_SYNC_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(re.sub(r"^# (?=[A-Z][A-Z0-9_]+=)", "", TEXT, flags=re.MULTILINE))
    configuration = load_configuration(Flags())
    assemble(configuration, PRODUCTION)
    configuration.address(None, None)
    configuration.level("info")
