"""One page of a search, and how a search is ordered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

SortOrder = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items in the asked order, and how many there are in all before `limit` and `offset`."""

    items: Sequence[T]
    total: int
