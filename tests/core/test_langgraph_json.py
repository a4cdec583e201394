"""A langgraph.json is read as its own tools read it; a slip in it is told with its place and what is expected."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.defaults.langgraph_json import (
    LangGraphJson,
    LangGraphJsonSettings,
    graph_definitions,
    read_langgraph_json,
)
from longline.errors import GraphLoadError, SettingsError
from longline.plugin_host import PluginHost
from longline.settings import CORE_SECTIONS, parse_settings
from longline.tools.tool import ToolRegistry

GRAPHS = {"agent": "./graph.py:graph"}


@pytest.fixture(autouse=True)
def _clean_path() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, document: object) -> Path:
    path = folder / "langgraph.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def read(folder: Path, **keys: object) -> LangGraphJson:
    return read_langgraph_json(write(folder, {"graphs": GRAPHS, **keys}))


def fault(folder: Path, document: object) -> str:
    path = write(folder, document)
    with pytest.raises(SettingsError) as caught:
        read_langgraph_json(path)
    assert str(caught.value).startswith(f"{path}")
    return str(caught.value)


# -- graphs ---------------------------------------------------------------------------------------------------------


def test_a_graph_is_a_reference_or_an_object_with_a_description(tmp_path: Path) -> None:
    path = write(tmp_path, {"graphs": {"a": "./a.py:graph", "b": {"path": "pkg.b:make", "description": "tells"}}})
    first, second = graph_definitions(LangGraphJsonSettings(file=str(path)))
    assert (first.graph_id, first.origin, first.description) == ("a", "./a.py:graph", None)
    assert (second.graph_id, second.origin, second.description) == ("b", "pkg.b:make", "tells")


def test_without_a_file_there_are_no_graphs() -> None:
    assert graph_definitions(LangGraphJsonSettings()) == ()


def test_the_hook_offers_the_graphs_of_the_configured_file(tmp_path: Path) -> None:
    path = write(tmp_path, {"graphs": GRAPHS})
    host = PluginHost([])
    settings = parse_settings({"langgraph": {"file": str(path)}}, [*CORE_SECTIONS, *host.settings_sections()])
    assert list(host.graph_definitions(settings, ToolRegistry({}))) == ["agent"]


def test_nothing_is_imported_before_a_graph_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "graph.py").write_text("raise ValueError('loaded')")
    before = list(sys.path)
    (definition,) = graph_definitions(LangGraphJsonSettings(file=str(write(tmp_path, {"graphs": GRAPHS}))))
    assert sys.path == before
    with pytest.raises(GraphLoadError, match="ValueError: loaded"):
        definition.load()


def test_a_graph_imports_from_the_file_s_folder_its_dependencies_and_their_src(tmp_path: Path) -> None:
    for name, value in {"helper.py": 1, "deps/dep.py": 2, "src/srcdep.py": 3}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"value = {value}")
    (tmp_path / "graph.py").write_text("import helper, dep, srcdep\ngraph = helper.value, dep.value, srcdep.value")
    path = write(tmp_path, {"graphs": GRAPHS, "dependencies": ["./deps", "."]})
    (definition,) = graph_definitions(LangGraphJsonSettings(file=str(path)))
    assert definition.load() == (1, 2, 3)


# -- dependencies ---------------------------------------------------------------------------------------------------


def test_folders_are_importable_in_their_order_and_the_file_s_own_comes_last(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two/src").mkdir(parents=True)
    file = read(tmp_path, dependencies=["./two", "one"])
    assert file.folders == (tmp_path / "two/src", tmp_path / "two", tmp_path / "one", tmp_path)


def test_a_src_that_is_itself_a_package_is_not_put_on_the_path(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/__init__.py").touch()
    assert read(tmp_path, dependencies=["."]).folders == (tmp_path,)


@pytest.mark.parametrize("name", ["pydantic", "pydantic>=2", "pydantic[email]", "PyDantic == 2.*"])
def test_an_installed_package_needs_nothing(tmp_path: Path, name: str) -> None:
    file = read(tmp_path, dependencies=[name])
    assert file.missing == ()
    assert file.folders == (tmp_path,)


@pytest.mark.parametrize("name", ["./nowhere", "no-such-package-here", "../nowhere/at/all", "@", "/nowhere"])
def test_what_is_neither_a_folder_nor_a_package_is_reported_and_stops_nothing(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, {"graphs": GRAPHS, "dependencies": [name]})
    assert read_langgraph_json(path).missing == (name,)
    with caplog.at_level(logging.WARNING):
        assert len(graph_definitions(LangGraphJsonSettings(file=str(path)))) == 1
    (line,) = caplog.records
    assert (line.message, line.__dict__["dependency"]) == ("dependency not found", name)


# -- env ------------------------------------------------------------------------------------------------------------


def test_env_is_a_file_or_the_variables_themselves(tmp_path: Path) -> None:
    assert read(tmp_path).env == {}
    assert read(tmp_path, env=".env").env == ".env"
    assert read(tmp_path, env={"A": "x", "B": 1, "C": True, "D": 1.5}).env == {
        "A": "x",
        "B": "1",
        "C": "true",
        "D": "1.5",
    }


def test_reading_leaves_the_environment_alone_and_a_repr_shows_no_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_SECRET", raising=False)
    file = read(tmp_path, env={"A_SECRET": "hidden-value"})
    import os

    assert "A_SECRET" not in os.environ
    assert "hidden-value" not in repr(file)


# -- what is not acted on -------------------------------------------------------------------------------------------


def test_keys_that_nobody_acts_on_are_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = {"http": {}, "store": {}, "checkpointer": {}, "webhooks": {}, "ui": {}, "encryption": {}, "auth": {}, "x": 1}
    path = write(tmp_path, {"graphs": GRAPHS, **keys})
    with caplog.at_level(logging.WARNING):
        graph_definitions(LangGraphJsonSettings(file=str(path)))
    (record,) = caplog.records
    assert record.message == "langgraph.json used in part"
    assert record.__dict__["not_acted_on"] == "ui, x"


def test_what_it_says_about_the_server_is_kept_as_it_is_written(tmp_path: Path) -> None:
    file = read_langgraph_json(write(tmp_path, {"graphs": GRAPHS, "http": {"app": "./app.py:app"}, "store": {}}))
    assert file.sections == {"http": {"app": "./app.py:app"}, "store": {}}


def test_what_it_says_about_the_server_must_be_objects(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'"auth" must be an object; got the text "x"'):
        read_langgraph_json(write(tmp_path, {"graphs": GRAPHS, "auth": "x"}))


def test_keys_about_images_say_nothing_to_a_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = {
        "python_version": "3.12",
        "dockerfile_lines": [],
        "pip_config_file": "x",
        "node_version": "20",
        "$schema": "y",
    }
    path = write(tmp_path, {"graphs": GRAPHS, **keys})
    with caplog.at_level(logging.WARNING):
        graph_definitions(LangGraphJsonSettings(file=str(path)))
    assert caplog.records == []


# -- slips ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"graphs": {},}', "line 1, column 15"),
        ('{\n  "graphs": {\n    "a": nope\n  }\n}', "line 3, column 10"),
        ("", "line 1, column 1"),
        ("// no comments\n{}", "line 1, column 1"),
    ],
)
def test_what_is_no_json_is_told_with_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    found = fault(tmp_path, text)
    assert f", {place}: " in found
    assert 'e.g. {"graphs": {"agent": "./graph.py:graph"}}' in found


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "an object is expected"),
        ({}, '"graphs" must be an object of graph id and reference'),
        ({"graphs": ["a"]}, '"graphs" must be an object'),
        ({"graphs": {"a": 3}}, 'graphs.a must be "path/to/file.py:name"'),
        ({"graphs": {"a": "./a.py"}}, "graphs.a must be"),
        ({"graphs": {"a": ":x"}}, "graphs.a must be"),
        ({"graphs": {"a": {"description": "x"}}}, "graphs.a must be"),
        ({"graphs": {"a": {"path": "./a.py:x", "description": 3}}}, "graphs.a must be"),
        ({"graphs": {"": "./a.py:x"}}, "an empty graph id"),
        ({"graphs": {}, "dependencies": "."}, '"dependencies" must be a list'),
        ({"graphs": {}, "dependencies": [3]}, '"dependencies" must be a list'),
        ({"graphs": {}, "env": ["A"]}, '"env" must be a file'),
        ({"graphs": {}, "env": {"A": None}}, '"env" must be a file'),
    ],
)
def test_what_has_the_wrong_form_is_told_with_the_right_one(tmp_path: Path, document: object, words: str) -> None:
    assert words in fault(tmp_path, document)


def test_all_slips_are_told_at_once(tmp_path: Path) -> None:
    found = fault(tmp_path, {"graphs": {"a": 1, "b": 2}, "dependencies": 3, "env": 4})
    assert len(found.splitlines()) == 4


def test_a_missing_file_and_one_that_is_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.json: No such file"):
        read_langgraph_json(tmp_path / "nowhere.json")
    (tmp_path / "bytes.json").write_bytes(b'{"graphs": "\xff"}')
    with pytest.raises(SettingsError, match=r"bytes\.json, byte 12: it is not UTF-8 text"):
        read_langgraph_json(tmp_path / "bytes.json")


def test_a_file_that_is_nested_without_end_is_told(tmp_path: Path) -> None:
    assert "nested too deeply" in fault(tmp_path, "[" * 200_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


@given(graphs=json_values, dependencies=json_values, env=json_values)
def test_any_json_is_read_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, graphs: object, dependencies: object, env: object
) -> None:
    path = write(tmp_path_factory.getbasetemp(), {"graphs": graphs, "dependencies": dependencies, "env": env})
    told: tuple[str, ...] = ()
    file = None
    try:
        file = read_langgraph_json(path)
    except SettingsError as error:
        told = error.faults
    assert all(line.startswith(str(path)) for line in told)
    assert bool(told) is (file is None)
    if file is not None:
        assert isinstance(graphs, dict)
        assert set(file.graphs) == set(graphs)
