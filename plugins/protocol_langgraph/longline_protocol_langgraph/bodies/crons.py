"""Bodies that make, change and find crons."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeAlias, cast

from pydantic import BeforeValidator, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from longline.models.crons import CronChange, CronQuery, CronSort, CronSpec, NewCron
from longline.models.filters import metadata_filter
from longline.models.json import JsonObject
from longline.models.runs import Durability, MultitaskStrategy
from longline_protocol_langgraph.bodies.runs import Nodes, StreamMode
from longline_protocol_langgraph.bodies.types import (
    AssistantName,
    Body,
    ConfigBody,
    Json,
    Limit,
    Object,
    Offset,
    OrDefault,
    SortOrderName,
    Uuid,
)

CronField: TypeAlias = Literal[
    "cron_id", "assistant_id", "thread_id", "on_run_completed", "end_time", "schedule", "timezone", "created_at",
    "updated_at", "user_id", "payload", "next_run_date", "metadata", "enabled",
]  # fmt: skip
CronSortName: TypeAlias = Literal[
    "cron_id", "assistant_id", "thread_id", "next_run_date", "end_time", "created_at", "updated_at"
]
_SORTS: Final[dict[str, CronSort]] = {"next_run_date": "next_tick", "end_time": "end_at"}


def _parsed(text: object) -> object:
    """The moment that a text says: JSON has no type for it. Without an offset it is UTC."""
    if not isinstance(text, str):
        return text
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("time", "must be a date and time in ISO 8601") from None


Moment: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_parsed, json_schema_input_type=Annotated[str, Field(json_schema_extra={"format": "date-time"})]),
]
Completion: TypeAlias = Literal["delete", "keep"]


class CronRunBody(Body):
    """What each run of a cron is told."""

    input: Json = Field(None, description="What the graph gets.")
    metadata: Object | None = Field(None, description="Facts about the cron and its runs.")
    config: ConfigBody | None = Field(None, description="The configuration, on top of the assistant's.")
    context: Object | None = Field(
        None, description="The context, on top of the assistant's. Not together with `config.configurable`."
    )
    webhook: Annotated[str, Field(min_length=1, max_length=65_536)] | None = Field(
        None, description="A URL that is told when a run has ended."
    )
    interrupt_before: Nodes | None = Field(None, description="The nodes to stop before; `*`: all.")
    interrupt_after: Nodes | None = Field(None, description="The nodes to stop after; `*`: all.")
    stream_mode: StreamMode | list[StreamMode] | None = Field(None, description="What a run's stream tells.")
    stream_subgraphs: bool | None = Field(None, description="Whether the stream tells of subgraphs too.")
    stream_resumable: bool | None = Field(None, description="Whether the events of the runs are kept.")
    checkpoint_during: bool | None = Field(
        None, description="The older form of `durability`: false is `exit`.", json_schema_extra={"deprecated": True}
    )
    durability: Durability | None = Field(
        None, description="When states are stored: after every step, meanwhile (`async`), or only the last."
    )

    def to_spec(self, multitask_strategy: MultitaskStrategy | None = None) -> CronSpec:
        """What of it was said."""
        modes = [self.stream_mode] if isinstance(self.stream_mode, str) else self.stream_mode
        return CronSpec(
            input=self.input,
            metadata=self.metadata,
            config=cast("JsonObject | None", self.config),  # a TypedDict of JSON values is a JSON object
            context=self.context,
            webhook=self.webhook,
            interrupt_before=self.interrupt_before,
            interrupt_after=self.interrupt_after,
            multitask_strategy=multitask_strategy,
            stream_modes=tuple(dict.fromkeys(modes)) if modes else None,
            subgraphs=self.stream_subgraphs,
            resumable=self.stream_resumable,
            durability=self.durability or ("exit" if self.checkpoint_during is False else None),
        )


class CronCreateBody(CronRunBody):
    """A cron to create."""

    assistant_id: AssistantName = Field(description="The assistant, or the graph with nothing changed.")
    schedule: str = Field(
        description="Minute, hour, day of month, month and day of week in cron's notation; a sixth field is the second."
    )
    timezone: str | None = Field(None, description="The IANA time zone of the schedule; UTC if left out.")
    end_time: Moment | None = Field(None, description="The moment after which it makes no runs.")
    enabled: OrDefault[bool] = Field(True, description="Whether it makes runs.")
    multitask_strategy: MultitaskStrategy | None = Field(
        None, description="What a run does if one is going on: be refused, queue, or end the other."
    )

    def to_new(self, *, thread_id: str | None = None) -> NewCron:
        """The request to the cron service."""
        return NewCron(
            assistant=self.assistant_id,
            schedule=self.schedule,
            thread_id=thread_id,
            timezone=self.timezone,
            end_at=self.end_time,
            enabled=self.enabled,
            spec=self.to_spec(self.multitask_strategy),
        )


class StatelessCronCreateBody(CronCreateBody):
    """A cron to create whose runs have threads of their own."""

    on_run_completed: OrDefault[Completion] = Field(
        "delete", description="Whether the thread of a run goes when that has ended."
    )

    def to_new(self, *, thread_id: str | None = None) -> NewCron:
        """The request to the cron service."""
        return replace(super().to_new(thread_id=thread_id), keeps_threads=self.on_run_completed == "keep")


class CronPatchBody(CronRunBody):
    """What to change of a cron. What is left out, or null, stays; only a null `end_time` takes the end away."""

    schedule: str | None = Field(None, description="The schedule.")
    timezone: str | None = Field(None, description="The IANA time zone of the schedule.")
    end_time: Moment | None = Field(None, description="The moment after which it makes no runs; null: there is none.")
    on_run_completed: Completion | None = Field(
        None, description="Whether the thread of a run goes when that has ended."
    )
    enabled: bool | None = Field(None, description="Whether it makes runs.")

    def to_change(self) -> CronChange:
        """The request to the cron service."""
        return CronChange(
            schedule=self.schedule,
            timezone=self.timezone,
            end_at=self.end_time,
            has_no_end=self.end_time is None and "end_time" in self.model_fields_set,
            enabled=self.enabled,
            keeps_threads=None if self.on_run_completed is None else self.on_run_completed == "keep",
            spec=self.to_spec(),
        )


class CronCountBody(Body):
    """Which crons."""

    assistant_id: AssistantName | None = Field(None, description="Only those of this assistant, or of a graph's own.")
    thread_id: Uuid | None = Field(None, description="Only those on this thread.")
    metadata: Object | None = Field(None, description="Only those with these pairs in their metadata.")
    enabled: bool | None = Field(None, description="Only those that make runs, or only those that do not.")

    def to_query(self) -> CronQuery:
        """The request to the cron service."""
        return CronQuery(
            metadata=metadata_filter(self.metadata or {}),
            assistant_id=self.assistant_id,
            thread_id=self.thread_id,
            enabled=self.enabled,
            limit=1,
        )


class CronSearchBody(CronCountBody):
    """Which crons, in which order, and what of them."""

    limit: OrDefault[Limit] = Field(10, description="The most crons.")
    offset: OrDefault[Offset] = Field(0, description="How many to pass over.")
    sort_by: OrDefault[CronSortName] = Field("created_at", description="What to sort by; who has none comes last.")
    sort_order: OrDefault[SortOrderName] = Field("desc", description="Up or down.")
    select: list[CronField] | None = Field(None, description="The fields wanted; all if left out.")

    def to_query(self) -> CronQuery:
        """The request to the cron service."""
        return replace(
            super().to_query(),
            limit=self.limit,
            offset=self.offset,
            sort_by=_SORTS.get(self.sort_by) or cast("CronSort", self.sort_by),  # the other names are the same
            sort_order=self.sort_order,
        )


CREATE: TypeAdapter[CronCreateBody] = TypeAdapter(StatelessCronCreateBody)
CREATE_ON_THREAD = TypeAdapter(CronCreateBody)
PATCH = TypeAdapter(CronPatchBody)
SEARCH = TypeAdapter(CronSearchBody)
COUNT = TypeAdapter(CronCountBody)
