"""Threads, their state and their history, as a principal may see and change them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from longline.auth.access import Access, Action
from longline.auth.principal import Principal
from longline.clock import Clock
from longline.errors import AlreadyExistsError, ForbiddenError, NotFoundError, ThreadBusyError, ThreadWithoutGraphError
from longline.events.herald import Herald
from longline.events.hub import StateUpdated
from longline.events.relay import Relay
from longline.graphs.binding import identity_keys
from longline.ids import new_id
from longline.models.filters import Filter, all_of, pairs_in
from longline.models.json import JsonObject, JsonValue, as_object
from longline.models.pages import Page
from longline.models.threads import (
    NewThread,
    PruneStrategy,
    Thread,
    ThreadFootprint,
    ThreadQuery,
    ThreadStatus,
    ThreadTtl,
)
from longline.runs.execution import GraphRunner, GraphUse, describe_state, to_command
from longline.runs.scheduler import Scheduler
from longline.services.footprint import measure
from longline.services.input_errors import as_input_error
from longline.services.narrowing import chosen_ids, narrowing
from longline.storage.protocols import ThreadStore
from longline.storage.retention import Retention

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

    def __init__(  # noqa: PLR0913  # the parts of threads, each named
        self,
        *,
        store: ThreadStore,
        runner: GraphRunner,
        scheduler: Scheduler,
        herald: Herald,
        relay: Relay,
        access: Access,
        retention: Retention,
        default_ttl: ThreadTtl | None,
        clock: Clock,
    ) -> None:
        self._store = store
        self._retention = retention
        self._default_ttl = default_ttl
        self._runner = runner
        self._scheduler = scheduler
        self._herald = herald
        self._relay = relay
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
        ttl: ThreadTtl | None = None,
    ) -> Thread:
        """A new thread, with the state that `supersteps` make (then metadata.graph_id must name the graph). Without
        `ttl` it stays as long as the settings say. Raises AlreadyExistsError, InvalidInputError, ForbiddenError."""
        thread_id = thread_id or new_id()
        value: JsonObject = {"thread_id": thread_id, "metadata": dict(metadata or {}), "if_exists": if_exists}
        visible = await self._access.decide(principal, Action("threads", "create"), value)
        new = NewThread(
            thread_id=thread_id,
            metadata=as_object(value.get("metadata")),
            created_at=self._clock(),
            ttl=ttl or self._default_ttl,
        )
        try:
            thread = await self._store.create(new)
        except AlreadyExistsError:
            if if_exists == "raise":
                raise
            return await self._existing(principal, thread_id, visible)
        if supersteps:
            await self._replay(principal, thread, supersteps)
            return await self._store.get(thread_id)
        return thread

    async def get(self, principal: Principal, thread_id: str) -> Thread:
        """The thread. Raises NotFoundError, ForbiddenError."""
        return await self._store.get(thread_id, visible=await self._may(principal, "read", thread_id))

    async def search(self, principal: Principal, query: ThreadQuery) -> Page[Thread]:
        """The matching threads that the caller may see. Raises ForbiddenError."""
        value: JsonObject = {
            "metadata": pairs_in(query.metadata), "values": pairs_in(query.values), "status": query.status,
            "ids": list(query.thread_ids) if query.thread_ids is not None else None, "limit": query.limit,
            "offset": query.offset,
        }  # fmt: skip
        visible = await self._access.decide(principal, Action("threads", "search"), value)
        visible = all_of(query.visible, visible, narrowing(value, pairs_in(query.metadata)))
        query = replace(query, thread_ids=chosen_ids(value, query.thread_ids), visible=visible)
        return await self._store.search(query)

    async def update(
        self, principal: Principal, thread_id: str, *, metadata: JsonObject, ttl: ThreadTtl | None = None
    ) -> Thread:
        """Merge into the metadata, and with `ttl` set how long the thread stays. Raises NotFoundError,
        ForbiddenError."""
        value: JsonObject = {"thread_id": thread_id, "metadata": dict(metadata)}
        visible = await self._access.decide(principal, Action("threads", "update"), value)
        return await self._store.update(
            thread_id, metadata=as_object(value.get("metadata")), at=self._clock(), ttl=ttl, visible=visible
        )

    async def delete(self, principal: Principal, thread_id: str) -> None:
        """Remove the thread with all that is on it; its unfinished runs are dropped. Raises NotFoundError."""
        visible = await self._may(principal, "delete", thread_id)
        gone = await self._store.delete(thread_id, visible=visible)
        for run_id in gone:
            await self._scheduler.drop(run_id)
        self._herald.close_gone(thread_id, gone)

    async def prune(self, principal: Principal, thread_ids: Sequence[str], strategy: PruneStrategy) -> int:
        """Remove threads, or all of their checkpoints but the latest; how many. Those that the caller cannot see are
        passed over, and so are busy ones where the thread is to stay. Raises ForbiddenError."""
        pruned = 0
        for thread_id in dict.fromkeys(thread_ids):
            try:
                if strategy == "delete":
                    await self.delete(principal, thread_id)
                else:
                    visible = await self._may(principal, "update", thread_id)
                    await self._retention.keep_latest(thread_id, visible=visible)
            except (NotFoundError, ThreadBusyError):
                continue
            pruned += 1
        return pruned

    async def copy(self, principal: Principal, thread_id: str) -> Thread:
        """A new thread with the same metadata, state and history. Raises NotFoundError, ForbiddenError."""
        visible, copy_id = await self._may(principal, "read", thread_id), new_id()
        value: JsonObject = {"thread_id": copy_id, "metadata": {}}
        await self._access.decide(principal, Action("threads", "create"), value)
        copied = await self._store.copy(thread_id, copy_id, at=self._clock(), visible=visible)
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

    async def latest_state(self, thread_id: str) -> "StateSnapshot":
        """The latest state of a thread, for readers that were let in. Raises NotFoundError,
        ThreadWithoutGraphError."""
        thread = await self._store.get(thread_id)
        async with self._runner.open(_use(None, thread, "threads.read", None)) as (graph, config, _):
            return await graph.aget_state(config)

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
        writes = await self._runner.state_writes(thread_id)
        async with self._runner.open(use, saver=writes.saver) as (graph, config, _):
            with as_input_error():
                updated = await graph.aupdate_state(config, values, as_node)
            await writes.commit()
            with suppress(ThreadBusyError):  # a run that came since then starts from this, and says how it leaves it
                await self._remember(graph, thread_id)
        return dict(updated["configurable"])

    async def _replay(self, principal: Principal, thread: Thread, supersteps: Sequence[Sequence[StateUpdate]]) -> None:
        from langgraph.types import StateUpdate as Update  # noqa: PLC0415  # LangGraph is slow to import

        steps = [
            [Update(values=to_command(u.command) if u.command else u.values, as_node=u.as_node) for u in step]  # type: ignore[arg-type]  # a Command is taken too
            for step in supersteps
        ]
        async with self._runner.open(_use(principal, thread, "threads.update", None)) as (graph, config, _):
            with as_input_error():
                await graph.abulk_update_state(config, steps)
            await self._remember(graph, thread.thread_id)

    async def _remember(self, graph: Any, thread_id: str) -> None:  # a Pregel
        head: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        state = await graph.aget_state(head)
        turn = await self._store.set_state(thread_id, describe_state(state), at=self._clock())
        await self._relay.tell_before(thread_id, turn)
        self._herald.publish_update(thread_id, StateUpdated(turn=turn, state=state))

    async def _existing(self, principal: Principal, thread_id: str, visible: Filter) -> Thread:
        """A thread that was there. Who may create one may not therefore read it."""
        try:
            return await self._store.get(
                thread_id, visible=all_of(visible, await self._may(principal, "read", thread_id))
            )
        except (NotFoundError, ForbiddenError):
            raise AlreadyExistsError("thread", thread_id) from None

    async def _may(self, principal: Principal, verb: str, thread_id: str) -> Filter:
        return await self._access.decide(principal, Action("threads", verb), {"thread_id": thread_id})


def _graph_of(thread: Thread) -> str | None:
    graph_id = thread.metadata.get("graph_id")
    return graph_id if isinstance(graph_id, str) else None


def _use(
    principal: Principal | None,
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
    if principal is not None:
        configurable |= identity_keys(principal)
    return GraphUse(graph_id=graph_id, access=access, config={"configurable": configurable})
