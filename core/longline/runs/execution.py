"""One claimed run: its graph is bound, streamed and looked at. Says what happened; stores nothing itself."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from longline.auth.kept_token import open_token
from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.encoding import encode
from longline.graphs.binding import GraphUser
from longline.graphs.factories import AccessContext, FactoryCall
from longline.graphs.owned_items import ItemFaces
from longline.graphs.registry import GraphRegistry
from longline.models.json import JsonObject, JsonValue, as_object
from longline.models.runs import Lease, Run, RunSpec
from longline.models.threads import ThreadState, ThreadStatus
from longline.runs.scrubbing import error_scrubber
from longline.runs.shown import has_secrets, scrub
from longline.runs.stream_modes import PartEncoder, StreamPart, graph_modes
from longline.storage.protocols import Storage
from longline.storage.retention import StateWrites

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.pregel import Pregel
    from langgraph.types import Command, StateSnapshot

    Graph = Pregel[Any, Any, Any, Any]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphUse:
    """What a graph is opened for, by whom and with which configuration (secrets still sealed)."""

    graph_id: str
    access: AccessContext
    config: JsonObject
    context: JsonObject | None = None
    token: str | None = field(default=None, repr=False)
    """The token of a run's caller: for what executes the run, and for nothing that only looks at its graph."""


class GraphRunner:
    """Opens graphs with their configuration, storage and secrets in place."""

    def __init__(self, graphs: GraphRegistry, storage: Storage, vault: Vault, items: ItemFaces, clock: Clock) -> None:
        self._graphs = graphs
        self._storage = storage
        self._vault = vault
        self._items = items
        self._clock = clock

    async def state_writes(self, thread_id: str) -> StateWrites:
        """What a state update of a thread writes, to be stored as one."""
        return await self._storage.state_writes(thread_id)

    async def checkpointer(self) -> "BaseCheckpointSaver[Any]":
        """LangGraph's saver, for reading histories without a graph."""
        return await self._storage.checkpointer()

    @asynccontextmanager
    async def open(
        self,
        use: GraphUse,
        *,
        lease: Lease | None = None,
        has_checkpoints: bool = True,
        saver: "BaseCheckpointSaver[Any] | None" = None,
    ) -> "AsyncIterator[tuple[Graph, RunnableConfig, dict[str, object] | None]]":
        """The bound graph, its config with secrets as handles, and its context. Bound to a lease, what the graph writes
        is refused once the lease is lost; with a saver it writes there."""
        if saver is None and has_checkpoints:
            saver = await self._storage.checkpointer(lease)
        configurable = use.config.get("configurable")
        known = configurable if isinstance(configurable, dict) else {}
        opened: dict[str, object] = {**self._vault.open_as_handles(known), **self._token_of(use, lease)}
        found = opened.get("langgraph_auth_user")
        if isinstance(found, dict):
            opened["langgraph_auth_user"] = GraphUser(found)
        config: Any = {**use.config, "configurable": opened, "run_name": use.graph_id}
        if "metadata" in config:  # goes into checkpoints, and to whoever traces the run
            config["metadata"] = self._vault.hide(as_object(config["metadata"]))
        context = self._vault.open_in_clear(use.context) if use.context is not None else None
        for_factory: Any = {**config, "configurable": {**opened, "__is_for_execution__": lease is not None}}
        user = opened.get("langgraph_auth_user")
        store = await self._items.of(user.identity if isinstance(user, GraphUser) else None)
        call = FactoryCall(access=use.access, config=for_factory, context=context, store=store, user=user)
        async with self._graphs.open(use.graph_id, call, checkpointer=saver) as graph:
            yield graph, config, context

    def guards(self, run: Run) -> "list[BaseCallbackHandler]":
        """Callbacks for the run: they keep its secrets out of its errors. None where it has no secrets."""
        return [error_scrubber(partial(scrub, self._vault, run))] if has_secrets(self._vault, run) else []

    def _token_of(self, use: GraphUse, lease: Lease | None) -> dict[str, object]:
        """The caller's token as configurable values. One that cannot be used is missing, and the log says so."""
        if use.token is None or lease is None:
            return {}
        kept = open_token(use.token, self._vault, self._clock())
        if kept.secret is None:
            logger.warning("caller token not usable", extra={"run_id": lease.run_id, "reason": kept.fault})
        return kept.configurable


class Execution:
    """The stream of one attempt. After it, `result` and `state` tell what the run leaves behind."""

    def __init__(self, runner: GraphRunner, run: Run) -> None:
        self._runner = runner
        self._run = run
        self._values: object = None
        self._has_values = False
        self.state = ThreadState(status=ThreadStatus.IDLE)

    @property
    def result(self) -> bytes | None:
        """The last values of the graph as JSON, which is what a waiter gets; None if it never had any."""
        return encode(self._values) if self._has_values else None

    async def stream(self) -> AsyncGenerator[StreamPart, None]:
        """Run the graph from its input, or, after a crash, from its last checkpoint. Raises what the graph raises."""
        spec, lease = self._run.spec, self._run.lease
        config = {**spec.config, "metadata": {**as_object(spec.config.get("metadata")), "run_attempt": lease.attempt}}
        use = GraphUse(
            graph_id=spec.graph_id,
            access="threads.create_run",
            config=config,
            context=spec.context,
            token=self._run.token,
        )
        async with self._runner.open(use, lease=lease, has_checkpoints=not spec.temporary) as opened:
            graph, bound, context = opened
            keys = sorted(key for key in bound["configurable"] if not key.startswith("__"))
            logger.info("graph bound", extra={"run_id": lease.run_id, "graph_id": spec.graph_id, "keys": keys})
            bound["run_id"] = UUID(lease.run_id)
            bound["callbacks"] = self._runner.guards(self._run)
            given = await self._input(graph, bound)
            encoder = PartEncoder(spec.stream_modes)
            items = (
                _with_events(graph, given, bound, context, spec)
                if "events" in spec.stream_modes
                else _plain(graph, given, bound, context, spec)
            )
            async with aclosing(items):
                async for namespace, mode, payload in items:
                    if mode == "values" and not namespace:
                        self._values, self._has_values = payload, True
                    for part in encoder.encode(namespace, mode, payload):
                        yield part
            if not spec.temporary:
                self.state = describe_state(await graph.aget_state(_head(bound)))

    async def _input(self, graph: "Graph", config: "RunnableConfig") -> object:
        """The input; None to go on from the last checkpoint if an earlier attempt of this run wrote one."""
        spec = self._run.spec
        if self._run.attempt > 1 and not spec.temporary:
            snapshot = await graph.aget_state(_head(config))
            if snapshot.metadata and snapshot.metadata.get("run_id") == self._run.run_id:
                config["configurable"].pop("checkpoint_id", None)
                return None
        return to_command(spec.command) if spec.command is not None else spec.input


def describe_state(snapshot: "StateSnapshot") -> ThreadState:
    """What a graph's latest checkpoint says about its thread."""
    interrupts = {
        task.id: [{"id": interrupt.id, "value": interrupt.value} for interrupt in task.interrupts]
        for task in snapshot.tasks
        if task.interrupts
    }
    return ThreadState(
        status=ThreadStatus.INTERRUPTED if snapshot.next else ThreadStatus.IDLE,
        values=encode(snapshot.values) if snapshot.created_at is not None else None,
        interrupts=encode(interrupts),
    )


def to_command(command: JsonObject) -> "Command[Any]":
    """The wire's command as LangGraph's: `goto` may be a node name, a Send, or a list of them."""
    from langgraph.types import Command, Send  # noqa: PLC0415  # LangGraph is slow to import

    def target(value: JsonValue) -> Any:  # str or Send
        return Send(str(value["node"]), value.get("input")) if isinstance(value, dict) else value

    goto = command.get("goto")
    targets = [target(item) for item in goto] if isinstance(goto, list) else target(goto) if goto is not None else ()
    update: Any = command.get("update")
    if isinstance(update, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in update):  # noqa: PLR2004
        update = [tuple(pair) for pair in update]
    return Command(update=update, resume=command.get("resume"), goto=targets)


async def _plain(
    graph: "Graph", given: object, config: "RunnableConfig", context: object, spec: RunSpec
) -> AsyncGenerator[tuple[tuple[str, ...], str, Any], None]:
    modes: Any = graph_modes(spec.stream_modes)
    stream: Any = graph.astream(given, config, context=context, stream_mode=modes, **_options(spec))
    async with aclosing(stream):
        async for item in stream:
            namespace, mode, payload = item if spec.subgraphs else ((), *item)
            yield namespace, mode, payload


async def _with_events(
    graph: "Graph", given: object, config: "RunnableConfig", context: object, spec: RunSpec
) -> AsyncGenerator[tuple[tuple[str, ...], str, Any], None]:
    """`astream_events` carries the other modes inside the root's stream events: unwrap those, pass on the rest."""
    modes: Any = graph_modes(spec.stream_modes)
    run_id = str(config["run_id"])
    events: Any = graph.astream_events(
        given, config, context=context, stream_mode=modes, version="v2", **_options(spec)
    )
    async with aclosing(events):
        async for event in events:
            if event["run_id"] == run_id and event["event"] == "on_chain_stream":
                chunk = event["data"]["chunk"]
                namespace, mode, payload = chunk if spec.subgraphs else ((), *chunk)
                yield namespace, mode, payload
            else:
                yield (), "events", event


def _options(spec: RunSpec) -> dict[str, Any]:
    return {
        "subgraphs": spec.subgraphs,
        "interrupt_before": spec.interrupt_before,
        "interrupt_after": spec.interrupt_after,
        **({} if spec.temporary else {"durability": _DURABILITIES[spec.durability]}),
    }


_DURABILITIES: Final = {"sync": "sync", "async": "sync", "exit": "exit"}
"""A step is stored before the next one begins, for `async` too: a run that is killed then repeats only the nodes that
were running. Overlapping the write with the next step would save a fraction of a millisecond and lose that promise."""


def _head(config: "RunnableConfig") -> "RunnableConfig":
    """The same thread, at its latest checkpoint."""
    return {"configurable": {k: v for k, v in config["configurable"].items() if k != "checkpoint_id"}}
