"""What a caller asks to run, and the run it becomes."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from longline.auth.secrets import Vault
from longline.errors import ContextAndConfigurableError
from longline.graphs.binding import Injected, merge_config
from longline.graphs.definition import GraphDefinition
from longline.models.assistants import Assistant
from longline.models.chains import ChainHead
from longline.models.filters import Filter, keys_of
from longline.models.json import JsonObject, JsonValue
from longline.models.runs import Durability, MultitaskStrategy, NewRun, NodeNames, RunSpec
from longline.models.threads import NewThread, ThreadTtl
from longline.models.ticks import CronTick


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a caller asks to run. `assistant` is an assistant's UUID or a graph's id. Without a thread the run gets one
    of its own, which `keep_thread` keeps."""

    assistant: str
    thread_id: str | None = None
    input: JsonValue = None
    command: JsonObject | None = None
    metadata: JsonObject = field(default_factory=dict)
    config: JsonObject = field(default_factory=dict)
    context: JsonObject | None = None
    checkpoint: JsonObject = field(default_factory=dict)
    stream_modes: tuple[str, ...] = ("values",)
    subgraphs: bool = False
    resumable: bool = False
    interrupt_before: NodeNames | None = None
    interrupt_after: NodeNames | None = None
    multitask_strategy: MultitaskStrategy = "enqueue"
    if_not_exists: Literal["create", "reject"] = "reject"
    after_seconds: float = 0
    durability: Durability = "async"
    keep_thread: bool = False
    webhook: str | None = None
    feedback_keys: tuple[str, ...] | None = None
    request_id: str = ""
    headers: JsonObject = field(default_factory=dict)
    """Request headers that reach the graph's configurable values."""
    tick: CronTick | None = None
    """The tick of a cron that asks."""
    run_id: str | None = None
    """A new id that the caller made; None: the run gets one."""
    chain_id: str | None = None
    """See NewRun."""
    follows: ChainHead | None = None
    """See NewRun."""


def run_spec(
    request: RunRequest, *, assistant: Assistant, definition: GraphDefinition, injected: Injected, vault: Vault
) -> RunSpec:
    """What to execute: the request with the configuration merged and secrets sealed. Raises
    ContextAndConfigurableError."""
    if request.context and request.config.get("configurable"):
        raise ContextAndConfigurableError
    # Each layer is sealed by itself: the assistant's came sealed, perhaps with a key that is no longer known.
    merged = merge_config(
        definition=replace(definition, defaults=vault.seal(definition.defaults)),
        assistant=assistant,
        config=vault.seal(request.config),
        context=vault.seal(request.context) if request.context is not None else None,
        metadata=request.metadata,
        injected=_sealed(injected, vault),
        strip=vault.strip,
    )
    metadata = merged.config["metadata"]
    config = {**merged.config, "metadata": vault.seal(metadata) if isinstance(metadata, dict) else {}}
    return RunSpec(
        graph_id=assistant.graph_id,
        input=request.input,
        command=request.command,
        config=config,
        context=merged.context,
        stream_modes=request.stream_modes,
        subgraphs=request.subgraphs,
        resumable=request.resumable,
        interrupt_before=request.interrupt_before,
        interrupt_after=request.interrupt_after,
        durability=request.durability,
        temporary=request.thread_id is None and not request.keep_thread,
        webhook=request.webhook,
        feedback_keys=request.feedback_keys,
    )


def _sealed(injected: Injected, vault: Vault) -> Injected:
    """What the server injects, without secrets in clear: headers, and what is known of the user."""
    principal = replace(injected.principal, claims=vault.seal(dict(injected.principal.claims)))
    return replace(injected, headers=vault.seal(dict(injected.headers)), principal=principal)


def new_run(
    request: RunRequest,
    *,
    spec: RunSpec,
    assistant: Assistant,
    injected: Injected,
    stamped: JsonObject,
    visible: Filter,
    now: datetime,
    ttl: ThreadTtl | None = None,
) -> NewRun:
    """The run to put on the queue. `stamped` is its metadata after the access rules, `visible` their filter: a thread
    that is made for the run gets what the rules added, so that its maker sees it; `ttl` is how long it stays."""
    due = now + timedelta(seconds=request.after_seconds)
    belongs: JsonObject = {"graph_id": assistant.graph_id, "assistant_id": assistant.assistant_id}
    needed = keys_of(visible)
    said = request.metadata
    added = {key: value for key, value in stamped.items() if key not in said or key in needed or said[key] != value}
    is_made_here = request.thread_id is None or request.if_not_exists == "create"
    return NewRun(
        run_id=injected.run_id,
        thread_id=injected.thread_id,
        assistant_id=assistant.assistant_id,
        metadata={**assistant.metadata, **belongs, **stamped},
        spec=spec,
        multitask_strategy=request.multitask_strategy,
        created_at=due,
        not_before=due,
        thread=NewThread(thread_id=injected.thread_id, metadata=added, created_at=now, ttl=ttl)
        if is_made_here
        else None,
        thread_metadata=belongs,
        tick=request.tick,
        chain_id=request.chain_id,
        follows=request.follows,
    )
