"""`longline check` names everything that is wrong, where it is, and what mends it."""

import socket
import sqlite3
from pathlib import Path

import pytest

from tests.hosts.command import longline, serving
from tests.hosts.conftest import SAYS, Project
from tests.hosts.third_party import install

PROTOCOL = """
from longline import hookimpl
from longline.asgi.mount import ProtocolMount
from longline.asgi.respond import json_response

@hookimpl
def register_protocols(server):
    return [ProtocolMount(path="/pond", app=json_response(200, {}))]
"""

GRAPHS = """
from longline import hookimpl
from longline.graphs.definition import GraphDefinition

@hookimpl
def register_graph_sources(settings, tools):
    return [GraphDefinition(graph_id="trout", origin=__name__, load=lambda: None)]
"""


def problems(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> list[str]:
    """The lines that tell of a problem."""
    done = longline(folder, "check", "--port", "0", *arguments, env=env)
    assert done.stderr == ""
    found = [line for line in done.stdout.splitlines() if line.startswith("✗")]
    assert done.returncode == (1 if found else 0)
    expected = f"{len(found)} problem{'s' if len(found) > 1 else ''}" if found else "nothing is wrong"
    assert done.stdout.splitlines()[-1] == expected
    return found


def test_in_an_empty_folder_nothing_is_wrong_and_nothing_is_made(tmp_path: Path) -> None:
    assert problems(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_in_a_project_that_works_nothing_is_wrong(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": SAYS + "graph = says('x')"}, dependencies=[".", "langgraph"])
    done = longline(folder, "check", "--port", "0")
    assert done.returncode == 0
    assert "g ← ./g.py:graph" in done.stdout
    assert "agent ← plugin agent_tools" in done.stdout


def test_graphs_that_do_not_import_are_named_with_file_line_and_cause(project: Project) -> None:
    folder = project(
        {
            "fine": "./fine.py:graph",
            "lost": "./lost.py:graph",
            "broken": "./broken.py:graph",
            "raises": "./raises.py:g",
        },
        {
            "fine.py": SAYS + "graph = says('x')",
            "broken.py": "x = 1\ndef f(:\n",
            "raises.py": "import json\nimport no_such_package\n",
        },
    )
    lost, broken, raises = sorted(
        problems(folder), key=lambda line: ["lost", "broken", "raises"].index(line.split()[2])
    )
    assert f"there is no such file ({folder}/lost.py)" in lost
    assert "SyntaxError" in broken
    assert f"({folder}/broken.py, line 2)" in broken
    assert f"No module named 'no_such_package' ({folder}/raises.py, line 2)" in raises


def test_an_unknown_key_is_named_with_the_accepted_ones(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text("[server]\nrunz = 3\n[storage_sqlite]\nbusy = 1\n")
    first, second = problems(tmp_path)
    assert "unknown setting server.runz (did you mean runs?); [server] takes: database, broker, runs" in first
    assert "unknown setting storage_sqlite.busy" in second
    assert "[storage_sqlite] takes: busy_timeout_seconds" in second


def test_a_file_that_cannot_be_read_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text('{"graphs": {},}')
    (problem,) = problems(tmp_path)
    assert f"{tmp_path}/langgraph.json, line 1, column 15" in problem


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        (problem,) = problems(tmp_path, "--port", port)
    assert f"port {port} on 127.0.0.1 is in use" in problem


def test_a_missing_dependency_is_named_with_what_installs_it(project: Project) -> None:
    folder = project(
        {"g": "./g.py:graph"}, {"g.py": SAYS + "graph = says('x')"}, dependencies=[".", "no-such-package-here>=2"]
    )
    (problem,) = problems(folder)
    assert "dependency 'no-such-package-here>=2'" in problem
    assert "pip install no-such-package-here" in problem


def test_an_address_that_others_reach_needs_an_authenticator(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "--host", "0.0.0.0")
    assert "authentication" in problem


def test_a_plugin_whose_extra_is_missing_is_named_with_what_installs_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    metadata = "Provides-Extra: pond\nRequires-Dist: no-such-package-here; extra == 'pond'\n"
    install(
        site, "longline-pond", {"a_pond": "import no_such_package_here\n"}, plugins={"pond": "a_pond"}, extra=metadata
    )
    (problem,) = problems(tmp_path, env={"PYTHONPATH": str(site)})
    assert "plugin 'pond' needs the module 'no_such_package_here'" in problem
    assert "pip install 'longline-pond[pond]'" in problem
    table = longline(tmp_path, "plugins", env={"PYTHONPATH": str(site)}).stdout
    assert "missing no-such-package-here, run: pip install 'longline-pond[pond]'" in table
    assert problems(tmp_path, env={"PYTHONPATH": str(site), "LONGLINE_PLUGINS__DISABLE": '["pond"]'}) == []


def test_a_plugin_that_does_not_import_is_named_with_file_and_line(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "longline-pond", {"a_pond": "x = 1\nx.nothing\n"}, plugins={"pond": "a_pond"})
    (problem,) = problems(tmp_path, env={"PYTHONPATH": str(site)})
    assert "plugin 'pond' cannot be imported: AttributeError" in problem
    assert f"{site}/a_pond.py, line 2" in problem
    assert '[plugins] disable = ["pond"]' in problem


def test_a_misspelt_hook_is_named(tmp_path: Path) -> None:
    site = tmp_path / "site"
    text = "from longline import hookimpl\n@hookimpl\ndef register_tolls():\n    return []\n"
    install(site, "longline-pond", {"a_pond": text}, plugins={"pond": "a_pond"})
    (problem,) = problems(tmp_path, env={"PYTHONPATH": str(site)})
    assert "register_tolls" in problem


@pytest.mark.parametrize(
    ("text", "taken"), [(PROTOCOL, "path '/pond'"), (GRAPHS, "graph 'trout'")], ids=["path", "graph"]
)
def test_two_plugins_that_offer_one_thing_are_both_named(tmp_path: Path, text: str, taken: str) -> None:
    site = tmp_path / "site"
    install(site, "longline-pond", {"pond_one": text, "pond_two": text}, plugins={"one": "pond_one", "two": "pond_two"})
    (problem,) = problems(tmp_path, env={"PYTHONPATH": str(site)})
    assert f"plugins 'one' and 'two' both offer the {taken}; disable one of them under [plugins]" in problem


def test_two_plugins_of_one_name_are_refused_with_both_distributions(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "longline-pond", {"pond_one": ""}, plugins={"pond": "pond_one"})
    install(site, "longline-lake", {"pond_two": ""}, plugins={"pond": "pond_two"})
    (problem,) = problems(tmp_path, env={"PYTHONPATH": str(site)})
    assert "both offer the plugin" in problem
    assert "longline-pond" in problem
    assert "longline-lake" in problem


def test_a_database_that_a_server_has_open_is_named_with_its_owner(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-reload") as server:
        (problem,) = problems(tmp_path)
        assert "is in use by another Longline server (process " in problem
        assert str(server.process.pid) in problem


def test_a_database_that_is_none_or_too_new_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but long enough to be looked at" * 100)
    (problem,) = problems(tmp_path, "--database", "sqlite:///text.db")
    assert "text.db: the file is not an SQLite database" in problem
    with sqlite3.connect(tmp_path / "new.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    (problem,) = problems(tmp_path, "--database", "sqlite:///new.db")
    assert "new.db has schema version 999" in problem
    before = (tmp_path / "new.db").read_bytes()
    problems(tmp_path, "--database", "sqlite:///new.db")
    assert (tmp_path / "new.db").read_bytes() == before
    assert not list(tmp_path.glob("new.db-*"))


def test_a_database_url_of_a_foreign_kind_is_named_with_where_it_comes_from(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, env={"DATABASE_URL": "mysql://ann:hunter2@here/x"})
    assert "no plugin offers a storage for mysql://" in problem
    assert "hunter2" not in problem
    assert "DATABASE_URL" in problem


def test_the_language_of_a_report_has_no_tracebacks(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": "raise ValueError('x')"})
    done = longline(folder, "check", "--port", "0")
    assert "Traceback" not in done.stdout + done.stderr


AUTH = """
from langgraph_sdk import Auth

auth = Auth()
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, ["auth.path './auth.py:auth' cannot be loaded: there is no such file", "auth.py"]),
        (f"{AUTH}\nraise RuntimeError('no key')", ["RuntimeError: no key", "auth.py, line 6"]),
        (f"{AUTH}\ndef authenticate(:", ["SyntaxError", "auth.py, line 6"]),
        ("auth = 3", ["it is no langgraph_sdk.Auth but a int"]),
        ("other = 3", ["it has no attribute 'auth'"]),
        (AUTH, ["it has no @auth.authenticate handler"]),
        (
            f"{AUTH}\n@auth.authenticate\nasync def who(token: str):\n    return token",
            ["its parameter 'token' is not known; it may take by name: request", "auth.py, line 6"],
        ),
    ],
)
def test_an_auth_object_that_cannot_be_had_is_named_with_file_line_and_cause(
    project: Project, text: str | None, told: list[str]
) -> None:
    folder = project({}, {"auth.py": text} if text is not None else {}, auth={"path": "./auth.py:auth"})
    (problem,) = problems(folder)
    for part in told:
        assert part in problem


def test_no_server_starts_without_the_auth_object_that_it_was_told_to_use(project: Project) -> None:
    folder = project({}, {"auth.py": f"{AUTH}\nraise RuntimeError('no key')"}, auth={"path": "./auth.py:auth"})
    for command in (["dev", "--no-reload"], ["serve", "--insecure-no-auth"]):
        done = longline(folder, *command, "--port", "0")
        assert done.returncode != 0
        assert "auth.path './auth.py:auth' cannot be loaded: RuntimeError: no key (./auth.py, line 6)" in done.stderr


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {"http": {"ap": "./app.py:app"}},
            ["protocol_langgraph.http.ap (did you mean app?); [protocol_langgraph.http] takes: app, enable_custom"],
        ),
        (
            {"http": {"cors": {"allow_origin": ["*"]}}},
            ["protocol_langgraph.http.cors.allow_origin (did you mean allow_origins?)", "takes: allow_origins"],
        ),
        ({"http": {"mount_prefix": "api"}}, ["protocol_langgraph.http.mount_prefix: a path such as /api is expected"]),
        ({"http": {"middleware_order": "first"}}, ["protocol_langgraph.http.middleware_order", "'auth_first'"]),
        ({"auth": {}}, ["protocol_langgraph.auth.path: Field required"]),
        ({"auth": {"path": "a:b", "cash": 1}}, ["protocol_langgraph.auth.cash (did you mean cache?)"]),
    ],
)
def test_a_bad_key_of_langgraph_json_is_named_with_the_file_and_the_accepted_ones(
    project: Project, keys: dict[str, object], told: list[str]
) -> None:
    folder = project({}, {}, **keys)
    (problem,) = problems(folder)
    for part in [*told, f'(set by "{next(iter(keys))}" in {folder / "langgraph.json"})']:
        assert part in problem


def test_keys_that_this_version_does_not_act_on_are_told(project: Project) -> None:
    folder = project({}, {}, ui={"agent": "./ui.tsx"}, priority={"path": "./p.py:p"})
    done = longline(folder, "check", "--port", "0")
    assert done.returncode == 0
    assert "this version does not act on: priority, ui" in done.stdout
