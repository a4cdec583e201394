"""Tools that misbehave, and arguments that are made to take long: the server and the session go on."""

import asyncio

import pytest
from tests.plugins.protocol_mcp.raw import Raw, call, messages, request, result

from longline_protocol_mcp.validators import validator_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.mark.parametrize("name", ["no_number", "very_deep", "no_address", "leaves", "cancels_itself", "secretive"])
@pytest.mark.parametrize("in_session", [True, False])
async def test_a_tool_that_fails_tells_only_the_class_of_its_error(
    raw: Raw, session: str, name: str, in_session: bool
) -> None:
    answer = await asyncio.wait_for(raw.post(call(name), session if in_session else None), 20)
    told = result(answer)
    assert told["isError"] is True
    assert told["content"][0]["text"].startswith("the tool failed: ")
    assert "hunter2" not in answer.text
    assert result(await raw.post(request("ping"), session)) == {}


@pytest.mark.parametrize("in_session", [True, False])
async def test_a_text_that_is_no_unicode_does_not_end_the_session(raw: Raw, session: str, in_session: bool) -> None:
    answer = await asyncio.wait_for(raw.post(call("half_a_character"), session if in_session else None), 20)
    *logged, last = messages(answer)
    assert [one["params"]["data"] for one in logged] == ["a log with ?"]
    assert last["result"]["structuredContent"] == {"text": "half of ?"}
    assert result(await raw.post(request("ping"), session)) == {}


async def test_items_that_must_be_unique_do_not_hold_the_server_up(raw: Raw, session: str) -> None:
    """Compared each with each they would take minutes."""
    items = [{"n": number} for number in range(20_000)]
    answer = await raw.post(call("counts_unique", {"items": items}), session)
    assert result(answer)["content"][0]["text"] == "20000"
    answer = await raw.post(call("counts_unique", {"items": [*items, {"n": 5.0}]}), session)
    assert result(answer)["isError"] is True
    assert "not unique" in result(answer)["content"][0]["text"]


@pytest.mark.parametrize(
    ("items", "fits"),
    [
        ([1, 2, 3], True),
        ([1, 1.0], False),
        ([1, True, "1", None], True),
        ([0, False], True),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], False),
        ([[1], [1.0]], False),
        ([[1], [[1]]], True),
        ([2**53, 2.0**53], False),
        ("aa", True),
    ],
)
def test_what_is_unique_is_what_a_schema_means(items: object, fits: bool) -> None:
    assert validator_of({"uniqueItems": True}).is_valid(items) is fits


def test_other_dialects_are_known() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}], "uniqueItems": True}
    assert validator_of(schema).is_valid(["a", 1])
    assert not validator_of(schema).is_valid([1])
