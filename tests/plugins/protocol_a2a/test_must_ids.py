"""Every MUST requirement of the conformance suite has a test of ours, or a reason why not."""

import ast
import re
from pathlib import Path

_FOLDER = Path(__file__).parent
_ID = re.compile(r"\b[A-Z][A-Z0-9_]*(?:-[A-Z]+)+-\d{3}[a-z]?\b")


def _listed() -> dict[str, str]:
    lines = (_FOLDER / "must_ids.txt").read_text().splitlines()
    pairs = (line.partition(":") for line in lines if line and not line.startswith("#"))
    return {requirement: reason.strip() for requirement, _, reason in pairs}


def _tested() -> set[str]:
    """What the docstrings of the tests name."""
    functions = (
        node
        for path in _FOLDER.glob("test_must_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )
    return {found for node in functions for found in _ID.findall(ast.get_docstring(node) or "")}


def test_the_list_is_the_suites() -> None:
    assert len(_listed()) == 114


def test_every_requirement_is_tested_or_says_why_not() -> None:
    tested, listed = _tested(), _listed()
    assert [each for each, reason in listed.items() if not reason and each not in tested] == []
    assert [each for each, reason in listed.items() if reason and each in tested] == []
