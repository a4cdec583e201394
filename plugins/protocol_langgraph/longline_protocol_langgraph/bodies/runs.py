"""Bodies that make or end runs."""

from typing import Annotated, Literal, TypeAlias, cast

from pydantic import Field, TypeAdapter

from longline.models.json import JsonObject
from longline.models.runs import Durability, MultitaskStrategy
from longline.services.run_requests import RunRequest
from longline_protocol_langgraph.bodies.types import (
    Body,
    CheckpointBody,
    CommandBody,
    ConfigBody,
    Json,
    Object,
    Uuid,
    checkpoint_of,
    command_of,
)

StreamMode: TypeAlias = Literal[
    "values", "messages", "messages-tuple", "tasks", "checkpoints", "updates", "events", "debug", "custom"
]
Nodes: TypeAlias = Literal["*"] | list[str]

_LONGEST_DELAY_SECONDS = 10 * 365 * 86_400


class RunBody(Body):
    """A run to create, on a thread or without one."""

    assistant_id: str
    input: Json = None
    command: CommandBody | None = None
    metadata: Object | None = None
    config: ConfigBody | None = None
    context: Object | None = None
    checkpoint: CheckpointBody | None = None
    checkpoint_id: str | None = None
    webhook: Annotated[str, Field(min_length=1, max_length=65_536)] | None = None
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    feedback_keys: list[str] | None = None
    multitask_strategy: MultitaskStrategy | None = None
    if_not_exists: Literal["create", "reject"] | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None
    on_completion: Literal["delete", "keep"] | None = None
    after_seconds: Annotated[int | float, Field(ge=0, le=_LONGEST_DELAY_SECONDS)] | None = None
    checkpoint_during: bool | None = None
    durability: Durability | None = None

    def to_request(self, *, thread_id: str | None, request_id: str) -> RunRequest:
        """The request to the run service. Without a thread the run gets one of its own."""
        modes = self.stream_mode if isinstance(self.stream_mode, list) else [self.stream_mode or "values"]
        return RunRequest(
            assistant=self.assistant_id,
            thread_id=thread_id,
            input=self.input,
            command=command_of(self.command),
            metadata=self.metadata or {},
            config=cast("JsonObject", self.config or {}),  # a TypedDict of JSON values is a JSON object
            context=self.context,
            checkpoint=checkpoint_of(self.checkpoint, self.checkpoint_id),
            stream_modes=tuple(dict.fromkeys(modes)) or ("values",),
            subgraphs=bool(self.stream_subgraphs),
            resumable=bool(self.stream_resumable),
            interrupt_before=self.interrupt_before,
            interrupt_after=self.interrupt_after,
            multitask_strategy=self.multitask_strategy or "enqueue",
            if_not_exists=self.if_not_exists or "reject",
            after_seconds=self.after_seconds or 0,
            durability=self._durability(),
            keep_thread=thread_id is None and self.on_completion == "keep",
            webhook=self.webhook,
            feedback_keys=tuple(self.feedback_keys) if self.feedback_keys is not None else None,
            request_id=request_id,
        )

    def _durability(self) -> Durability:
        """`checkpoint_during` is what `durability` was called before it had three values."""
        return self.durability or ("exit" if self.checkpoint_during is False else "async")


class CancelBody(Body):
    """Runs to cancel: some of a thread, or all of a status."""

    thread_id: Uuid
    run_ids: Annotated[list[Uuid], Field(min_length=1)]


class CancelStatusBody(Body):
    """Runs to cancel, whatever their thread."""

    status: Literal["pending", "running", "all"]


RUN = TypeAdapter(RunBody)
BATCH: TypeAdapter[list[RunBody]] = TypeAdapter(Annotated[list[RunBody], Field(min_length=1)])
CANCEL: TypeAdapter[CancelBody | CancelStatusBody] = TypeAdapter(CancelStatusBody | CancelBody)
