"""The plugin where nobody has a project: it costs nothing, and needs no driver."""

import subprocess
import sys

import pytest

from longline.plugin_host import PluginHost
from longline.settings import CORE_SECTIONS, parse_settings

_LOOK = """
import sys
from longline.plugin_host import PluginHost
from longline.settings import CORE_SECTIONS, parse_settings
host = PluginHost(["supabase_sync"])
settings = parse_settings({}, [*CORE_SECTIONS, *host.settings_sections()])
assert host.assistant_sources(settings) == [] and host.commands()
slow = ("psycopg", "psycopg_pool", "starlette", "httpx", "jwt", "cryptography", "langchain", "langgraph")
print([name for name in slow if name in sys.modules])
"""


def test_it_imports_nothing_slow_where_nobody_has_a_project() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


_WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None
from longline.errors import PluginMissingExtraError
from longline.plugin_host import PluginHost
from longline.settings import CORE_SECTIONS, parse_settings
host = PluginHost(["supabase_sync"])
values = {"supabase_sync": {"database": "postgresql://h/x"}}
settings = parse_settings(values, [*CORE_SECTIONS, *host.settings_sections()])
try:
    host.assistant_sources(settings)
except PluginMissingExtraError as error:
    print(error)
"""


def test_a_missing_driver_is_one_sentence_with_the_way_out() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT_DRIVER], capture_output=True, text=True, timeout=60)
    assert "pip install 'longline[supabase-sync]'" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("sections", "names"),
    [
        ({}, []),
        ({"server": {"database": "postgresql://h/x"}}, ["supabase"]),
        ({"server": {"database": "postgres+asyncpg://h/x"}}, ["supabase"]),
        ({"supabase_sync": {"database": "postgresql://h/x"}}, ["supabase"]),
    ],
)
def test_there_is_a_source_where_there_is_a_database(sections: dict[str, object], names: list[str]) -> None:
    host = PluginHost(["supabase_sync"])
    settings = parse_settings(sections, [*CORE_SECTIONS, *host.settings_sections()])
    assert [source.name for source in host.assistant_sources(settings)] == names
    assert [rule.name for rule in host.access_rules(settings) if rule.name != "owner"] == ["organizations"]
