"""What graphs ask in the middle of a call."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.plugins.protocol_mcp.assistant_calling import Heard, open_tools
from tests.plugins.protocol_mcp.assistant_graphs import asking

from longline.tools.caller import Answer

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    """What a form asks for."""

    size: int
    color: str


class Nested(BaseModel):
    """More than a form can ask for."""

    orders: list[Order]


def given(content: dict[str, Any]) -> Heard:
    """A caller that fills in every form like this."""
    return Heard(Answer(action="accept", content=content))


async def test_a_graph_that_says_what_it_wants_gets_a_form_for_it(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"ask": asking("Which one?", schema=Order)}) as tools:
        caller = given({"size": 5, "color": "red"})
        result = await tools.call("ask", {}, caller=caller)
        ((question, schema),) = caller.asked
        assert question == "Which one?"
        assert list(schema["properties"]) == ["size", "color"]  # type: ignore[arg-type]  # an object
        assert (result.structured or {})["answers"] == [{"size": 5, "color": "red"}]


@pytest.mark.parametrize(("schema", "answer"), [({"type": "boolean"}, True), ({"type": "string", "enum": ["a"]}, "a")])
async def test_a_single_value_is_asked_for_in_a_form_of_one_field(tmp_path: Path, schema: Any, answer: object) -> None:
    async with open_tools(tmp_path, {"ask": asking("Well?", schema=schema)}) as tools:
        caller = given({"answer": answer})
        result = await tools.call("ask", {}, caller=caller)
        ((_, asked),) = caller.asked
        assert asked["required"] == ["answer"]
        assert asked["properties"] == {"answer": {"title": "Answer", **schema}}
        assert (result.structured or {})["answers"] == [answer]


async def test_what_no_form_can_hold_is_left_to_the_model_with_its_schema(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"ask": asking("Which ones?", schema=Nested)}) as tools:
        caller = given({"answer": "x"})
        first: Any = (await tools.call("ask", {}, caller=caller)).structured
        assert caller.asked == []
        (question,) = first["interrupts"]
        assert question["response_schema"]["title"] == "Nested"
        orders = {"orders": [{"size": 1, "color": "blue"}]}
        again: Any = (await tools.call("ask", {"thread_id": first["thread_id"], "resume": orders})).structured
        assert again["answers"] == [orders]
