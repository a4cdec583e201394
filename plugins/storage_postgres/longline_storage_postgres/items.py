"""LangGraph's store for long-term memory, with our table and statements."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final

import orjson
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    get_text_at_path,
    validate_op_namespace,
)
from psycopg.rows import DictRow

from longline.graphs.embedding import Embedder, ItemOptions
from longline.settings import ItemIndexSettings
from longline.threads import on_loop
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.item_searches import Query, namespaces, search
from longline_storage_postgres.patience import Patience
from longline_storage_postgres.statements import load_statements
from longline_storage_postgres.vectors import with_vectors

_SQL = load_statements("items")

_LONGEST_WAIT: Final = 60.0
"""Seconds that a graph waits in the store for a database that is away."""

Name = tuple[str, str]
"""An item's `prefix` and `key`, as columns hold them."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One write, ready for its statements: a value of None removes the item."""

    value: str | None
    ttl: float | None
    vectors: Sequence[tuple[str, list[float]]] = ()


@dataclass(frozen=True, slots=True)
class _NewVector:
    """A text of a value, and where it was."""

    field: str
    text: str


class PostgresItems(BaseStore):
    """The store. Vectors are made before the database is asked. Who reads sees no item whose time is over. A graph
    waits for a while if the database is away. `vectors` is the schema in which pgvector stands."""

    supports_ttl = True

    def __init__(self, database: Database, patience: Patience, options: ItemOptions, vectors: str | None) -> None:
        self._database = database
        self._patience = patience
        self._index = options.index
        self._embedder: Embedder | None = options.embedder()
        self._vectors = vectors
        self._loop = asyncio.get_running_loop()
        ttl = options.ttl
        self.ttl_config = TTLConfig(
            default_ttl=ttl.default_ttl if ttl is not None else None,
            refresh_on_read=ttl.refresh_on_read if ttl is not None else True,
            sweep_interval_minutes=None,
        )

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """See BaseStore. For threads other than the event loop's: raises InvalidStateError on it."""
        return on_loop(self.abatch(ops), self._loop)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """See BaseStore. What a batch reads is as it was before its writes, which are one transaction."""
        wanted = list(ops)
        for op in wanted:
            validate_op_namespace(op)
        queries = await self._queries(wanted)
        rows = await self._prepared([op for op in wanted if isinstance(op, PutOp)])

        async def work() -> list[Result]:
            results, refreshed = await self._read(wanted, queries)
            if refreshed:
                await self._refresh(refreshed)
            if rows:
                await self._write(rows)
            return results

        if var_child_runnable_config.get() is None:  # no graph: whoever asks hears at once what is the matter
            return await work()
        return await self._patience.until_done(work, _LONGEST_WAIT)

    # -- reading ----------------------------------------------------------------------------------------------------

    async def _queries(self, ops: Sequence[Op]) -> dict[str, Query]:
        if self._embedder is None or self._vectors is None:
            return {}
        texts = list(dict.fromkeys(op.query for op in ops if isinstance(op, SearchOp) and op.query))
        vectors = await self._embedder.of_queries(texts)
        return {text: Query(vector, self._vectors) for text, vector in zip(texts, vectors, strict=True)}

    async def _read(self, ops: Sequence[Op], queries: Mapping[str, Query]) -> tuple[list[Result], list[Name]]:
        """What was asked for, and which of it gets its whole time again."""
        results: list[Result] = [None] * len(ops)
        refreshed: set[Name] = set()
        gets = [op for op in ops if isinstance(op, GetOp)]
        if len(gets) + sum(isinstance(op, PutOp) for op in ops) == len(ops):
            found = await self._database.read(lambda connection: _get(connection, gets)) if gets else {}
            lists: dict[int, list[DictRow]] = {}
        else:
            found, lists = await self._database.read_snapshot(
                lambda connection: _read_all(connection, ops, gets, queries)
            )
        for place, op in enumerate(ops):
            rows = lists.get(place, [])
            if isinstance(op, GetOp):
                row = found.get(_name(op.namespace, op.key))
                rows = [] if row is None else [row]
                results[place] = None if row is None else _item(row)
            elif isinstance(op, SearchOp):
                results[place] = [_found(row) for row in rows]
            elif isinstance(op, ListNamespacesOp):
                results[place] = [tuple(row["prefix"].split(".")) for row in rows]
            if isinstance(op, GetOp | SearchOp) and op.refresh_ttl:
                refreshed |= {(row["prefix"], row["key"]) for row in rows if row["has_ttl"]}
        return results, sorted(refreshed)

    # -- writing ----------------------------------------------------------------------------------------------------

    async def _prepared(self, puts: Sequence[PutOp]) -> dict[Name, _Row]:
        """What is to be written, encoded and with its vectors; the last word on each item counts."""
        rows = {_name(op.namespace, op.key): op for op in puts}
        encoded = {name: _Row(_encoded(op), op.ttl) for name, op in sorted(rows.items(), key=lambda row: row[0])}
        if self._embedder is None or self._index is None:
            return encoded
        texts = {name: _texts(rows[name], self._index) for name in encoded}
        vectors = iter(await self._embedder.of_documents([new.text for part in texts.values() for new in part]))
        return {
            name: _Row(row.value, row.ttl, [(new.field, next(vectors)) for new in texts[name]])
            for name, row in encoded.items()
        }

    async def _refresh(self, names: Sequence[Name]) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute(_SQL["refresh"], _columns(names))

        await self._database.write_alone(work)

    async def _write(self, rows: Mapping[Name, _Row]) -> None:
        put = {name: row for name, row in rows.items() if row.value is not None}
        gone = _columns([name for name in rows if name not in put])
        values = {
            **_columns(put),
            "values": [row.value for row in put.values()],
            "ttls": [row.ttl for row in put.values()],
            "gone_prefixes": gone["prefixes"],
            "gone_keys": gone["keys"],
        }
        vectors = [
            {"prefix": name[0], "key": name[1], "field_name": at, "dims": len(vector), "embedding": vector}
            for name, row in put.items()
            for at, vector in row.vectors
        ]
        schema = self._vectors

        async def work(connection: Connection) -> None:
            await connection.execute(_SQL["write"], values)
            if vectors and schema is not None:
                async with connection.cursor() as cursor:
                    await cursor.executemany(with_vectors("put_vectors", schema), vectors)

        await (self._database.write(work) if vectors else self._database.write_alone(work))


async def _get(connection: Connection, gets: Sequence[GetOp]) -> dict[Name, DictRow]:
    names = sorted({_name(op.namespace, op.key) for op in gets})
    rows = await (await connection.execute(_SQL["get"], _columns(names))).fetchall()
    return {(row["prefix"], row["key"]): row for row in rows}


async def _read_all(
    connection: Connection, ops: Sequence[Op], gets: Sequence[GetOp], queries: Mapping[str, Query]
) -> tuple[dict[Name, DictRow], dict[int, list[DictRow]]]:
    """The items that were named, and what each search and list found."""
    found = await _get(connection, gets) if gets else {}
    lists = {}
    for place, op in enumerate(ops):
        if isinstance(op, SearchOp):
            statement, parameters = search(op, queries.get(op.query) if op.query else None)
        elif isinstance(op, ListNamespacesOp):
            statement, parameters = namespaces(op)
        else:
            continue
        # Not prepared: which plan is good depends on the namespace.
        lists[place] = await (await connection.execute(statement, parameters, prepare=False)).fetchall()
    return found, lists


def _item(row: DictRow) -> Item:
    return Item(
        value=orjson.loads(row["value"]),
        key=row["key"],
        namespace=tuple(row["prefix"].split(".")),
        created_at=row["created_at"].astimezone(UTC),
        updated_at=row["updated_at"].astimezone(UTC),
    )


def _found(row: DictRow) -> SearchItem:
    return SearchItem(
        namespace=tuple(row["prefix"].split(".")),
        key=row["key"],
        value=orjson.loads(row["value"]),
        created_at=row["created_at"].astimezone(UTC),
        updated_at=row["updated_at"].astimezone(UTC),
        score=row["score"],
    )


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
    return ".".join(namespace), key


def _columns(names: Iterable[Name]) -> dict[str, list[str]]:
    pairs = list(names)
    return {"prefixes": [prefix for prefix, _ in pairs], "keys": [key for _, key in pairs]}
