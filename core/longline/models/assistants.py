"""Assistants: a graph with a configuration of its own, kept in versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.pages import SortOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """One version of an assistant. In a list of versions `created_at` and `updated_at` are the version's own."""

    assistant_id: str
    graph_id: str
    name: str
    description: str | None
    config: JsonObject
    context: JsonObject
    metadata: JsonObject
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantChange:
    """What a new version changes. None keeps the old value; metadata merges, config and context replace."""

    graph_id: str | None = None
    name: str | None = None
    description: str | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None


AssistantSort = Literal["assistant_id", "created_at", "updated_at", "name", "graph_id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantQuery:
    """Which assistants, in which order. `name` is a case-insensitive substring. Ties are ordered by id."""

    visible: Filter = EVERYTHING
    metadata: Filter = EVERYTHING
    graph_id: str | None = None
    name: str | None = None
    limit: int = 10
    offset: int = 0
    sort_by: AssistantSort = "created_at"
    sort_order: SortOrder = "desc"
