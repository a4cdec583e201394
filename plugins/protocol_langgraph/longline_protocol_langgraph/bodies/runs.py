"""Bodies that make or end runs."""

from dataclasses import replace
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import Field, TypeAdapter

from longline.models.json import JsonObject
from longline.models.runs import Durability, MultitaskStrategy
from longline.services.run_requests import RunRequest
from longline_protocol_langgraph.bodies.feedback import FeedbackKeys
from longline_protocol_langgraph.bodies.types import (
    AssistantName,
    Body,
    CheckpointBody,
    CommandBody,
    ConfigBody,
    Json,
    Object,
    OrDefault,
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
    """A run to create: what it is told wherever it runs."""

    assistant_id: AssistantName = Field(description="The assistant, or the graph with nothing changed.")
    input: Json = Field(None, description="What the graph gets.")
    command: CommandBody | None = Field(None, description="What the graph is told instead of an input.")
    metadata: Object | None = Field(None, description="Facts about the run.")
    config: ConfigBody | None = Field(None, description="The configuration, on top of the assistant's.")
    context: Object | None = Field(
        None, description="The context, on top of the assistant's. Not together with `config.configurable`."
    )
    webhook: Annotated[str, Field(min_length=1, max_length=65_536)] | None = Field(
        None, description="A URL that is told when the run has ended."
    )
    interrupt_before: Nodes | None = Field(None, description="The nodes to stop before; `*`: all.")
    interrupt_after: Nodes | None = Field(None, description="The nodes to stop after; `*`: all.")
    stream_mode: OrDefault[StreamMode | list[StreamMode]] = Field("values", description="What the run's stream tells.")
    stream_subgraphs: OrDefault[bool] = Field(False, description="Whether the stream tells of subgraphs too.")
    stream_resumable: OrDefault[bool] = Field(
        False, description="Whether events are kept, so that `Last-Event-ID` can go on behind one."
    )
    feedback_keys: FeedbackKeys | None = Field(
        None, description="What people may give feedback on: the run's stream ends with a link for each."
    )
    on_disconnect: OrDefault[Literal["cancel", "continue"]] = Field(
        "continue", description="What becomes of the run if the client leaves while it follows or waits."
    )
    after_seconds: OrDefault[Annotated[float, Field(ge=0, le=_LONGEST_DELAY_SECONDS)]] = Field(
        0, description="Seconds to wait before the start."
    )
    checkpoint_during: bool | None = Field(
        None, description="The older form of `durability`: false is `exit`.", json_schema_extra={"deprecated": True}
    )
    durability: Durability | None = Field(
        None,
        description="When states are stored: after every step, meanwhile (`async`), or only the last.",
        json_schema_extra={"default": "async"},
    )

    def to_request(self, *, thread_id: str | None, request_id: str) -> RunRequest:
        """The request to the run service. Without a thread the run gets one of its own."""
        modes = self.stream_mode if isinstance(self.stream_mode, list) else [self.stream_mode]
        return RunRequest(
            assistant=self.assistant_id,
            thread_id=thread_id,
            input=self.input,
            command=command_of(self.command),
            metadata=self.metadata or {},
            config=cast("JsonObject", self.config or {}),  # a TypedDict of JSON values is a JSON object
            context=self.context,
            stream_modes=tuple(dict.fromkeys(modes)) or ("values",),
            subgraphs=self.stream_subgraphs,
            resumable=self.stream_resumable,
            interrupt_before=self.interrupt_before,
            interrupt_after=self.interrupt_after,
            after_seconds=self.after_seconds,
            durability=self._durability(),
            webhook=self.webhook,
            feedback_keys=tuple(self.feedback_keys) if self.feedback_keys is not None else None,
            request_id=request_id,
        )

    def _durability(self) -> Durability:
        """`checkpoint_during` is what `durability` was called before it had three values."""
        return self.durability or ("exit" if self.checkpoint_during is False else "async")


class ThreadRunBody(RunBody):
    """A run to create on a thread."""

    checkpoint: CheckpointBody | None = Field(None, description="The state to start from; the newest if left out.")
    checkpoint_id: str | None = Field(None, description="The same by its id alone.")
    multitask_strategy: OrDefault[MultitaskStrategy] = Field(
        "enqueue", description="What to do if a run is going on: refuse this one, queue it, or end the other."
    )
    if_not_exists: OrDefault[Literal["create", "reject"]] = Field(
        "reject", description="What to do if there is no such thread."
    )

    def to_request(self, *, thread_id: str | None, request_id: str) -> RunRequest:
        """The request to the run service."""
        return replace(
            super().to_request(thread_id=thread_id, request_id=request_id),
            checkpoint=checkpoint_of(self.checkpoint, self.checkpoint_id),
            multitask_strategy=self.multitask_strategy,
            if_not_exists=self.if_not_exists,
        )


class StatelessRunBody(RunBody):
    """A run to create with a thread of its own."""

    on_completion: OrDefault[Literal["delete", "keep"]] = Field(
        "delete", description="Whether its thread goes when the run has ended."
    )

    def to_request(self, *, thread_id: str | None, request_id: str) -> RunRequest:
        """The request to the run service."""
        asked = super().to_request(thread_id=thread_id, request_id=request_id)
        return replace(asked, keep_thread=self.on_completion == "keep")


class CancelBody(Body):
    """Runs of a thread to cancel."""

    thread_id: Uuid = Field(description="The thread.")
    run_ids: Annotated[list[Uuid], Field(min_length=1, description="The runs.")]


class CancelStatusBody(Body):
    """Runs to cancel, whatever their thread."""

    status: Literal["pending", "running", "all"] = Field(description="Runs that wait, runs that are going on, or both.")


RUN = TypeAdapter(ThreadRunBody)
STATELESS_RUN = TypeAdapter(StatelessRunBody)
BATCH: TypeAdapter[list[StatelessRunBody]] = TypeAdapter(Annotated[list[StatelessRunBody], Field(min_length=1)])
CANCEL: TypeAdapter[CancelBody | CancelStatusBody] = TypeAdapter(CancelStatusBody | CancelBody)
