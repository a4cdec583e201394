"""One owner's view of the item store, for graphs."""

import asyncio
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from longline.threads import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph.store.base import BaseStore, Item, MatchCondition, Op, Result

    from longline.storage.protocols import Storage

_OWNER_LABEL = "longline_owner"


class ItemFaces:
    """The store as one caller may see it, the same from graphs and from every protocol. With `are_placed` the access
    rules say where each caller's items are; otherwise every caller has a part of their own."""

    def __init__(self, storage: "Storage", *, are_placed: bool) -> None:
        self._storage = storage
        self._are_placed = are_placed

    async def of(self, identity: str | None) -> "BaseStore":
        """The store of a caller; all of it where nobody is authenticated (None). Imports LangGraph at the first
        call."""
        store = await self._storage.items()
        return store if identity is None or self._are_placed else owned_items(store, identity)


def owned_items(store: "BaseStore", identity: str) -> "BaseStore":
    """The part of `store` that belongs to `identity`: a store that sees and changes nothing else. Call it on the event
    loop that serves the store. Imports LangGraph."""
    return _owned_items_class()(store, Below(owner_namespace(identity)))


def owner_namespace(identity: str) -> tuple[str, str]:
    """Where the items of an owner are kept. No two identities share one, and none is inside another's."""
    encoded = identity.encode("utf-8", "surrogatepass").hex()
    return _OWNER_LABEL, f"u{encoded}"  # an identity may be empty or contain dots, a label may not


@dataclass(frozen=True, slots=True)
class Below:
    """Moves what is asked of a store below one namespace, and the answers back. Who asks never sees the namespace."""

    root: tuple[str, ...]

    def inside(self, op: "Op") -> "Op":
        """The operation below the root. Raises LangGraph's InvalidNamespaceError."""
        from langgraph.store.base import (  # noqa: PLC0415  # LangGraph is slow to import
            GetOp,
            PutOp,
            SearchOp,
            validate_op_namespace,
        )

        validate_op_namespace(op)
        if isinstance(op, GetOp | PutOp):
            return op._replace(namespace=(*self.root, *op.namespace))
        if isinstance(op, SearchOp):
            return op._replace(namespace_prefix=(*self.root, *op.namespace_prefix))
        depth = None if op.max_depth is None else op.max_depth + len(self.root)
        return op._replace(match_conditions=self._conditions(op.match_conditions or ()), max_depth=depth)

    def _conditions(self, given: "Iterable[MatchCondition]") -> "tuple[MatchCondition, ...]":
        """The root always; prefixes below it; suffixes as they are, but only where they start below it, for a wildcard
        would match the labels of the root too."""
        from langgraph.store.base import MatchCondition  # noqa: PLC0415  # LangGraph is slow to import

        conditions = [MatchCondition("prefix", self.root)]
        for condition in given:
            if condition.match_type == "prefix":
                conditions.append(MatchCondition("prefix", (*self.root, *condition.path)))
            else:
                conditions.append(condition)
                conditions.append(MatchCondition("prefix", (*self.root, *("*" for _ in condition.path))))
        return tuple(conditions)

    def outside(self, result: "Result") -> "Result":
        """The answer without the root."""
        if isinstance(result, list):
            return [self._strip(found) for found in result]  # type: ignore[return-value]  # as uniform as it was
        return None if result is None else self._strip_item(result)

    def _strip(self, found: "Item | tuple[str, ...]") -> "Item | tuple[str, ...]":
        return found[len(self.root) :] if isinstance(found, tuple) else self._strip_item(found)

    def _strip_item(self, item: "Item") -> "Item":
        stripped = copy(item)  # the store may keep the item that it gave
        stripped.namespace = item.namespace[len(self.root) :]
        return stripped


@cache
def _owned_items_class() -> "Callable[[BaseStore, Below], BaseStore]":
    from langgraph.store.base import BaseStore  # noqa: PLC0415  # LangGraph is slow to import

    class OwnedItems(BaseStore):
        """What `below` says of a store, and nothing else of it."""

        def __init__(self, store: BaseStore, below: Below) -> None:
            self._store = store
            self._below = below
            self._loop = asyncio.get_running_loop()
            self.supports_ttl = store.supports_ttl
            self.ttl_config = store.ttl_config

        def batch(self, ops: "Iterable[Op]") -> "list[Result]":
            """See BaseStore. For threads other than the event loop's: raises InvalidStateError on it."""
            if running_loop() is self._loop:
                raise asyncio.InvalidStateError(  # noqa: TRY003  # an error of asyncio
                    "The store would wait for itself: use its async methods (aget, aput, …)."
                )
            return [self._below.outside(found) for found in self._store.batch([self._below.inside(op) for op in ops])]

        async def abatch(self, ops: "Iterable[Op]") -> "list[Result]":
            """See BaseStore."""
            found = await self._store.abatch([self._below.inside(op) for op in ops])
            return [self._below.outside(result) for result in found]

    return OwnedItems
