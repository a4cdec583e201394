"""docs/deploy.md names files, variables and flags that there are."""

import re
import shlex

from tests.deploy.facts import DEPLOY, ROOT, check_arguments, unknown_variables

PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")


def test_files_of_the_table_are_there() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE.partition("`longline serve` does not start")[0], flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 7
    assert [name for name in named if not (DEPLOY / name).exists()] == []


def test_variables_are_those_of_the_server() -> None:
    names = set(re.findall(r"\b(?:LONGLINE|DATABASE|OPENAI)_[A-Z0-9_]+\b", PAGE))
    assert "DATABASE_DIRECT_URL" in names
    assert unknown_variables(names) == set()


def test_commands_and_their_flags_are_those_of_longline() -> None:
    commands = re.findall(r"(?:longline|docker run(?: --rm)? agents:1) ((?:serve|migrate|check)[^`\n]*)", PAGE)
    assert len(commands) > 2
    for command in commands:
        check_arguments([word for word in shlex.split(command) if word.startswith(("-", "serve", "migrate", "check"))])
