"""Graph id → graph: loaded once, on a worker thread, and handed out as a copy bound to one use."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from longline.errors import GraphLoadError, LonglineError, UnknownGraphError
from longline.graphs.definition import GraphDefinition
from longline.graphs.factories import FactoryCall, as_graph, call_factory, is_factory
from longline.graphs.loading import describe_cause, place_of
from longline.ids import graph_assistant_id
from longline.slow_imports import import_langgraph
from longline.threads import in_thread

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.pregel import Pregel

logger = logging.getLogger(__name__)


class GraphRegistry:
    """The graphs of this server. A graph that cannot be loaded is logged once and fails whoever asks for it."""

    def __init__(self, definitions: Mapping[str, GraphDefinition]) -> None:
        self._definitions = dict(definitions)
        self.own_assistant_ids = frozenset(map(graph_assistant_id, self._definitions))
        """The ids of the assistants that stand for the graphs themselves."""
        self._loading: dict[str, asyncio.Task[object]] = {}
        self._failures: dict[str, GraphLoadError] = {}

    @property
    def graph_ids(self) -> tuple[str, ...]:
        """All ids, in the order they were offered."""
        return tuple(self._definitions)

    def definition(self, graph_id: str) -> GraphDefinition:
        """What is known of a graph without loading it. Raises UnknownGraphError."""
        try:
            return self._definitions[graph_id]
        except KeyError:
            raise UnknownGraphError(graph_id, self._definitions) from None

    def require(self, graph_id: str) -> GraphDefinition:
        """The definition of a graph that is not known to be broken. Raises UnknownGraphError or GraphLoadError."""
        definition = self.definition(graph_id)
        if graph_id in self._failures:
            raise self._failures[graph_id]
        return definition

    async def load_all(self) -> None:
        """Load every graph, so that the first run of each does not wait for it."""
        for graph_id in self._definitions:
            try:
                await self._load(graph_id)
            except GraphLoadError:
                continue  # logged where it happened; the others are served

    @asynccontextmanager
    async def open(
        self, graph_id: str, call: FactoryCall, *, checkpointer: "BaseCheckpointSaver[Any] | None"
    ) -> "AsyncIterator[Pregel[Any, Any, Any, Any]]":
        """A copy of the graph for one use, with the checkpointer and `call.store`. Raises UnknownGraphError,
        GraphLoadError, and for a run whatever its factory raises: that is how the run ends."""
        loaded = await self._load(graph_id)
        update = {"checkpointer": checkpointer, "store": call.store, "name": graph_id}
        if is_factory(loaded):
            factory: Callable[..., object] = loaded  # type: ignore[assignment]  # is_factory just said so
            async with AsyncExitStack() as stack:
                made = await self._make(stack, graph_id, factory, call)
                yield made.copy(update=update)
        else:
            yield as_graph(loaded).copy(update=update)

    async def _make(
        self, stack: AsyncExitStack, graph_id: str, factory: Callable[..., object], call: FactoryCall
    ) -> "Pregel[Any, Any, Any, Any]":
        try:
            return await stack.enter_async_context(call_factory(factory, call))
        except Exception as error:
            if call.access == "threads.create_run":
                raise
            failure = GraphLoadError(graph_id, place_of(error), describe_cause(error))
            logger.error(  # noqa: TRY400  # a user's mistake: file and line say more than our stack
                "graph not made", extra={"graph_id": graph_id, "place": failure.place, "cause": failure.cause}
            )
            raise failure from error

    async def _load(self, graph_id: str) -> object:
        definition = self.require(graph_id)
        task = self._loading.get(graph_id)
        if task is None:
            task = self._loading[graph_id] = asyncio.create_task(in_thread(_load, definition))
        try:
            return await asyncio.shield(task)
        except GraphLoadError as error:
            if graph_id not in self._failures:
                self._failures[graph_id] = error
                logger.error(  # noqa: TRY400  # a user's mistake: file and line say more than our stack
                    "graph not loaded", extra={"graph_id": graph_id, "place": error.place, "cause": error.cause}
                )  # a user's mistake, not ours
            raise


def _load(definition: GraphDefinition) -> object:
    """Runs on a worker thread: imports may block for seconds."""
    import_langgraph()
    try:
        loaded = definition.load()
        return loaded if is_factory(loaded) else as_graph(loaded)
    except LonglineError as error:
        if isinstance(error, GraphLoadError):
            raise
        raise GraphLoadError(definition.graph_id, definition.origin, str(error)) from error
    except (Exception, SystemExit) as error:
        raise GraphLoadError(definition.graph_id, place_of(error), describe_cause(error)) from error
