"""What answers with several things have in common."""

from typing import Any, Final

from pydantic import TypeAdapter

FOUND_HEADERS: Final = {
    "X-Pagination-Total": "How many there are in all.",
    "X-Pagination-Next": "The offset of the next page; missing on the last one.",
}


def as_shape(kind: Any) -> TypeAdapter[Any]:  # any type that pydantic takes
    """A type that is no class: a list, a number with bounds."""
    return TypeAdapter(kind)
