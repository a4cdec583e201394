"""What an assistant's graph takes: messages, or an object of its own."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from longline.models.assistants import Assistant
from longline.services.server import Server
from longline.threads import in_thread
from longline_protocol_a2a.calls import Call

if TYPE_CHECKING:
    from langgraph.pregel import Pregel

logger = logging.getLogger(__name__)

_MOST_KNOWN: Final = 10_000


class Inputs:
    """Looks at graphs, once each."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known: dict[str, bool] = {}

    async def takes_messages(self, call: Call, assistant: Assistant) -> bool:
        """Whether the graph's input has `messages`. Raises NotFoundError, GraphLoadError."""
        key = assistant.graph_id
        if key not in self._known:
            async with await self._server.assistants.open_graph(call.principal, assistant.assistant_id) as (
                graph,
                _,
                _,
            ):
                takes = await in_thread(_looked_at, graph)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = takes
        return self._known[key]


def _looked_at(graph: "Pregel[Any, Any, Any, Any]") -> bool:
    try:
        return has_messages(graph.get_input_jsonschema())
    except Exception as error:  # types of a state that have no JSON schema
        logger.debug("input schema not made", exc_info=error)
        return "messages" in graph.channels


def has_messages(schema: Mapping[str, object]) -> bool:
    """Whether a JSON schema has a property `messages`."""
    reference, definitions = schema.get("$ref"), schema.get("$defs")
    if isinstance(reference, str) and isinstance(definitions, dict):
        target = definitions.get(reference.rpartition("/")[2])
        schema = target if isinstance(target, dict) else schema
    properties = schema.get("properties")
    return isinstance(properties, dict) and "messages" in properties
