"""The graphs of a run as a tree: which there were, and how they ended."""

from longline.auth.principal import Principal
from longline.models.json import JsonObject, as_object
from longline.services.thread_streams import ThreadStreamService
from longline_protocol_langgraph.protocol_v2.event import Namespace, ProtocolEvent
from longline_protocol_langgraph.protocol_v2.projection import TurnFacts, TurnProjection


async def agent_tree(
    streams: ThreadStreamService, principal: Principal, thread_id: str, run_id: str | None
) -> JsonObject | None:
    """The tree of a run, or of the newest; None if there is none, or nothing of it is kept. Raises NotFoundError for
    the thread, ForbiddenError."""
    nodes: dict[Namespace, JsonObject] = {}
    turn, projection = 0, None
    async for entry in streams.kept(principal, thread_id, run_id):
        if projection is None or entry.turn != turn:
            facts = await streams.facts(thread_id, entry.run_id)
            if facts is None:
                return None
            turn, nodes = entry.turn, {}
            projection = TurnProjection(
                TurnFacts(run_id=entry.run_id, turn=turn, graph_name=facts.graph_id, is_kept=facts.is_kept)
            )
        for event in projection.feed(entry):
            _note(nodes, event)
    return _grown(nodes)


def _note(nodes: dict[Namespace, JsonObject], event: ProtocolEvent) -> None:
    if event.method == "lifecycle":
        told = as_object(event.data)
        nodes[event.namespace] = {
            "namespace": list(event.namespace), "status": told.get("event"), "graph_name": told.get("graph_name"),
        }  # fmt: skip


def _grown(nodes: dict[Namespace, JsonObject]) -> JsonObject | None:
    for namespace in sorted(nodes, key=len, reverse=True):
        parent = nodes.get(namespace[:-1]) if namespace else None
        if parent is not None:
            children = parent.setdefault("children", [])
            if isinstance(children, list):
                children.append(nodes[namespace])
    return nodes.get(())
