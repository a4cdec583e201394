"""What a graph looks like from outside: its drawing, its schemas, its subgraphs."""

import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from longline.models.json import JsonObject, JsonValue

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.pregel import Pregel

    Graph = Pregel[Any, Any, Any, Any]

logger = logging.getLogger(__name__)


async def drawing(graph: "Graph", config: "RunnableConfig", *, xray: bool | int) -> JsonObject:
    """Nodes and edges; with `xray` subgraphs are drawn too, that many levels deep."""
    drawn = await graph.aget_graph(config, xray=xray)
    found: dict[str, list[dict[str, Any]]] = drawn.to_json()
    return {"nodes": [_node(node) for node in found["nodes"]], "edges": [dict(edge) for edge in found["edges"]]}


def schemas(graph: "Graph") -> JsonObject:
    """The JSON schemas of a graph. One that cannot be made is null, and the log says why."""
    context = _made("context", graph, graph.get_context_jsonschema)
    return {
        "input_schema": _made("input", graph, graph.get_input_jsonschema),
        "output_schema": _made("output", graph, graph.get_output_jsonschema),
        "state_schema": _made("state", graph, lambda: _state_schema(graph)),
        "config_schema": context or {},
        "context_schema": context,
    }


async def subgraphs(graph: "Graph", *, namespace: str | None, recurse: bool) -> JsonObject:
    """The schemas of the graphs inside a graph, by namespace; those below `namespace` if one is named."""
    found: dict[str, JsonValue] = {}
    async for name, inner in graph.aget_subgraphs(namespace=namespace, recurse=recurse):
        found[name] = schemas(inner)  # type: ignore[arg-type]  # every subgraph is a Pregel
    return found


def _node(node: dict[str, Any]) -> dict[str, JsonValue]:
    """A node without the Python class behind it."""
    if node.get("type") != "runnable":
        return node
    return {**node, "data": {"name": node["data"]["name"]}}


def _state_schema(graph: "Graph") -> JsonObject:
    """The state has no class of its own: its channels say what it holds."""
    channels: dict[str, Any] = {name: graph.channels[name] for name in graph.stream_channels_list}
    fields = {name: channel.UpdateType for name, channel in channels.items() if hasattr(channel, "UpdateType")}
    name = graph.get_name("State")
    state: Any = TypedDict(name, fields, total=False)  # type: ignore[misc]  # made from what the graph says
    schema = TypeAdapter(state).json_schema()
    properties = {key: {"default": None, **value} for key, value in schema.get("properties", {}).items()}
    return {**schema, "properties": properties, "title": name}


def _made(kind: str, graph: "Graph", make: Callable[[], JsonObject | None]) -> JsonObject | None:
    try:
        with warnings.catch_warnings():  # pydantic warns about field names that the graph's author chose
            warnings.simplefilter("ignore")
            return make()
    except Exception as error:  # types of a graph's author: anything may happen
        logger.debug("schema not available", extra={"schema": kind, "graph": graph.name}, exc_info=error)
        return None
