"""LangGraph's saver and store over the open database, made when they are first asked for."""

import asyncio
from typing import TYPE_CHECKING

from longline.models.runs import Lease
from longline.slow_imports import import_langgraph
from longline.threads import in_thread
from longline_storage_postgres.backends import PartOptions
from longline_storage_postgres.database import Database
from longline_storage_postgres.patience import Patience
from longline_storage_postgres.vectors import prepare_vectors

if TYPE_CHECKING:
    import_langgraph()
    from longline_storage_postgres.checkpoints import FencedPostgresSaver
    from longline_storage_postgres.items import PostgresItems


class LangGraphParts:
    """Imports LangGraph only when a run needs it: that takes over a second, and a server must answer before."""

    def __init__(self, database: Database, options: PartOptions) -> None:
        self._database = database
        self._options = options
        self._patience = Patience(database.place)
        self._vectors: str | None = None
        self._making = asyncio.Lock()
        self._saver: FencedPostgresSaver | None = None
        self._items: PostgresItems | None = None

    async def prepare(self) -> None:
        """Make what the database needs beyond its schema. Raises StorageError where items are to be found by meaning,
        and the database cannot do that: at start, not when a graph asks."""
        index = self._options.items.index
        self._vectors = await prepare_vectors(self._database, index.dims) if index is not None else None

    async def checkpointer(self, lease: Lease | None) -> "FencedPostgresSaver":
        """The saver, bound to the lease if one is given."""
        if self._saver is None:
            async with self._making:
                if self._saver is None:
                    make = await in_thread(_load_saver)
                    self._saver = make.open(self._database, self._patience, self._options.serde)
        return self._saver if lease is None else self._saver.bound(lease)

    async def items(self) -> "PostgresItems":
        """The store."""
        if self._items is None:
            async with self._making:
                if self._items is None:
                    make = await in_thread(_load_items)
                    self._items = make(self._database, self._patience, self._options.items, self._vectors)
        return self._items

    async def close(self) -> None:
        """Forget what was made."""
        self._saver = None
        self._items = None


def _load_saver() -> "type[FencedPostgresSaver]":
    import_langgraph()
    from longline_storage_postgres.checkpoints import FencedPostgresSaver  # noqa: PLC0415  # see the class above

    return FencedPostgresSaver


def _load_items() -> "type[PostgresItems]":
    import_langgraph()
    from longline_storage_postgres.items import PostgresItems  # noqa: PLC0415  # see the class above

    return PostgresItems
