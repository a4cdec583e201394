"""Imports point one way, core stays bare, and nothing slow is imported before the server answers."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests.architecture.repository import (
    CORE,
    HOSTS,
    PLUGIN_FOLDERS,
    PLUGINS,
    PROJECT,
    ROOT,
    imports_of,
    name_of,
    run_at_import,
    tree_of,
)

TESTING = ROOT / "core" / "longline" / "testing"
BARE = [path for path in CORE if not path.is_relative_to(TESTING)]
ALLOWED_IN_CORE = {"longline", "pluggy", "pydantic", "pydantic_core", "orjson", "cryptography", "croniter"}
LANGGRAPH = {"langgraph", "langgraph_sdk", "langchain_core"}
SLOW = ("langgraph", "langchain", "langchain_core", "langchain_openai", "langgraph_sdk", "openai", "httpx", "tiktoken")
FIRST_PARTY = [f"longline_{folder.name}" for folder in PLUGIN_FOLDERS]


def test_the_contracts_on_imports_are_kept() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contracts_know_every_package() -> None:
    settings = PROJECT["tool"]["importlinter"]
    assert sorted(settings["root_packages"]) == sorted(["longline", "longline_hosts", *FIRST_PARTY])
    floors = next(contract for contract in settings["contracts"] if contract["id"] == "down")["layers"]
    assert floors[1].split(" | ") == FIRST_PARTY
    sockets = next(contract for contract in settings["contracts"] if contract["id"] == "sockets")
    assert sockets["source_modules"] == FIRST_PARTY


def test_core_imports_nothing_but_what_it_is_made_of() -> None:
    found = {
        (name_of(path), top)
        for path in BARE
        for module in imports_of(ast.walk(tree_of(path)))
        if (top := module.partition(".")[0]) not in {*ALLOWED_IN_CORE, *LANGGRAPH, *sys.stdlib_module_names}
    }
    assert found == set()


def test_only_the_contracts_import_pytest() -> None:
    found = [
        name_of(path)
        for path in (*BARE, *PLUGINS, *HOSTS)
        if {"pytest", "longline.testing"} & {*imports_of(ast.walk(tree_of(path)))}
    ]
    assert found == []


def test_no_module_of_core_imports_langgraph_when_it_is_imported() -> None:
    slow = {*LANGGRAPH, "langchain", "cryptography"}
    found = [
        (name_of(path), module)
        for path in BARE
        for module in imports_of(run_at_import(tree_of(path)))
        if module.partition(".")[0] in slow
    ]
    assert found == []


def test_putting_a_server_together_imports_nothing_slow() -> None:
    names = [folder.name for folder in PLUGIN_FOLDERS]
    script = f"""
import sys
import longline_hosts.cli, longline_hosts.dev, longline_hosts.production, longline_hosts.serve
from longline.runtime import Runtime
Runtime({names!r}, {{}})
print(*(name for name in {SLOW!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def _public_modules() -> list[str]:
    """What docs/hooks.md says that plugins may import."""
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8").partition("## What a plugin may import")[2]
    return re.findall(r"^\| `([a-z_.*]+)` \|", page, flags=re.MULTILINE)


def _is_public(module: str, public: list[str]) -> bool:
    return any(module == name or (name.endswith(".*") and (module + ".").startswith(name[:-1])) for name in public)


def test_first_party_plugins_import_of_core_what_any_plugin_may() -> None:
    public = [name for name in _public_modules() if not name.startswith("longline.testing")]
    found = [
        (name_of(path), module)
        for path in PLUGINS
        for module in imports_of(ast.walk(tree_of(path)))
        if module.partition(".")[0] == "longline" and not _is_public(module, public)
    ]
    assert found == []


def test_what_plugins_may_import_is_there_and_used_or_promised() -> None:
    public = _public_modules()
    assert len(public) > 20
    there = {
        name_of(path).removeprefix("core/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in CORE
    }
    assert [name for name in public if not any(_is_public(module, [name]) for module in there)] == []


def test_every_contract_of_the_page_is_there_and_takes_that_fixture() -> None:
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8").partition("## The contracts")[2]
    rows = re.findall(r"^\| .+ \| (.+) \| `(longline\.testing\.\w+)` \| `(\w+)` \|$", page, flags=re.MULTILINE)
    assert len(rows) > 10
    named = set()
    for classes, module, fixture in rows:
        for name in re.findall(r"`(\w+)`", classes):
            contract = getattr(__import__(module, fromlist=[name]), name)
            tests = [getattr(contract, test) for test in dir(contract) if test.startswith("test_")]
            assert tests, name
            assert any(fixture in test.__code__.co_varnames[: test.__code__.co_argcount] for test in tests), name
            named |= {base.__name__ for base in contract.__mro__}
    there = {
        node.name
        for path in CORE
        if path.is_relative_to(TESTING)
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Contract")
    }
    assert there - named == set()
