"""The plugin where no project is configured, where something is missing, and with settings that do not fit."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.plugins.auth_supabase.asking import settings_for

import longline_auth_supabase as plugin
from longline.errors import SettingsError
from longline.runtime import Runtime

UNCONFIGURED = """
import sys
from longline.runtime import Runtime
runtime = Runtime(["auth_supabase", "storage_sqlite"], {"server": {"database": "sqlite:///never.db"}})
assert runtime.authenticators == []
print([name for name in ("jwt", "httpx", "cryptography", "psycopg", "psycopg_pool") if name in sys.modules])
"""
MISSING = """
import sys
sys.modules["jwt"] = None
from longline.errors import PluginMissingExtraError
from longline.runtime import Runtime
try:
    Runtime(["auth_supabase", "storage_sqlite"], {"auth_supabase": {"url": "https://x.supabase.co"}})
except PluginMissingExtraError as error:
    print(error)
"""


def _run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_without_a_project_nothing_is_imported_and_nobody_recognised() -> None:
    assert _run(UNCONFIGURED) == "[]"
    settings = settings_for()
    assert plugin.register_authenticators(settings) == []
    assert plugin.register_access_rules(settings) == []


def test_a_missing_package_is_one_sentence_with_the_way_out() -> None:
    said = _run(MISSING)
    assert said.startswith("plugin 'auth_supabase' needs the module 'jwt', which is missing")
    assert said.endswith("pip install 'longline[auth-supabase]'")


def test_with_a_project_there_is_one_authenticator_and_one_rule() -> None:
    settings = settings_for(url="https://x.supabase.co")
    (authenticator,) = plugin.register_authenticators(settings)
    assert authenticator.name == "auth_supabase"
    (rule,) = plugin.register_access_rules(settings)
    assert rule.name == "supabase_service_role"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "x.supabase.co"}, "url must be https://"),
        ({"url": "ftp://x.supabase.co"}, "url must be https://"),
        ({"url": "https://x.supabase.co?a=b"}, "url must be https://"),
        ({"url": "http://[x"}, "url must be https://"),
        ({"url": "https://x.supabase.co", "verify": "remote"}, "needs key (SUPABASE_KEY)"),
        ({"jwt_secret": "short"}, "at least 32 bytes"),
        ({"url": "https://x.supabase.co", "service_role": ["*"]}, "service_role needs key"),
        ({"service_role": ["thread"]}, "service_role takes"),
        ({"organizations_claim": "user_metadata.organizations"}, "users write that themselves"),
        ({"organizations_claim": "a..b"}, "organizations_claim"),
        ({"organizations_seconds": 61}, "organizations_seconds"),
        ({"remote_cache_seconds": 61}, "remote_cache_seconds"),
        ({"audience": ""}, "audience"),
    ],
)
def test_settings_that_do_not_fit_stop_the_start(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_for(**values)
    assert words in str(caught.value)
    assert "auth_supabase" in str(caught.value)
    assert "short" not in str(caught.value)


def test_the_database_of_the_server_is_asked_if_it_is_postgres(tmp_path: Path) -> None:
    project = {"url": "https://x.supabase.co"}
    known = {}
    for database in ("postgresql://u@127.0.0.1:1/d", f"sqlite:///{tmp_path}/x.db"):
        plugins = ["auth_supabase", "storage_sqlite", "storage_postgres"]
        runtime = Runtime(plugins, {"auth_supabase": project, "server": {"database": database}})
        (authenticator,) = plugin.register_authenticators(runtime.settings)
        known[database.partition(":")[0]] = authenticator.knows_organizations
    assert known == {"postgresql": True, "sqlite": False}
