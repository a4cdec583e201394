"""Bodies that make, change and find assistants."""

from typing import Annotated, Literal, TypeAlias, cast

from pydantic import Field, TypeAdapter

from longline.models.assistants import AssistantChange, AssistantQuery, AssistantSort
from longline.models.filters import metadata_filter
from longline.models.json import JsonObject
from longline.services.assistants import NewAssistant
from longline_protocol_langgraph.bodies.types import (
    Body,
    ConfigBody,
    IfExists,
    Limit,
    Object,
    Offset,
    SortOrderName,
    Uuid,
)
from longline_protocol_langgraph.query import LARGEST

AssistantField: TypeAlias = Literal[
    "assistant_id", "graph_id", "name", "description", "config", "context", "created_at", "updated_at", "metadata",
    "version",
]  # fmt: skip


class AssistantCreateBody(Body):
    """An assistant to create."""

    graph_id: str
    assistant_id: Uuid | None = None
    name: str | None = None
    description: str | None = None
    config: ConfigBody | None = None
    context: Object | None = None
    metadata: Object | None = None
    if_exists: IfExists | None = None

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
            if_exists=self.if_exists or "raise",
        )


class AssistantPatchBody(Body):
    """What a new version changes."""

    graph_id: str | None = None
    name: str | None = None
    description: str | None = None
    config: ConfigBody | None = None
    context: Object | None = None
    metadata: Object | None = None

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


class AssistantSearchBody(Body):
    """Which assistants, in which order, and what of them."""

    metadata: Object | None = None
    graph_id: str | None = None
    name: str | None = None
    limit: Limit | None = None
    offset: Offset | None = None
    sort_by: AssistantSort | None = None
    sort_order: SortOrderName | None = None
    select: list[AssistantField] | None = None

    def to_query(self) -> AssistantQuery:
        """The request to the assistant service."""
        return AssistantQuery(
            metadata=metadata_filter(self.metadata or {}),
            graph_id=self.graph_id,
            name=self.name,
            limit=self.limit or 10,
            offset=self.offset or 0,
            sort_by=self.sort_by or "created_at",
            sort_order=self.sort_order or "desc",
        )


class VersionsBody(Body):
    """Which versions of an assistant."""

    metadata: Object | None = None
    limit: Limit | None = None
    offset: Offset | None = None


class LatestBody(Body):
    """The version that is to be the current one."""

    version: Annotated[int, Field(ge=0, le=LARGEST)]


def _object(value: ConfigBody | None) -> JsonObject | None:
    return cast("JsonObject | None", value)  # a TypedDict of JSON values is a JSON object


CREATE = TypeAdapter(AssistantCreateBody)
PATCH = TypeAdapter(AssistantPatchBody)
SEARCH = TypeAdapter(AssistantSearchBody)
VERSIONS = TypeAdapter(VersionsBody)
LATEST = TypeAdapter(LatestBody)
