"""What operations on several things have in common."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from longline_protocol_langgraph.openapi.answers import Count
from longline_protocol_langgraph.openapi.operation import Operation, json_answer

FOUND_HEADERS: Final = {
    "X-Pagination-Total": "How many there are in all.",
    "X-Pagination-Next": "The offset of the next page; missing on the last one.",
}


def as_shape(kind: Any) -> TypeAdapter[Any]:  # any type that pydantic takes
    """A type that is no class: a list, a number with bounds."""
    return TypeAdapter(kind)


def find_operation(
    things: str, shape: TypeAdapter[Any], body: TypeAdapter[Any], refusals: Sequence[int] = ()
) -> Operation:
    """A search. `shape` is the list of what is found."""
    found = json_answer(f"{things.capitalize()}.", shape, is_partial=True, headers=FOUND_HEADERS)
    return Operation(summary=f"Find {things}", body=body, answers=[found], refusals=refusals)


def count_operation(things: str, body: TypeAdapter[Any], refusals: Sequence[int] = ()) -> Operation:
    """How many a search would find."""
    counted = json_answer("How many there are.", as_shape(Count))
    return Operation(summary=f"Count {things}", body=body, answers=[counted], refusals=refusals)
