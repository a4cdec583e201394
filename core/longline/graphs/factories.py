"""Whatever a graph reference names → a compiled graph: objects as they are, builders compiled, factories called."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.pregel import Pregel
    from langgraph.store.base import BaseStore

AccessContext = Literal["threads.create_run", "threads.update", "threads.read", "assistants.read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoryCall:
    """Why a factory is called, and what it is given."""

    access: AccessContext
    config: "RunnableConfig"
    context: object
    store: "BaseStore"
    user: object


def is_factory(loaded: object) -> bool:
    """Whether each run needs a graph of its own made."""
    from langgraph.pregel import Pregel  # noqa: PLC0415  # LangGraph is slow to import

    return callable(loaded) and not isinstance(loaded, Pregel) and not hasattr(loaded, "compile")


def as_graph(made: object) -> "Pregel[Any, Any, Any, Any]":
    """A compiled graph from a graph or builder. Raises TypeError for anything else."""
    from langgraph.pregel import Pregel  # noqa: PLC0415  # LangGraph is slow to import

    if not isinstance(made, Pregel) and hasattr(made, "compile"):
        made = made.compile()
    if not isinstance(made, Pregel):
        raise TypeError(f"expected a LangGraph graph, got {type(made).__name__}")  # noqa: TRY003  # for as_graph's caller
    return made


@asynccontextmanager
async def call_factory(
    factory: Callable[..., object], call: FactoryCall
) -> "AsyncIterator[Pregel[Any, Any, Any, Any]]":
    """The graph that a factory makes for one use; what it opened is closed on leaving."""
    made = factory(**_arguments(factory, call))
    if inspect.isawaitable(made):
        made = await made
    if isinstance(made, AbstractAsyncContextManager):
        async with made as graph:
            yield as_graph(graph)
    elif isinstance(made, AbstractContextManager):
        with made as graph:
            yield as_graph(graph)
    elif inspect.isasyncgen(made):
        async with asynccontextmanager(lambda: made)() as graph:
            yield as_graph(graph)
    else:
        yield as_graph(made)


def _arguments(factory: Callable[..., object], call: FactoryCall) -> dict[str, object]:
    """What the factory asks for: a parameter is the runtime if it is called or typed so, else the config."""
    parameters = [
        p for p in inspect.signature(factory).parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    arguments: dict[str, object] = {}
    for parameter in parameters:
        if parameter.name == "runtime" or "Runtime" in str(parameter.annotation):
            arguments[parameter.name] = _runtime(call)
        elif (
            parameter.name == "config"
            or "RunnableConfig" in str(parameter.annotation)
            or (parameter.default is parameter.empty and not arguments)
        ):
            arguments[parameter.name] = call.config
    return arguments


def _runtime(call: FactoryCall) -> object:
    """`langgraph_sdk.runtime.ServerRuntime`, which LangGraph's own server hands to factories."""
    from langgraph_sdk import runtime  # noqa: PLC0415  # imports an HTTP client

    user: Any = call.user
    if call.access == "threads.create_run":
        return runtime._ExecutionRuntime(  # noqa: SLF001  # the public alias cannot be constructed
            access_context=call.access, user=user, store=call.store, context=call.context
        )
    return runtime._ReadRuntime(access_context=call.access, user=user, store=call.store)  # noqa: SLF001
