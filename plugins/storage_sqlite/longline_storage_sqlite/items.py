"""LangGraph's store for long-term memory: it reads with LangGraph's statements, and writes through the one writer."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import orjson
from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
    get_text_at_path,
    validate_op_namespace,
)
from langgraph.store.sqlite import SqliteStore
from langgraph.store.sqlite.base import SqliteIndexConfig

from longline.graphs.embedding import Embedder, ItemOptions
from longline.settings import ItemIndexSettings
from longline.threads import in_thread, running_loop
from longline_storage_sqlite.connections import open_writer
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.statements import load_statements
from longline_storage_sqlite.vectors import load_vectors, packed

logger = logging.getLogger(__name__)

_SQL = load_statements("items")

_ORDERS = frozenset({"$gt", "$gte", "$lt", "$lte"})

Name = Mapping[str, str]
"""An item's `prefix` and `key`, as columns hold them."""


@dataclass(frozen=True, slots=True)
class _NewVector:
    """A text of a value, where it was, and what became of it."""

    field: str
    text: str


class SqliteItems(BaseStore):
    """The store: what writes goes through the one writer, the rest through the readers. Vectors are made before either
    is asked. Who reads sees no item whose time is over."""

    supports_ttl = True

    def __init__(self, database: Database, options: ItemOptions, *, has_vectors: bool) -> None:
        self._database = database
        self._index = options.index
        self._embedder: Embedder | None = options.embedder()
        self._has_vectors = has_vectors
        self._loop = asyncio.get_running_loop()
        ttl = options.ttl
        self.ttl_config = TTLConfig(
            default_ttl=ttl.default_ttl if ttl is not None else None,
            refresh_on_read=ttl.refresh_on_read if ttl is not None else True,
            sweep_interval_minutes=None,
        )

    @classmethod
    async def open(cls, database: Database, options: ItemOptions) -> "SqliteItems":
        """Bring LangGraph's tables up to date and open the store."""
        has_vectors = await in_thread(_set_up, database, options.index)
        return cls(database, options, has_vectors=has_vectors)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """See BaseStore. For threads other than the event loop's: raises InvalidStateError on it."""
        if running_loop() is self._loop:
            raise asyncio.InvalidStateError(  # noqa: TRY003  # an error of asyncio
                "The store would wait for itself: use its async methods (aget, aput, …)."
            )
        return asyncio.run_coroutine_threadsafe(self.abatch(ops), self._loop).result()

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """See BaseStore. What a batch reads is as it was before its writes, which are one transaction."""
        wanted = list(ops)
        for op in wanted:
            validate_op_namespace(op)
        results: list[Result] = [None] * len(wanted)
        reads = [(place, op) for place, op in enumerate(wanted) if not isinstance(op, PutOp)]
        puts = [op for op in wanted if isinstance(op, PutOp)]
        refreshed: list[Name] = []
        if reads:
            queries = await self._queries([op for _, op in reads])
            found, refreshed = await self._database.readers.run(
                lambda connection: self._read(connection, [op for _, op in reads], queries)
            )
            for (place, _), result in zip(reads, found, strict=True):
                results[place] = result
        if puts or refreshed:
            rows = await self._prepared(puts)
            await self._database.writer.run(lambda connection: self._write(connection, refreshed, rows))
        return results

    # -- reading ----------------------------------------------------------------------------------------------------

    async def _queries(self, ops: Sequence[Op]) -> dict[str, list[float]]:
        if self._embedder is None:
            return {}
        texts = list(dict.fromkeys(op.query for op in ops if isinstance(op, SearchOp) and op.query))
        return dict(zip(texts, await self._embedder.of_queries(texts), strict=True))

    def _read(
        self, connection: sqlite3.Connection, ops: Sequence[Op], queries: Mapping[str, list[float]]
    ) -> tuple[list[Result], list[Name]]:
        """What was asked for, and which of it gets its whole time again."""
        if queries:
            load_vectors(connection)
        asked = [_from_the_start(op) if queries else op for op in ops]
        found = _Statements(connection, queries).batch(asked)
        results = [_page(op, result) if queries else result for op, result in zip(ops, found, strict=True)]
        names = [
            _name(item.namespace, item.key)
            for op, result in zip(ops, results, strict=True)
            if isinstance(op, GetOp | SearchOp) and op.refresh_ttl
            for item in _items(result)
        ]
        return results, [name for name in names if connection.execute(_SQL["expires"], name).fetchone()[0]]

    # -- writing ----------------------------------------------------------------------------------------------------

    async def _prepared(self, puts: Sequence[PutOp]) -> "list[_Row]":
        """What is to be written, encoded and with its vectors."""
        rows = [_Row(name=_name(op.namespace, op.key), op=op, value=_encoded(op)) for op in puts]
        if self._embedder is None or self._index is None:
            return rows
        texts = [_texts(op, self._index) for op in puts]
        vectors = iter(await self._embedder.of_documents([new.text for part in texts for new in part]))
        return [
            _Row(row.name, row.op, row.value, [(new.field, packed(next(vectors))) for new in part])
            for row, part in zip(rows, texts, strict=True)
        ]

    def _write(self, connection: sqlite3.Connection, refreshed: Sequence[Name], rows: "Sequence[_Row]") -> None:
        connection.executemany(_SQL["refresh"], refreshed)
        for row in rows:
            if row.value is None:
                connection.execute(_SQL["delete"], row.name)
                continue
            connection.execute(_SQL["put"], {**row.name, "value": row.value, "ttl": row.op.ttl})
            if self._has_vectors:
                connection.execute(_SQL["delete_vectors"], row.name)
                named = [(row.name["prefix"], row.name["key"], *vector) for vector in row.vectors]
                connection.executemany(_SQL["put_vector"], named)


@dataclass(frozen=True, slots=True)
class _Row:
    """One write, ready for its statements: a value of None removes the item."""

    name: Name
    op: PutOp
    value: str | None
    vectors: Sequence[tuple[str, bytes]] = ()


class _Statements(SqliteStore):
    """LangGraph's statements over a connection that only reads, with the vectors of what they search for."""

    def __init__(self, connection: sqlite3.Connection, queries: Mapping[str, list[float]]) -> None:
        super().__init__(connection)
        self.is_setup = True
        if queries:
            self.index_config = SqliteIndexConfig(dims=0, embed=_unused)  # that there is one is all that is looked at
            self.embeddings = _Ready(queries)

    @contextmanager
    def _cursor(self, *, transaction: bool = True) -> Iterator[sqlite3.Cursor]:  # noqa: ARG002  # one state of the file
        self.conn.execute("BEGIN")
        try:
            with closing(self.conn.cursor()) as cursor:
                yield cursor
        finally:
            self.conn.execute("ROLLBACK")

    def _get_filter_condition(self, key: str, op: str, value: object) -> tuple[str, list[object]]:
        # Encoded objects are bytes there, which SQLite never finds equal to a text.
        condition, parameters = super()._get_filter_condition(key, op, value)
        if op in _ORDERS and isinstance(value, int | float):  # a text is 0 there; the key has just been checked
            condition = f"({condition} AND json_type(value, '$.{key}') IN ('integer', 'real'))"
        return condition, [part.decode() if isinstance(part, bytes) else part for part in parameters]


def _unused(texts: Sequence[str]) -> list[list[float]]:
    raise NotImplementedError(texts)


class _Ready:
    """Vectors that were made before the connection was asked for."""

    def __init__(self, vectors: Mapping[str, list[float]]) -> None:
        self._vectors = vectors

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of these texts."""
        return [self._vectors[text] for text in texts]


def _from_the_start(op: Op) -> Op:
    """LangGraph looks at twice `limit` vectors, wherever the page begins: what comes before it is asked for too."""
    if isinstance(op, SearchOp) and op.query:
        return op._replace(limit=op.limit + op.offset, offset=0)
    return op


def _page(op: Op, result: Result) -> Result:
    """What was really asked for."""
    if isinstance(op, SearchOp) and op.query and isinstance(result, list):
        return result[op.offset :]
    return result


def _items(result: Result) -> Iterator[Item]:
    for item in result if isinstance(result, list) else [result]:
        if isinstance(item, Item):
            yield item


def _texts(op: PutOp, index: ItemIndexSettings) -> list[_NewVector]:
    """What of a value is embedded."""
    if op.value is None or op.index is False:
        return []
    fields = op.index if op.index is not None else index.fields or ["$"]
    found = []
    for field in dict.fromkeys(fields):
        texts = get_text_at_path(op.value, field)
        found += [_NewVector(f"{field}.{at}" if len(texts) > 1 else field, text) for at, text in enumerate(texts)]
    return found


def _encoded(op: PutOp) -> str | None:
    return None if op.value is None else orjson.dumps(dict(op.value)).decode()


def _name(namespace: Sequence[str], key: str) -> Name:
    return {"prefix": ".".join(namespace), "key": key}


def _set_up(database: Database, index: ItemIndexSettings | None) -> bool:
    """Bring LangGraph's tables up to date; whether there is one of vectors."""
    # Not through the writer: the script of a migration commits by itself.
    with closing(open_writer(database.path, busy_timeout_seconds=database.busy_timeout_seconds)) as connection:
        SqliteStore(connection).setup()
        if index is None:
            return bool(connection.execute(_SQL["has_vectors"]).fetchone()[0])
        # Not by LangGraph's set-up, which asks for an extension that not every Python can load.
        connection.execute(_SQL["create_vectors"])
        foreign = connection.execute(_SQL["delete_other_vectors"], {"size": 4 * index.dims}).rowcount
        if foreign:
            logger.warning("vectors of another size removed", extra={"vectors": foreign, "dims": index.dims})
        return True
