"""The graphs of a turn, the outermost and those inside it: when each begins and how it ends. Pure."""

from collections.abc import Iterator

from longline.models.json import JsonObject, JsonValue
from longline_protocol_langgraph.protocol_v2.event import Namespace, Said


class Lifecycles:
    """Which graphs have shown themselves, and which of them have not ended."""

    def __init__(self, run_id: str, graph_name: str) -> None:
        self._run_id = run_id
        self._graph_name = graph_name
        self._is_open: dict[Namespace, bool] = {}

    def of_run(self, phase: str, fault: str | None = None) -> Said:
        """A phase of the outermost graph."""
        return self._said((), phase, self._graph_name, fault)

    def shown(self, namespace: Namespace) -> Iterator[Said]:
        """The start of the subgraphs on the way there that show themselves for the first time, outermost first."""
        for depth in range(1, len(namespace) + 1):
            graph = namespace[:depth]
            if graph not in self._is_open:
                self._is_open[graph] = True
                name, _, task_id = graph[-1].partition(":")
                data: JsonValue = {
                    "event": "started", "namespace": list(graph), "graph_name": name, "trigger_call_id": task_id,
                }  # fmt: skip
                yield Said(method="lifecycle", namespace=graph, data=data)

    def is_open(self, namespace: Namespace) -> bool:
        """Whether a subgraph has begun and not ended."""
        return self._is_open.get(namespace, False)

    def open_below(self, namespace: Namespace) -> list[Namespace]:
        """The subgraphs in a graph that have not ended, innermost first."""
        found = [graph for graph, is_open in self._is_open.items() if is_open and len(graph) > len(namespace)]
        return sorted((graph for graph in found if graph[: len(namespace)] == namespace), key=len, reverse=True)

    def end(self, namespace: Namespace, phase: str, fault: str | None = None) -> Said:
        """The end of a subgraph."""
        self._is_open[namespace] = False
        return self._said(namespace, phase, namespace[-1].partition(":")[0], fault)

    def end_all(self, phase: str, fault: str | None = None) -> Iterator[Said]:
        """The end of all subgraphs that have not ended, innermost first."""
        for namespace in self.open_below(()):
            yield self.end(namespace, phase, fault)

    def _said(self, namespace: Namespace, phase: str, graph_name: str, fault: str | None) -> Said:
        data: JsonObject = {"event": phase, "graph_name": graph_name}
        if fault is not None:
            data["error"] = fault
        own_id = f"synth:{self._run_id}:lc|{'|'.join(namespace)}|{phase}"
        return Said(method="lifecycle", namespace=namespace, data=data, synthetic_id=own_id)
