"""A graph as a plugin offers it: an id, and a way to load it when it is first needed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from longline.models.json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphDefinition:
    """A graph to serve.

    `load` runs once, in a worker thread, and returns what LangGraph calls a graph: a compiled graph, a builder with
    `compile()`, a factory `f()`, `f(config)`, `f(config, runtime)` (by parameter name or annotation; sync, async or an
    async context manager). `origin` tells people where it is, e.g. `./graphs.py:agent`.
    """

    graph_id: str
    origin: str
    load: Callable[[], object] = field(repr=False)
    description: str | None = None
    defaults: JsonObject = field(default_factory=dict)
    """The lowest layer of the configurable values of each run of this graph."""
    destinations: frozenset[str] = frozenset()
    """Configurable keys that say where secrets are sent, e.g. `base_url`. A run that sets one gets none of the
    assistant's secrets, an assistant that sets one none of the defaults': else a caller could have them sent to a
    server of their own."""
