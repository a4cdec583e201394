"""The tools of a server, by name."""

import pytest
from tests.core.test_contracts import SHOUT

from longline.errors import NotFoundError
from longline.tools.tool import Tool, ToolRegistry


def test_tools_are_found_by_name_and_listed() -> None:
    known = ToolRegistry({"shout": SHOUT})
    assert known.get("shout") is SHOUT
    assert list(known) == [SHOUT]
    with pytest.raises(NotFoundError, match="no tool with id 'whisper'"):
        known.get("whisper")


def test_a_registry_is_not_changed_by_who_made_it() -> None:
    tools: dict[str, Tool] = {"shout": SHOUT}
    known = ToolRegistry(tools)
    tools.clear()
    assert list(known) == [SHOUT]
