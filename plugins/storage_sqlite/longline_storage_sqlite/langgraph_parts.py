"""LangGraph's saver and store over the open file, made when they are first asked for."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from longline.graphs.embedding import ItemOptions
from longline.models.runs import Lease
from longline.settings import SerdeSettings
from longline.slow_imports import import_langgraph
from longline.threads import in_thread
from longline_storage_sqlite.database import Database

if TYPE_CHECKING:
    import_langgraph()
    from longline_storage_sqlite.checkpoints import FencedSqliteSaver
    from longline_storage_sqlite.items import SqliteItems


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOptions:
    """What an operator may say about LangGraph's saver and store."""

    items: ItemOptions = field(default_factory=ItemOptions)
    serde: SerdeSettings | None = None


class LangGraphParts:
    """Imports LangGraph only when a run needs it: that takes over a second, and a server must answer before."""

    def __init__(self, database: Database, options: PartOptions) -> None:
        self._database = database
        self._options = options
        self._making = asyncio.Lock()
        self._saver: FencedSqliteSaver | None = None
        self._items: SqliteItems | None = None
        self._opened = AsyncExitStack()

    async def checkpointer(self, lease: Lease | None) -> "FencedSqliteSaver":
        """The saver, bound to the lease if one is given."""
        if self._saver is None:
            async with self._making:
                if self._saver is None:
                    make = await in_thread(_load_saver)
                    self._saver = await make.open(self._database, self._options.serde)
                    self._opened.push_async_callback(self._saver.aclose)
        return self._saver if lease is None else self._saver.bound(lease)

    async def items(self) -> "SqliteItems":
        """The store."""
        if self._items is None:
            async with self._making:
                if self._items is None:
                    make = await in_thread(_load_items)
                    self._items = await make.open(self._database, self._options.items)
        return self._items

    async def close(self) -> None:
        """Close what was opened."""
        await self._opened.aclose()


def _load_saver() -> "type[FencedSqliteSaver]":
    import_langgraph()
    from longline_storage_sqlite.checkpoints import FencedSqliteSaver  # noqa: PLC0415  # see the class above

    return FencedSqliteSaver


def _load_items() -> "type[SqliteItems]":
    import_langgraph()
    from longline_storage_sqlite.items import SqliteItems  # noqa: PLC0415  # see the class above

    return SqliteItems
