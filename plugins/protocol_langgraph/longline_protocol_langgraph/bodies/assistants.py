"""Bodies that make, change and find assistants."""

from dataclasses import replace
from typing import Literal, TypeAlias, cast

from pydantic import Field, TypeAdapter

from longline.models.assistants import AssistantChange, AssistantQuery, AssistantSort
from longline.models.filters import metadata_filter
from longline.models.json import JsonObject
from longline.services.assistants import NewAssistant
from longline_protocol_langgraph.bodies.types import (
    Body,
    ConfigBody,
    GraphName,
    IfExists,
    Limit,
    Object,
    Offset,
    OrDefault,
    SortOrderName,
    Uuid,
)

AssistantField: TypeAlias = Literal[
    "assistant_id", "graph_id", "name", "description", "config", "context", "created_at", "updated_at", "metadata",
    "version",
]  # fmt: skip


class AssistantCreateBody(Body):
    """An assistant to create."""

    graph_id: GraphName = Field(description="The graph.")
    assistant_id: Uuid | None = Field(None, description="Its id; a new one if it is left out.")
    name: str | None = Field(None, description="Its name; `Untitled` if it is left out.")
    description: str | None = Field(None, description="What it is for.")
    config: ConfigBody | None = Field(None, description="The configuration of its runs.")
    context: Object | None = Field(
        None, description="The context of its runs: the same values as `config.configurable`, so give one of the two."
    )
    metadata: Object | None = Field(None, description="Facts to search by.")
    if_exists: OrDefault[IfExists] = Field(
        "raise", description="What to do if the id is taken: refuse, or answer with the assistant that is there."
    )

    def to_new(self) -> NewAssistant:
        """The request to the assistant service."""
        return NewAssistant(
            graph_id=self.graph_id,
            assistant_id=self.assistant_id,
            name=self.name,
            description=self.description,
            config=_object(self.config),
            context=self.context,
            metadata=self.metadata,
            if_exists=self.if_exists,
        )


class AssistantPatchBody(Body):
    """What a new version changes. What is left out stays."""

    graph_id: GraphName | None = Field(None, description="The graph.")
    name: str | None = Field(None, description="Its name.")
    description: str | None = Field(None, description="What it is for.")
    config: ConfigBody | None = Field(None, description="Replaces the configuration.")
    context: Object | None = Field(None, description="Replaces the context.")
    metadata: Object | None = Field(None, description="Merged with the metadata that is there.")

    def to_change(self) -> AssistantChange:
        """The request to the assistant service."""
        return AssistantChange(
            graph_id=self.graph_id,
            name=self.name,
            description=self.description,
            config=_object(self.config),
            context=self.context,
            metadata=self.metadata,
        )


class AssistantCountBody(Body):
    """Which assistants to count."""

    metadata: Object | None = Field(None, description="What their metadata must hold.")
    graph_id: str | None = Field(None, description="Their graph.")
    name: str | None = Field(None, description="A part of their name, in capitals or not.")

    def to_query(self) -> AssistantQuery:
        """The request to the assistant service."""
        return AssistantQuery(
            metadata=metadata_filter(self.metadata or {}), graph_id=self.graph_id, name=self.name, limit=1
        )


class AssistantSearchBody(AssistantCountBody):
    """Which assistants, in which order, and what of them."""

    limit: OrDefault[Limit] = Field(10, description="The most to answer with.")
    offset: OrDefault[Offset] = Field(0, description="How many to leave out first.")
    sort_by: OrDefault[AssistantSort] = Field("created_at", description="What to sort by.")
    sort_order: OrDefault[SortOrderName] = Field("desc", description="Smallest or largest first.")
    select: list[AssistantField] | None = Field(None, description="The fields to answer with; all if it is left out.")

    def to_query(self) -> AssistantQuery:
        """The request to the assistant service."""
        return replace(
            super().to_query(),
            limit=self.limit,
            offset=self.offset,
            sort_by=self.sort_by,
            sort_order=self.sort_order,
        )


class VersionsBody(Body):
    """Which versions of an assistant."""

    metadata: Object | None = Field(None, description="What their metadata must hold.")
    limit: OrDefault[Limit] = Field(10, description="The most to answer with.")
    offset: OrDefault[Offset] = Field(0, description="How many to leave out first.")


class LatestBody(Body):
    """The version that is to be the current one."""

    version: Offset = Field(description="Its number.")


def _object(value: ConfigBody | None) -> JsonObject | None:
    return cast("JsonObject | None", value)  # a TypedDict of JSON values is a JSON object


CREATE = TypeAdapter(AssistantCreateBody)
PATCH = TypeAdapter(AssistantPatchBody)
SEARCH = TypeAdapter(AssistantSearchBody)
COUNT = TypeAdapter(AssistantCountBody)
VERSIONS = TypeAdapter(VersionsBody)
LATEST = TypeAdapter(LatestBody)
