"""What assistants' tools say that they take."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel
from tests.plugins.protocol_mcp.assistant_calling import open_tools, words
from tests.plugins.protocol_mcp.assistant_graphs import counting, parrot
from typing_extensions import TypedDict

from longline.auth.principal import LOCAL
from longline.errors import InvalidInputError
from longline.graphs.definition import GraphDefinition
from longline_protocol_mcp.assistant_schemas import input_shape

OURS = ["thread_id", "resume"]


class Leaf(BaseModel):
    """Something inside."""

    value: int
    more: "list[Leaf]" = []


class Nested(TypedDict, total=False):
    """Something with something inside."""

    leaf: Leaf
    thread_id: int


class Conversation(MessagesState):
    """A chat about something."""

    leaf: Leaf


@dataclass
class Words:
    """Texts that are no chat."""

    messages: list[str]


def echoing(state: Any) -> Any:
    """It leaves its input as it is."""
    builder = StateGraph(state)
    builder.add_node("echo", lambda _: {})
    builder.add_edge(START, "echo")
    return builder.compile()


def test_a_chat_is_told_as_one_text_without_what_messages_are() -> None:
    shape = input_shape(parrot().get_input_jsonschema())  # type: ignore[attr-defined]  # a graph
    assert shape.kind == "chat"
    assert shape.schema["title"] == "MessagesState"
    assert shape.schema["required"] == ["messages"]
    assert "$defs" not in shape.schema
    properties = shape.schema["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == ["messages", "message", *OURS]
    assert properties["messages"] == {
        "type": "string",
        "title": "Messages",
        "description": "The user message to send to the agent.",
    }


def test_what_a_chat_takes_beside_its_messages_stays_with_its_definitions() -> None:
    shape = input_shape(echoing(Conversation).get_input_jsonschema())
    assert shape.kind == "chat"
    assert list(shape.schema["$defs"]) == ["Leaf"]  # type: ignore[arg-type]  # an object
    assert shape.schema["required"] == ["messages", "leaf"]
    assert shape.read({"messages": "x", "leaf": {"value": 1}}).input == {
        "messages": [{"role": "user", "content": "x"}],
        "leaf": {"value": 1},
    }
    with pytest.raises(InvalidInputError, match="'leaf' is a required property"):
        shape.read({"messages": "x"})
    assert shape.read({"resume": 1}).resume == (1,)


def test_a_name_that_the_graph_has_itself_is_the_graphs() -> None:
    shape = input_shape(echoing(Nested).get_input_jsonschema())
    assert shape.ours == {"resume"}
    asked = shape.read({"thread_id": 5, "leaf": {"value": 1, "more": [{"value": 2}]}})
    assert asked.thread_id is None
    assert asked.input == {"thread_id": 5, "leaf": {"value": 1, "more": [{"value": 2}]}}
    with pytest.raises(InvalidInputError, match=r"leaf\.more\.0\.value: 'x' is not of type 'integer'"):
        shape.read({"leaf": {"value": 1, "more": [{"value": "x"}]}})


def test_a_list_of_texts_is_no_chat() -> None:
    assert input_shape(echoing(Words).get_input_jsonschema()).kind == "object"


def test_a_class_that_holds_itself_is_an_object_too() -> None:
    shape = input_shape(Leaf.model_json_schema())
    assert shape.schema["type"] == "object"
    with pytest.raises(InvalidInputError, match=r"more\.0: 'value' is a required property"):
        shape.read({"value": 1, "more": [{}]})


@pytest.mark.parametrize(
    "schema", [{"type": "array", "items": {"$ref": "#/$defs/N"}, "$defs": {"N": {"type": "number"}}}]
)
def test_an_input_that_is_no_object_is_put_into_one(schema: dict[str, Any]) -> None:
    shape = input_shape(schema)
    assert shape.schema["type"] == "object"
    assert shape.read({"input": [1, 2.5]}).input == [1, 2.5]
    for wrong in ({}, {"input": 1}, {"input": ["x"]}):
        with pytest.raises(InvalidInputError):
            shape.read(wrong)


def test_nothing_is_fetched_for_a_schema_and_any_arguments_do_then() -> None:
    shape = input_shape({"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:1/x.json"}}})
    assert shape.read({"x": 1}).input == {"x": 1}


async def moody(config: dict[str, Any]) -> Any:
    """A factory that has nothing to show to who only looks."""
    if not config["configurable"]["__is_for_execution__"]:
        raise ValueError("not for you")
    return counting()


@pytest.mark.anyio
async def test_a_broken_graph_is_no_tool_and_one_that_cannot_be_looked_at_takes_anything(tmp_path: Path) -> None:
    def broken() -> object:
        raise ImportError("gone")

    graphs = {
        "broken": GraphDefinition(graph_id="broken", origin="here", load=broken),
        "moody": moody,
        "count": counting(),
    }
    async with open_tools(tmp_path, graphs) as tools:
        assert sorted(await tools.names()) == ["count", "moody"]
        assert await tools.tools.find(LOCAL, "broken") is None
        assert words(await tools.call("moody", {"x": 1})) == '{"x":2}'
