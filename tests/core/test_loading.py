"""A reference becomes the object it names, under its module's usual name; what goes wrong is told with its place."""

import pickle
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import ModuleType

import pytest

from longline.errors import GraphLoadError
from longline.graphs.loading import describe_cause, extend_path, load_reference, place_of


@pytest.fixture(autouse=True)
def _clean_path() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def failure(reference: str, base: Path) -> GraphLoadError:
    with pytest.raises(GraphLoadError) as caught:
        load_reference("g", reference, base)
    assert caught.value.graph_id == "g"
    return caught.value


# -- references -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["./g.py:graph", "g.py:graph", "sub/../g.py:graph", "{base}/g.py:graph"])
def test_a_file_is_named_relative_to_the_base_or_absolutely(tmp_path: Path, reference: str) -> None:
    write(tmp_path, g="graph = 'here'")
    (tmp_path / "sub").mkdir()
    assert load_reference("g", reference.format(base=tmp_path), tmp_path) == "here"


def test_a_module_is_named_by_its_dotted_name(tmp_path: Path) -> None:
    write(tmp_path, pondpkg____init__="", pondpkg__fish="graph = 'trout'")
    (tmp_path / "pondpkg").mkdir(exist_ok=True)
    (tmp_path / "pondpkg/__init__.py").touch()
    extend_path([tmp_path])
    assert load_reference("g", "pondpkg.fish:graph", tmp_path) == "trout"


def test_an_attribute_may_be_below_another(tmp_path: Path) -> None:
    write(tmp_path, g="class holder:\n    class inner:\n        graph = 'deep'")
    assert load_reference("g", "./g.py:holder.inner.graph", tmp_path) == "deep"


def test_two_references_to_one_file_import_it_once(tmp_path: Path) -> None:
    write(tmp_path, g="a = object()\nb = a")
    assert load_reference("g", "./g.py:a", tmp_path) is load_reference("h", "g.py:b", tmp_path)


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    write(tmp_path, one__g="graph = 1", two__g="graph = 2")
    assert load_reference("a", "./one/g.py:graph", tmp_path) == 1
    assert load_reference("b", "./two/g.py:graph", tmp_path) == 2


# -- names ----------------------------------------------------------------------------------------------------------


def test_a_file_on_the_path_gets_the_name_under_which_others_import_it(tmp_path: Path) -> None:
    write(
        tmp_path, pondmod__types_of="class Fish:\n    pass\n", pondgraph="import pondmod.types_of as t\nFish = t.Fish"
    )
    extend_path([tmp_path])
    by_file = load_reference("g", "./pondmod/types_of.py:Fish", tmp_path)
    assert by_file is load_reference("h", "./pondgraph.py:Fish", tmp_path)
    assert isinstance(by_file, type)
    assert by_file.__module__ == "pondmod.types_of"


def test_types_of_a_file_can_be_found_again_by_name(tmp_path: Path) -> None:
    write(tmp_path, lonely_graph="class Fish:\n    pass\n")
    found = load_reference("g", "./lonely_graph.py:Fish", tmp_path)
    assert isinstance(found, type)
    assert type(pickle.loads(pickle.dumps(found()))) is found


def test_relative_imports_work_in_a_package_on_the_path(tmp_path: Path) -> None:
    write(tmp_path, lakepkg__words="word = 'from beside'", lakepkg__graph="from .words import word as graph")
    (tmp_path / "lakepkg/__init__.py").touch()
    extend_path([tmp_path])
    assert load_reference("g", "./lakepkg/graph.py:graph", tmp_path) == "from beside"


def test_a_file_never_takes_the_place_of_a_module_of_its_name(tmp_path: Path) -> None:
    write(tmp_path, json="graph = 'not the real json'")
    import json as real

    assert load_reference("g", "./json.py:graph", tmp_path) == "not the real json"
    assert sys.modules["json"] is real


def test_the_path_is_extended_in_front_without_doubles(tmp_path: Path) -> None:
    before = list(sys.path)
    one, two = tmp_path / "one", tmp_path / "two"
    extend_path([one, two])
    extend_path([two, one])
    assert sys.path == [str(one), str(two), *before]


@pytest.mark.parametrize("is_on_path", [False, True])
def test_a_file_that_another_thread_still_imports_is_waited_for(tmp_path: Path, is_on_path: bool) -> None:
    gate = ModuleType("gate_of_test")
    gate.begun, gate.go = threading.Event(), threading.Event()  # type: ignore[attr-defined]
    sys.modules["gate_of_test"] = gate
    write(tmp_path, slow_file="import gate_of_test as g\nfirst = 1\ng.begun.set()\nassert g.go.wait(20)\nlate = 2")
    if is_on_path:
        extend_path([tmp_path])
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(load_reference, "a", "./slow_file.py:first", tmp_path)
        assert gate.begun.wait(20)
        two = threads.submit(load_reference, "b", "./slow_file.py:late", tmp_path)
        wait([two], timeout=0.1)  # long enough for one that does not wait to fail
        gate.go.set()
        assert (one.result(20), two.result(20)) == (1, 2)


# -- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["g.py", "", "g.py:", ":graph"])
def test_what_is_no_reference_is_refused_with_the_right_form(tmp_path: Path, reference: str) -> None:
    write(tmp_path, g="graph = 1")
    assert failure(reference, tmp_path).cause


def test_a_missing_file_is_named_with_its_whole_path(tmp_path: Path) -> None:
    error = failure("./nowhere.py:graph", tmp_path)
    assert error.cause == "there is no such file"
    assert str(tmp_path) in error.place
    assert "nowhere.py" in error.place


def test_a_missing_attribute_is_named_with_its_file(tmp_path: Path) -> None:
    write(tmp_path, g="graph = 1")
    error = failure("./g.py:grahp.inner", tmp_path)
    assert error.cause == "it has no attribute 'grahp.inner'"
    assert error.place == str(tmp_path / "g.py")


@pytest.mark.parametrize(
    ("text", "cause", "place"),
    [
        ("x = 1\ndef f(:\n", "SyntaxError: invalid syntax", "./g.py, line 2"),
        ("x = 1\n\nraise ValueError('first\\nsecond')", "ValueError: first", "./g.py, line 3"),
        ("import sys\nsys.exit('bye')", "SystemExit: bye", "./g.py, line 2"),
        ("def f():\n    1 / 0\nf()", "ZeroDivisionError: division by zero", "./g.py, line 2"),
        ("import helper_of_g", "ValueError: deep", "./helper_of_g.py, line 2"),
        ("open('gone.txt')", "FileNotFoundError", "./g.py, line 1"),
    ],
)
def test_a_file_that_fails_is_told_by_the_line_that_did_it(tmp_path: Path, text: str, cause: str, place: str) -> None:
    write(tmp_path, g=text, helper_of_g="x = 1\nraise ValueError('deep')")
    extend_path([tmp_path])
    error = failure("./g.py:graph", tmp_path)
    assert error.cause.startswith(cause)
    assert error.place == place
    assert str(error) == f"graph 'g' cannot be loaded: {error.cause} ({error.place})"


def test_the_line_is_the_user_s_even_where_a_library_raises(tmp_path: Path) -> None:
    write(tmp_path, g="import json\n\njson.loads('{')")
    assert failure("./g.py:graph", tmp_path).place == "./g.py, line 3"


def test_a_file_that_failed_can_be_mended_and_loaded(tmp_path: Path) -> None:
    write(tmp_path, g="raise ValueError")
    failure("./g.py:graph", tmp_path)
    write(tmp_path, g="graph = 'mended now'")
    assert load_reference("g", "./g.py:graph", tmp_path) == "mended now"


def test_what_is_no_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "agent.ts").write_text("export const graph = 1;")
    assert "is not a Python file" in failure("./agent.ts:graph", tmp_path).cause


def test_a_keyboard_interrupt_is_not_a_failure_of_the_graph(tmp_path: Path) -> None:
    write(tmp_path, g="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_reference("g", "./g.py:graph", tmp_path)


def test_a_cause_is_one_short_line() -> None:
    assert describe_cause(ValueError("first\nsecond")) == "ValueError: first"
    assert describe_cause(ValueError()) == "ValueError"
    assert len(describe_cause(ValueError("x" * 5000))) < 400


def test_an_error_without_a_frame_has_no_place() -> None:
    assert place_of(ValueError("never raised")) == "unknown place"
