"""Who has which assistants as tools, and how they are found."""

from pathlib import Path

import pytest
from tests.plugins.protocol_mcp.assistant_calling import ANNA, BERT, Tools, open_tools, words
from tests.plugins.protocol_mcp.assistant_graphs import counting, parrot

from longline.auth.principal import LOCAL, Principal
from longline.errors import InvalidInputError
from longline.models.assistants import AssistantChange
from longline.services.assistants import NewAssistant
from longline.tools.tool import ToolHints
from longline_protocol_mcp import assistant_directory

pytestmark = pytest.mark.anyio


async def found(tools: Tools, name: str, principal: Principal = LOCAL) -> str | None:
    """The title of the tool that is found by this name."""
    tool = await tools.tools.find(principal, name)
    return None if tool is None else tool.title


async def test_graphs_are_tools_as_they_were_recorded(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"agent": parrot()}) as tools:
        (tool,) = await tools.tools.list(LOCAL)
        assert (tool.name, tool.title, tool.description) == ("agent", "agent", "Tool based on the agent assistant")
        assert tool.hints == ToolHints(read_only=False, destructive=False, idempotent=False, open_world=True)
        assert tool.output_schema is None


async def test_every_name_of_a_list_finds_its_assistant(tmp_path: Path) -> None:
    names = [
        "Rechts-Assistent", "Übersetzer", "Helper", "Helper", "Résumé", "Resume", "日本語", "日本語", "count", "100%",
        "a_b", "a b", "aXb",
    ]  # fmt: skip
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        ids = {await tools.add(name, "count"): name for name in names}
        listed = await tools.tools.list(LOCAL)
        again = type(tools.tools)(tools.server)  # another process: it remembers nothing
        for tool in listed:
            for directory in (tools.tools, again):
                other = await directory.find(LOCAL, tool.name)
                assert other is not None
                assert (other.name, other.title) == (tool.name, tool.title)
        assert len({tool.name for tool in listed}) == len(ids) + 1
        assert {"Rechts-Assistent", "Uebersetzer", "Helper", "Resume", "count", "a_b", "aXb"} <= {
            tool.name for tool in listed
        }


async def test_a_call_runs_the_assistant_of_its_name(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"count": counting(), "parrot": parrot()}) as tools:
        await tools.add("Zähler", "count", description="It counts.")
        tool = await tools.tools.find(LOCAL, "Zaehler")
        assert tool is not None
        assert tool.description == "It counts."
        assert words(await tools.call("Zaehler", {"x": 1})) == '{"x":2}'


async def test_everybody_sees_their_own_and_the_graphs(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        await tools.add("Helper", "count", ANNA)
        await tools.add("Helper", "count", BERT)
        await tools.add("Secret", "count", BERT)
        assert await tools.names(ANNA) == ["count", "Helper"]
        assert await tools.names(BERT) == ["count", "Helper", "Secret"]
        assert await found(tools, "Secret", BERT) == "Secret"
        assert await found(tools, "Secret", ANNA) is None
        bert_name = next(name for name in await tools.names(BERT) if name == "Helper")
        mine, theirs = await tools.tools.find(ANNA, bert_name), await tools.tools.find(BERT, bert_name)
        assert mine is not None
        assert theirs is not None
        assert mine.run != theirs.run


@pytest.mark.parametrize("name", ["nope", "", "x" * 500, "nope_0123abcd", "Helper\x00", "%", "Helper ", "helper"])
async def test_other_names_find_nothing(tmp_path: Path, name: str) -> None:
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        await tools.add("Helper", "count")
        await tools.add("日本語", "count")
        assert await found(tools, name) is None


async def test_what_is_renamed_or_deleted_is_not_found_under_its_old_name(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        one, two = await tools.add("One", "count"), await tools.add("Two", "count")
        assert await tools.names() == ["count", "One", "Two"]
        await tools.server.assistants.update(LOCAL, one, AssistantChange(name="Eins"))
        await tools.server.assistants.delete(LOCAL, two)
        assert [await found(tools, name) for name in ("One", "Two", "Eins")] == [None, None, "Eins"]


async def test_long_lists_come_in_pages_that_miss_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assistant_directory, "PAGE", 3)
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        gone = [await tools.add(f"n{number}", "count") for number in range(7)]
        first = await tools.tools.page(LOCAL)
        assert [tool.name for tool in first.tools] == ["count", "n0", "n1"]
        await tools.server.assistants.delete(LOCAL, gone[0])  # what was shown goes: nobody moves up
        second = await tools.tools.page(LOCAL, first.cursor)
        third = await tools.tools.page(LOCAL, second.cursor)
        assert [tool.name for tool in (*second.tools, *third.tools)] == ["n2", "n3", "n4", "n5", "n6"]
        assert third.cursor is None
        assert len(await tools.tools.list(LOCAL)) == 7


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "eA=="])
async def test_a_cursor_of_somebody_elses_is_refused(tmp_path: Path, cursor: str) -> None:
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        with pytest.raises(InvalidInputError, match="unknown cursor"):
            await tools.tools.page(LOCAL, cursor)


async def test_among_thousands_one_is_found_without_looking_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        for number in range(40):
            await tools.add(f"Some {number}", "count")
        for name in ("Helper", "Research Agent", "Übersetzer"):
            await tools.add(name, "count")
        looked: list[int] = []
        search = tools.server.assistants.search

        async def counted(*args: object) -> object:
            page = await search(*args)  # type: ignore[arg-type]  # as it was called
            looked.append(len(page.items))
            return page

        monkeypatch.setattr(tools.server.assistants, "search", counted)
        for name in ("Helper", "Research_Agent", "Uebersetzer"):
            looked.clear()
            assert await found(tools, name) is not None
            assert sum(looked) == 1
            assert await found(tools, name) is not None
            assert sum(looked) == 1


async def test_an_assistant_whose_graph_is_gone_is_no_tool(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"count": counting(), "old": counting()}) as tools:
        await tools.server.assistants.create(LOCAL, NewAssistant(graph_id="old", name="Old"))
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        assert await tools.names() == ["count"]
        assert await found(tools, "Old") is None
