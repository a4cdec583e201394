"""Bodies that put, find and remove items, and list their namespaces."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from longline.models.items import ItemQuery, NamespaceQuery, NewItem
from longline_protocol_langgraph.bodies.types import LONGEST_TTL_MINUTES, WHOLE, Body, Object, Offset, OrDefault
from longline_protocol_langgraph.query import LARGEST

Label: TypeAlias = Annotated[str, Field(json_schema_extra={"pattern": r"^[^.\u0000]+$"})]
Namespace: TypeAlias = Annotated[list[Label], Field(max_length=100)]
"""Labels from the outermost in. What a label may be the service says."""
Key: TypeAlias = Annotated[str, Field(min_length=1)]
Many: TypeAlias = Annotated[int, Field(ge=0, le=LARGEST), WHOLE]


class ItemPutBody(Body):
    """An item to store."""

    namespace: Namespace = Field(description="Where it is kept: labels without periods.")
    key: Key = Field(description="Its name there.")
    value: Object = Field(description="What is kept.")
    index: Literal[False] | list[str] | None = Field(
        None, description="Which parts of the value can be found by meaning; false: none of them."
    )
    ttl: Annotated[float, Field(ge=0, le=LONGEST_TTL_MINUTES)] | None = Field(
        None, description="Minutes for which it is kept; null: for good. Left out: as configured."
    )

    def to_item(self) -> NewItem:
        """The request to the item service."""
        return NewItem(
            namespace=tuple(self.namespace),
            key=self.key,
            value=self.value,
            index=self.index,
            has_ttl="ttl" in self.model_fields_set,
            ttl_minutes=self.ttl,
        )


class ItemDeleteBody(Body):
    """An item to remove."""

    namespace: OrDefault[Namespace] = Field([], description="Where it is kept.")
    key: Key = Field(description="Its name there.")


class ItemSearchBody(Body):
    """Which items to find."""

    namespace_prefix: OrDefault[Namespace] = Field([], description="The namespace that they are in or below.")
    filter: Object | None = Field(
        None, description="What members of the value must be, or operators: $eq, $ne, $gt, $gte, $lt, $lte."
    )
    limit: OrDefault[Many] = Field(10, description="The most to find.")
    offset: OrDefault[Offset] = Field(0, description="How many to pass over.")
    query: str | None = Field(None, description="What they are about. Needs an index, else it is ignored.")
    refresh_ttl: bool | None = Field(
        None, description="Whether those found are kept for their whole time again. Left out: as configured."
    )

    def to_query(self) -> ItemQuery:
        """The request to the item service."""
        return ItemQuery(
            namespace=tuple(self.namespace_prefix),
            filter=self.filter,
            query=self.query,
            limit=self.limit,
            offset=self.offset,
            refresh_ttl=self.refresh_ttl,
        )


class NamespacesBody(Body):
    """Which namespaces to list."""

    prefix: OrDefault[Namespace] = Field([], description="How they begin; `*` stands for any label.")
    suffix: OrDefault[Namespace] = Field([], description="How they end; `*` stands for any label.")
    max_depth: Annotated[int, Field(ge=1, le=LARGEST), WHOLE] | None = Field(
        None, description="Labels after which they are cut off."
    )
    limit: OrDefault[Many] = Field(100, description="The most to list.")
    offset: OrDefault[Offset] = Field(0, description="How many to pass over.")

    def to_query(self) -> NamespaceQuery:
        """The request to the item service."""
        return NamespaceQuery(
            prefix=tuple(self.prefix),
            suffix=tuple(self.suffix),
            max_depth=self.max_depth,
            limit=self.limit,
            offset=self.offset,
        )


PUT = TypeAdapter(ItemPutBody)
DELETE = TypeAdapter(ItemDeleteBody)
SEARCH = TypeAdapter(ItemSearchBody)
NAMESPACES = TypeAdapter(NamespacesBody)
