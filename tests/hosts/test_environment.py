"""Where settings come from, and which source wins: defaults, longline.toml, the environment, flags."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longline.auth.urls import UrlPolicy
from longline.errors import LonglineError, SettingsError
from longline.settings import PluginSettings, ServerSettings
from longline_hosts.assemble import Profile, assemble, choose_plugins
from longline_hosts.dev import DEV
from longline_hosts.environment import HOST_VARIABLES, Configuration, Flags, load_configuration
from longline_hosts.production import PRODUCTION

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("LONGLINE_", "OPENAI_", "DATABASE_", "SUPABASE_", "AGENT_SYNC_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def load(**flags: object) -> Configuration:
    return load_configuration(Flags(**flags))  # type: ignore[arg-type]


def write(**files: str) -> None:
    for name, text in files.items():
        Path({"toml": "longline.toml", "env": ".env", "graphs": "langgraph.json"}[name]).write_text(text)


# -- precedence -----------------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(layers=st.sets(st.sampled_from(["toml", "env file", "environment", "flag"])))
def test_the_highest_source_that_says_something_wins(layers: set[str], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LONGLINE_SERVER__RUNS", raising=False)
        write(toml="[server]\nruns = 1\n" if "toml" in layers else "")
        write(env="LONGLINE_SERVER__RUNS=2\n" if "env file" in layers else "")
        if "environment" in layers:
            patch.setenv("LONGLINE_SERVER__RUNS", "3")
        runtime = assemble(load(runs=4 if "flag" in layers else None), PRODUCTION)
    order = {"flag": 4, "environment": 3, "env file": 2, "toml": 1}
    expected = next((number for name, number in order.items() if name in layers), ServerSettings().runs)  # type: ignore[call-arg]
    assert runtime.settings.section(ServerSettings).runs == expected


def test_the_hosts_own_defaults_are_the_lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert assemble(load(), DEV).settings.section(ServerSettings).drain_seconds == 0.3
    assert assemble(load(), PRODUCTION).settings.section(ServerSettings).drain_seconds == 20
    write(toml="[server]\ndrain_seconds = 7\n")
    assert assemble(load(), DEV).settings.section(ServerSettings).drain_seconds == 7


@pytest.mark.parametrize("purpose", ["mcp", "rag"])
def test_only_dev_lets_agents_call_servers_on_this_machine(purpose: str) -> None:
    def policy(profile: Profile) -> UrlPolicy:
        runtime = assemble(load(), profile)
        return runtime.host.url_policies(runtime.settings).get(purpose)

    assert policy(DEV).allow_loopback
    assert not policy(PRODUCTION).allow_loopback
    write(toml=f"[agent_tools]\n{purpose}_loopback = false\n")
    assert not policy(DEV).allow_loopback


@pytest.mark.parametrize(
    ("variable", "value", "section", "key"),
    [
        ("DATABASE_URL", "sqlite:///other.db", "server", "database"),
        ("OPENAI_API_KEY", "sk-1", "agent_tools", "openai_api_key"),
        ("OPENAI_BASE_URL", "http://a/v1", "agent_tools", "openai_base_url"),
        ("OPENAI_API_BASE", "http://b/v1", "agent_tools", "openai_base_url"),
        ("LONGLINE_SECRET_KEY", "abc", "secrets", "key"),
        ("LONGLINE_SERVER__DATABASE", "sqlite:///third.db", "server", "database"),
    ],
)
def test_a_variable_sets_its_setting(
    variable: str, value: str, section: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    configuration = load()
    assert configuration.values[section][key] == value
    assert configuration.origins[section, key] == variable


def test_of_two_names_for_one_setting_the_newer_and_the_house_s_own_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "http://old/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://new/v1")
    assert load().values["agent_tools"]["openai_base_url"] == "http://new/v1"
    monkeypatch.setenv("LONGLINE_AGENT_TOOLS__OPENAI_BASE_URL", "http://own/v1")
    assert load().values["agent_tools"]["openai_base_url"] == "http://own/v1"


def test_an_empty_ecosystem_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("DATABASE_URL", "")
    assert dict(load().values) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('["a", "b"]', ["a", "b"]),
        ('{"ann": "token"}', {"ann": "token"}),
        ('"5"', "5"),
        ("null", None),
        ("5", "5"),
        ("true", "true"),
        ("[not json", "[not json"),
        ("", ""),
    ],
)
def test_a_value_is_json_where_it_looks_like_a_list_a_table_or_a_quoted_text(
    text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGLINE_SOME__KEY", text)
    assert load().values["some"]["key"] == value


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_can_be_given(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGLINE_SOME__KEY", text)
        found = load().values["some"]["key"]
    assert found == text or text[:1] in '[{"' or text == "null"


# -- files ----------------------------------------------------------------------------------------------------------


def test_both_files_are_found_by_themselves_in_the_folder() -> None:
    write(toml="[server]\nruns = 5\n", graphs='{"graphs": {"g": "./g.py:graph"}}')
    configuration = load()
    assert [path.name for path in configuration.files] == ["longline.toml", "langgraph.json"]
    assert configuration.values["server"] == {"runs": 5}
    assert configuration.values["langgraph"] == {"file": str(Path("langgraph.json").absolute())}


@pytest.mark.parametrize("text", ['langgraph = "sub/graphs.json"', '[langgraph]\nfile = "sub/graphs.json"'])
def test_longline_toml_names_a_langgraph_json_beside_itself(text: str, tmp_path: Path) -> None:
    place = tmp_path / "deploy"
    (place / "sub").mkdir(parents=True)
    (place / "longline.toml").write_text(text)
    (place / "sub/graphs.json").write_text('{"graphs": {"g": "./g.py:graph"}}')
    configuration = load(config=Path("deploy/longline.toml"))
    assert configuration.langgraph is not None
    assert configuration.langgraph.path == place / "sub/graphs.json"
    assert configuration.folder == place


def test_a_file_that_is_named_is_the_only_one_that_is_read(tmp_path: Path) -> None:
    write(toml="[server]\nruns = 5\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/langgraph.json").write_text('{"graphs": {}}')
    configuration = load(config=Path("other/langgraph.json"))
    assert configuration.files == (tmp_path / "other/langgraph.json",)
    assert "server" not in configuration.values


def test_env_files_are_read_for_settings_and_exported_for_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    write(graphs='{"graphs": {}, "env": "my.env"}', env="A_NAME=beside\nB_NAME=beside\n")
    Path("my.env").write_text('A_NAME=named\nOPENAI_API_KEY="sk-2"\n')
    monkeypatch.setenv("C_NAME", "environment")
    configuration = load()
    assert configuration.values["agent_tools"] == {"openai_api_key": "sk-2"}
    for name in ("A_NAME", "B_NAME", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", dict(os.environ))
        configuration.export()
        assert os.environ["A_NAME"] == "named"
        assert os.environ["B_NAME"] == "beside"
        assert os.environ["C_NAME"] == "environment"
    assert "A_NAME" not in os.environ


# -- faults ---------------------------------------------------------------------------------------------------------


def fault_of(*, profile: object = PRODUCTION, **flags: object) -> str:
    with pytest.raises(LonglineError) as caught:
        assemble(load(**flags), profile)  # type: ignore[arg-type]
    return str(caught.value)


def test_an_unknown_longline_variable_is_an_error_that_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGLINE_PROT", "80")
    assert fault_of().startswith("unknown environment variable LONGLINE_PROT; there are: ")
    assert all(name in fault_of() for name in (*HOST_VARIABLES, "LONGLINE_SECRET_KEY", "LONGLINE_<SECTION>__<KEY>"))


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("LONGLINE_SERVER__RUNZ", "1", ["server.runz", "did you mean runs?", "[server] takes: database, "]),
        ("LONGLINE_SERVR__RUNS", "1", ["unknown section [servr]", "did you mean server?"]),
        ("LONGLINE_SERVER__RUNS", "many", ["bad value for server.runs"]),
        ("LONGLINE_PLUGINS__DISABLE", "a,b", ["bad value for plugins.disable", "write it as JSON"]),
        ("DATABASE_URL", "mysql://here/x", ["no plugin offers a storage for mysql://", "postgresql, sqlite"]),
        ("DATABASE_URL", "ann:hunter2@here/x", ["the URL of the storage has no scheme", "(server.database is set by"]),
    ],
)
def test_a_bad_variable_is_named_with_what_it_sets(
    variable: str, value: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    fault = fault_of()
    assert all(word in fault for word in [*words, f"set by {variable}"]), fault


def test_a_bad_flag_is_named(tmp_path: Path) -> None:
    assert "bad value for server.runs" in fault_of(runs=0)
    assert "(set by --runs)" in fault_of(runs=0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server\n", ["longline.toml", "line 1"]),
        ("runs = 3\n", ["runs stands outside of a section"]),
        ("[server]\nrunz = 3\n", ["unknown setting server.runz (did you mean runs?)"]),
        ("[sever]\n", ["unknown section [sever] (did you mean server?)"]),
        ("langgraph = 3\n", ["langgraph stands outside of a section"]),
        ("langgraph = 'nowhere.json'\n", ["nowhere.json", "No such file"]),
    ],
)
def test_a_bad_longline_toml_is_told_with_its_place(text: str, words: list[str]) -> None:
    write(toml=text)
    fault = fault_of()
    assert all(word in fault for word in words), fault


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    write(toml="[server]\nruns = 0\nlease_seconds = 'x'\n[nope]\n")
    with pytest.raises(SettingsError) as caught:
        assemble(load(), PRODUCTION)
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize(("variable", "value"), [("LONGLINE_PORT", "http"), ("LONGLINE_PORT", "70000")])
def test_a_bad_port_is_named(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(LonglineError, match=f"bad value for {variable}: a number from 0 to 65535 is expected"):
        load().address(None, None)


def test_the_address_comes_from_flags_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().address(None, None) == ("127.0.0.1", 2024)
    monkeypatch.setenv("LONGLINE_HOST", "::1")
    monkeypatch.setenv("LONGLINE_PORT", "80")
    assert load().address(None, None) == ("::1", 80)
    assert load().address("127.0.0.2", 0) == ("127.0.0.2", 0)


def test_a_missing_env_file_is_named() -> None:
    write(graphs='{"graphs": {}, "env": "gone.env"}')
    assert "gone.env: there is no such file" in fault_of()


# -- plugins --------------------------------------------------------------------------------------------------------


def test_the_choice_is_the_hosts_until_enable_or_disable_say_otherwise() -> None:
    assert set(choose_plugins(load(), DEV).names) >= {"agent_tools", "protocol_langgraph", "storage_sqlite"}
    write(toml='[plugins]\nenable = ["storage_sqlite"]\n')
    assert choose_plugins(load(), DEV).names == ("storage_sqlite",)
    write(toml='[plugins]\ndisable = ["agent_tools"]\n')
    choice = choose_plugins(load(), DEV)
    assert "agent_tools" not in choice.names
    assert choice.left_out["agent_tools"] == "disabled under [plugins]"


def test_settings_of_a_plugin_that_is_switched_off_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-3")
    write(toml='[plugins]\ndisable = ["agent_tools"]\n[agent_tools]\nmax_steps = 5\n')
    runtime = assemble(load(), DEV)
    assert runtime.settings.section(PluginSettings).disable == ["agent_tools"]


def test_a_plugin_that_is_not_installed_is_named() -> None:
    write(toml='[plugins]\nenable = ["storage_sqlite", "storage_papyrus"]\n')
    assert "no plugin 'storage_papyrus' is installed; installed: " in fault_of()
