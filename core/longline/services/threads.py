"""Threads, their state and their history, as a principal may see and change them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from longline.auth.access import Access, Action
from longline.auth.principal import Principal
from longline.clock import Clock
from longline.errors import (
    AlreadyExistsError,
    InvalidInputError,
    LonglineError,
    NotFoundError,
    ThreadBusyError,
    ThreadWithoutGraphError,
)
from longline.events.hub import EventHub, RunEnd
from longline.graphs.binding import identity_keys
from longline.ids import new_id
from longline.models.filters import Filter, all_of
from longline.models.json import JsonObject, JsonValue, as_object
from longline.models.pages import Page
from longline.models.threads import NewThread, Thread, ThreadFootprint, ThreadQuery, ThreadStatus
from longline.runs.execution import GraphRunner, GraphUse, describe_state, to_command
from longline.runs.scheduler import Scheduler
from longline.services.footprint import measure
from longline.storage.protocols import ThreadStore

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.types import StateSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class StateUpdate:
    """One update of one node in a superstep: values, or a command, as if the node had returned them."""

    values: JsonValue
    as_node: str
    command: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """Which states of a thread, newest first. `before` is a checkpoint's configurable values."""

    limit: int = 1
    before: JsonObject | None = None
    metadata: JsonObject | None = None
    checkpoint: JsonObject | None = None


class ThreadService:
    """Create, read, change, copy and delete threads; read and update their state."""

    def __init__(
        self,
        *,
        store: ThreadStore,
        runner: GraphRunner,
        scheduler: Scheduler,
        hub: EventHub,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._runner = runner
        self._scheduler = scheduler
        self._hub = hub
        self._access = access
        self._clock = clock

    async def create(
        self,
        principal: Principal,
        *,
        thread_id: str | None = None,
        metadata: JsonObject | None = None,
        if_exists: Literal["raise", "do_nothing"] = "raise",
        supersteps: Sequence[Sequence[StateUpdate]] = (),
    ) -> Thread:
        """A new thread, with the state that `supersteps` make (then metadata.graph_id must name the graph). Raises
        AlreadyExistsError, InvalidInputError, ForbiddenError."""
        thread_id = thread_id or new_id()
        value: JsonObject = {"thread_id": thread_id, "metadata": dict(metadata or {}), "if_exists": if_exists}
        visible = await self._access.decide(principal, Action("threads", "create"), value)
        new = NewThread(thread_id=thread_id, metadata=as_object(value.get("metadata")), created_at=self._clock())
        try:
            thread = await self._store.create(new)
        except AlreadyExistsError:
            if if_exists == "raise":
                raise
            return await self._existing(thread_id, visible)
        if supersteps:
            await self._replay(principal, thread, supersteps)
            return await self._store.get(thread_id)
        return thread

    async def get(self, principal: Principal, thread_id: str) -> Thread:
        """The thread. Raises NotFoundError, ForbiddenError."""
        return await self._store.get(thread_id, visible=await self._may(principal, "read", thread_id))

    async def search(self, principal: Principal, query: ThreadQuery) -> Page[Thread]:
        """The matching threads that the caller may see. Raises ForbiddenError."""
        visible = await self._access.decide(principal, Action("threads", "search"), {})
        return await self._store.search(replace(query, visible=all_of(query.visible, visible)))

    async def update(self, principal: Principal, thread_id: str, *, metadata: JsonObject) -> Thread:
        """Merge into the metadata. Raises NotFoundError, ForbiddenError."""
        value: JsonObject = {"thread_id": thread_id, "metadata": dict(metadata)}
        visible = await self._access.decide(principal, Action("threads", "update"), value)
        return await self._store.update(
            thread_id, metadata=as_object(value.get("metadata")), at=self._clock(), visible=visible
        )

    async def delete(self, principal: Principal, thread_id: str) -> None:
        """Remove the thread with all that is on it; its unfinished runs are dropped. Raises NotFoundError."""
        visible = await self._may(principal, "delete", thread_id)
        for run_id in await self._store.delete(thread_id, visible=visible):
            self._scheduler.abandon(run_id)
            self._hub.close(run_id, RunEnd(status=None))

    async def copy(self, principal: Principal, thread_id: str) -> Thread:
        """A new thread with the same metadata, state and history. Raises NotFoundError, ForbiddenError."""
        visible = await self._may(principal, "read", thread_id)
        value: JsonObject = {"thread_id": thread_id, "metadata": {}}
        await self._access.decide(principal, Action("threads", "create"), value)
        copied = await self._store.copy(thread_id, new_id(), at=self._clock(), visible=visible)
        stamped = as_object(value.get("metadata"))
        if not stamped:
            return copied
        return await self._store.update(copied.thread_id, metadata=stamped, at=copied.created_at)

    async def footprint(self, principal: Principal, thread_id: str) -> ThreadFootprint:
        """What the thread's history takes. Raises NotFoundError, ForbiddenError."""
        await self.get(principal, thread_id)
        return await measure(await self._runner.checkpointer(), thread_id)

    # -- state ------------------------------------------------------------------------------------------------------

    async def state(
        self, principal: Principal, thread_id: str, *, checkpoint: JsonObject | None = None, subgraphs: bool = False
    ) -> "StateSnapshot | None":
        """The state at a checkpoint, or the latest; None for a thread that has no graph yet. Raises NotFoundError."""
        thread = await self.get(principal, thread_id)
        if _graph_of(thread) is None:
            return None
        async with self._runner.open(_use(principal, thread, "threads.read", checkpoint)) as (graph, config, _):
            return await graph.aget_state(config, subgraphs=subgraphs)

    async def history(self, principal: Principal, thread_id: str, query: HistoryQuery) -> "list[StateSnapshot]":
        """States, newest first; none for a thread that has no graph yet. Raises NotFoundError."""
        thread = await self.get(principal, thread_id)
        if _graph_of(thread) is None:
            return []
        before: Any = (
            {"configurable": {"thread_id": thread_id, "checkpoint_ns": "", **query.before}} if query.before else None
        )
        async with self._runner.open(_use(principal, thread, "threads.read", query.checkpoint)) as (graph, config, _):
            found = graph.aget_state_history(config, filter=query.metadata, before=before, limit=query.limit)
            return [snapshot async for snapshot in found]

    async def update_state(
        self,
        principal: Principal,
        thread_id: str,
        *,
        values: JsonValue,
        as_node: str | None = None,
        checkpoint: JsonObject | None = None,
    ) -> JsonObject:
        """Update the state as if a node had returned `values`; the configurable values of the new checkpoint. Raises
        NotFoundError, ThreadBusyError, ThreadWithoutGraphError, InvalidInputError."""
        value: JsonObject = {"thread_id": thread_id, "metadata": {}}
        visible = await self._access.decide(principal, Action("threads", "update"), value)
        thread = await self._store.get(thread_id, visible=visible)
        if thread.status is ThreadStatus.BUSY:
            raise ThreadBusyError(thread_id)
        use = _use(principal, thread, "threads.update", checkpoint)
        async with self._runner.open(use) as (graph, config, _):
            with _as_input_error():
                updated = await graph.aupdate_state(config, values, as_node)
            await self._remember(graph, thread_id)
        return dict(updated["configurable"])

    async def _replay(self, principal: Principal, thread: Thread, supersteps: Sequence[Sequence[StateUpdate]]) -> None:
        from langgraph.types import StateUpdate as Update  # noqa: PLC0415  # LangGraph is slow to import

        steps = [
            [Update(values=to_command(u.command) if u.command else u.values, as_node=u.as_node) for u in step]  # type: ignore[arg-type]  # a Command is taken too
            for step in supersteps
        ]
        async with self._runner.open(_use(principal, thread, "threads.update", None)) as (graph, config, _):
            with _as_input_error():
                await graph.abulk_update_state(config, steps)
            await self._remember(graph, thread.thread_id)

    async def _remember(self, graph: Any, thread_id: str) -> None:  # a Pregel
        head: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        await self._store.set_state(thread_id, describe_state(await graph.aget_state(head)), at=self._clock())

    async def _existing(self, thread_id: str, visible: Filter) -> Thread:
        try:
            return await self._store.get(thread_id, visible=visible)
        except NotFoundError:
            raise AlreadyExistsError("thread", thread_id) from None

    async def _may(self, principal: Principal, verb: str, thread_id: str) -> Filter:
        return await self._access.decide(principal, Action("threads", verb), {"thread_id": thread_id})


def _graph_of(thread: Thread) -> str | None:
    graph_id = thread.metadata.get("graph_id")
    return graph_id if isinstance(graph_id, str) else None


def _use(
    principal: Principal,
    thread: Thread,
    access: Literal["threads.read", "threads.update"],
    checkpoint: JsonObject | None,
) -> GraphUse:
    graph_id = _graph_of(thread)
    if graph_id is None:
        raise ThreadWithoutGraphError(thread.thread_id)
    chosen = {
        k: v for k, v in (checkpoint or {}).items() if k in ("checkpoint_id", "checkpoint_ns", "checkpoint_map") and v
    }
    configurable: JsonObject = {"checkpoint_ns": "", **chosen, "thread_id": thread.thread_id, "graph_id": graph_id}
    configurable |= identity_keys(principal)
    return GraphUse(graph_id=graph_id, access=access, config={"configurable": configurable})


@contextmanager
def _as_input_error() -> Iterator[None]:
    """What a graph raises at an update is the caller's mistake; our own errors are what they are."""
    from langgraph.errors import InvalidUpdateError  # noqa: PLC0415  # LangGraph is slow to import

    try:
        yield
    except (InvalidUpdateError, ValueError, TypeError) as error:
        raise InvalidInputError(str(error)) from error
    except LonglineError:
        raise
    except Exception as error:  # a reducer may raise anything at a value that is not for it
        described = f"{type(error).__name__}: {error}"
        raise InvalidInputError(described) from error
