"""LangGraph's store behind a cipher."""

from collections.abc import Callable, Iterable
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Final

import orjson

from longline.storage.cipher import Place, Seal

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore, Item, Op, Result

_VALUE: Final = Place("store", "value")


def encrypted_items(store: "BaseStore", seal: Seal) -> "BaseStore":
    """The store, with the values of items encrypted; namespaces and keys stay readable. Imports LangGraph."""
    return _items_class()(store, seal)


@cache
def _items_class() -> "Callable[[BaseStore, Seal], BaseStore]":
    from langgraph.store.base import BaseStore, Item, PutOp  # noqa: PLC0415  # LangGraph is slow to import

    class EncryptedItems(BaseStore):
        """See encrypted_items."""

        def __init__(self, inner: BaseStore, seal: Seal) -> None:
            self._inner = inner
            self._seal = seal
            self.supports_ttl = inner.supports_ttl
            self.ttl_config = inner.ttl_config

        async def abatch(self, ops: "Iterable[Op]") -> "list[Result]":
            """See BaseStore. Filters see values as they are stored."""
            found = await self._inner.abatch([await self._close(op) for op in ops])
            return [await self._open(result) for result in found]

        def batch(self, ops: "Iterable[Op]") -> "list[Result]":
            """See BaseStore. For threads other than the event loop's."""
            return self._seal.from_thread(self.abatch(ops))

        async def _close(self, op: "Op") -> "Op":
            if not isinstance(op, PutOp) or op.value is None:
                return op
            orjson.dumps(op.value)  # what is no JSON is the caller's mistake, not the cipher's
            return op._replace(value=await self._seal.close(_VALUE, dict(op.value)))

        async def _open(self, result: "Result") -> "Result":
            if isinstance(result, list):
                return [await self._open_item(one) if isinstance(one, Item) else one for one in result]  # type: ignore[return-value]  # as uniform as it was
            return await self._open_item(result) if isinstance(result, Item) else result

        async def _open_item(self, item: "Item") -> "Item":
            opened = copy(item)  # the store may keep the item that it gave
            opened.value = await self._seal.open(_VALUE, item.value)
            return opened

    return EncryptedItems
