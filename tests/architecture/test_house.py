"""The rules of the house that no other tool checks."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.architecture.repository import (
    CORE,
    HOSTS,
    PLUGIN_FOLDERS,
    PLUGINS,
    PROJECT,
    ROOT,
    name_of,
    repository_files,
    tree_of,
)

MOST_LINES = 300
TESTS = sorted((ROOT / "tests").rglob("*.py"))
ONE_MODULE = {"core/longline/errors.py"}  # all errors stand in one tree, in one module


def nodes(paths: Iterable[Path]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of these files, with its place."""
    for path in paths:
        for node in ast.walk(tree_of(path)):
            yield f"{name_of(path)}:{getattr(node, 'lineno', 0)}", node


def calls(paths: Iterable[Path]) -> Iterator[tuple[str, ast.Call]]:
    """Every call in these files, with its place."""
    return ((place, node) for place, node in nodes(paths) if isinstance(node, ast.Call))


def test_no_module_is_so_long_that_nobody_reads_it() -> None:
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in (*CORE, *PLUGINS, *HOSTS, *TESTS)
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES and name not in ONE_MODULE} == {}


def test_core_and_plugins_do_not_print() -> None:
    assert [place for place, node in calls((*CORE, *PLUGINS)) if ast.unparse(node.func) == "print"] == []


def test_core_and_plugins_do_not_read_the_environment() -> None:
    words = {"environ", "getenv", "putenv", "environb", "getenvb"}
    found = [
        place
        for place, node in nodes((*CORE, *PLUGINS))
        if (isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os" and node.attr in words)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and words & {item.name for item in node.names})
    ]
    assert found == []


def test_every_logger_has_the_name_of_its_module_and_only_hosts_configure_them() -> None:
    loggers = [
        place
        for place, node in calls((*CORE, *PLUGINS))
        if ast.unparse(node.func).endswith("getLogger") and ast.unparse(node) != "logging.getLogger(__name__)"
    ]
    configured = [
        place
        for place, node in calls((*CORE, *PLUGINS))
        if ast.unparse(node.func) in ("logging.basicConfig", "logging.config.dictConfig", "dictConfig")
    ]
    assert loggers + configured == []


def test_no_task_is_left_for_later_in_a_comment() -> None:
    left = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    assert [name_of(path) for path in (*CORE, *PLUGINS, *HOSTS) if left.search(path.read_text(encoding="utf-8"))] == []


def test_an_init_holds_re_exports_or_hooks_and_nothing_else() -> None:
    def is_fit(node: ast.stmt) -> bool:
        return (
            isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.FunctionDef) and "hookimpl" in map(ast.unparse, node.decorator_list))
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        )

    testing = ROOT / "core" / "longline" / "testing"  # its assertions are rewritten from there
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in (*PLUGINS, *HOSTS, *CORE)
        if path.name == "__init__.py" and path.parent != testing
        for node in tree_of(path).body
        if not is_fit(node)
    ]
    assert found == []


@pytest.mark.parametrize("folder", PLUGIN_FOLDERS, ids=lambda folder: folder.name)
def test_every_plugin_has_a_page_an_extra_and_an_entry_point(folder: Path) -> None:
    package = f"longline_{folder.name}"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert len(readme.split()) > 50
    assert (folder / package / "__init__.py").is_file()
    assert folder.name in PROJECT["project"]["optional-dependencies"]
    assert PROJECT["project"]["entry-points"]["longline"][folder.name] == package
    assert f"plugins/{folder.name}/{package}" in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert f"plugins/{folder.name}" in PROJECT["tool"]["mypy"]["mypy_path"]
    assert f"plugins/{folder.name}" in PROJECT["tool"]["ruff"]["src"]


def test_every_extra_and_entry_point_is_a_plugin_of_this_repository() -> None:
    names = {folder.name for folder in PLUGIN_FOLDERS}
    assert set(PROJECT["project"]["optional-dependencies"]) == names
    assert set(PROJECT["project"]["entry-points"]["longline"]) == names


def test_what_an_extra_asks_for_has_the_same_bounds_everywhere() -> None:
    asked: dict[str, set[str]] = {}
    lists = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    for requirement in (item for wanted in lists for item in wanted):
        asked.setdefault(re.split(r"[<>=!;\[ ]", requirement)[0], set()).add(requirement)
    assert {name: bounds for name, bounds in asked.items() if len(bounds) > 1} == {}


# Spelt in parts, so that this file names none of them.
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("yarnpkg", "com"))
]
ARTEFACT = re.compile(r"https?://[^ \"]*(/simple(/|\"|$)|\.whl|\.tar\.gz|/-/[^ \"]*\.tgz)")


def test_nothing_in_the_repository_names_a_package_registry_or_this_machine() -> None:
    here = [f"{ROOT}/", f"{Path.home()}/"]
    found = []
    for path in repository_files():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [(name_of(path), word) for word in (*REGISTRIES, *here) if word in text and len(word) > 2]
        found += [(name_of(path), hit[0]) for hit in ARTEFACT.finditer(text)]
    assert found == []


def test_no_lock_file_environment_or_database_is_in_the_repository() -> None:
    names = {path.name for path in repository_files()}
    assert not names & {"uv.lock", "package-lock.json", "poetry.lock", ".env", "longline.db"}
    assert [path for path in repository_files() if path.suffix in (".db", ".sqlite", ".pyc", ".whl", ".pem")] == []
