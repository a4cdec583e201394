"""Items, as a principal may see and change them: the same that graphs get as their store."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from longline.auth.access import Access, Action
from longline.auth.principal import SYSTEM, Principal
from longline.errors import InvalidInputError, InvalidLabelError
from longline.graphs.owned_items import ItemFaces
from longline.models.items import ItemQuery, Namespace, NamespaceQuery, NewItem, StoredItem
from longline.models.json import JsonObject, JsonValue

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore, Item

_VERBS: Final = ("put", "get", "search", "delete", "list_namespaces")
_OPERATORS: Final = frozenset({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"})
_FILTER_KEY: Final = re.compile(r"[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*")
_MOST_CONDITIONS: Final = 100
_EMPTY: Final = "Namespace cannot be empty."
_RESERVED: Final = "langgraph"
"""LangGraph keeps this root for itself."""


def places_items(access: Access) -> bool:
    """Whether the access rules themselves say where each caller's items are, for every action on the store."""
    return all(access.overrides(Action("store", verb)) for verb in _VERBS)


class ItemService:
    """Put, read, find and remove items, and list their namespaces. An access rule may replace `value["namespace"]`,
    also `key`, `value` and `filter`. Items have no metadata: what a rule returns as a filter does not apply to them."""

    def __init__(self, *, faces: ItemFaces, access: Access) -> None:
        self._faces = faces
        self._access = access

    async def put(self, principal: Principal, item: NewItem) -> None:
        """Store an item, in place of one with the same namespace and key. Raises InvalidLabelError,
        InvalidInputError, ForbiddenError."""
        _check_namespace(item.namespace)
        value: dict[str, Any] = {
            "namespace": item.namespace, "key": item.key, "value": dict(item.value), "index": item.index,
        }  # fmt: skip
        namespace = await self._decide(principal, "put", value)
        if not namespace:
            raise InvalidInputError(_EMPTY)
        if namespace[0] == _RESERVED:
            fault = f'Root label for namespace cannot be "{_RESERVED}". Got: {namespace!r}'
            raise InvalidInputError(fault)
        ttl = {"ttl": item.ttl_minutes} if item.has_ttl else {}
        store = await self._store(principal)
        with _as_input_error():
            await store.aput(namespace, str(value["key"]), value["value"], _index(item.index), **ttl)

    async def get(
        self, principal: Principal, namespace: Namespace, key: str, *, refresh_ttl: bool | None = None
    ) -> StoredItem | None:
        """The item, if there is one. Raises InvalidLabelError, ForbiddenError."""
        _check_namespace(namespace)
        value: dict[str, Any] = {"namespace": namespace, "key": key}
        placed = await self._decide(principal, "get", value)
        store = await self._store(principal)
        found = await store.aget(placed, str(value["key"]), refresh_ttl=refresh_ttl)
        return None if found is None else _stored(found)

    async def delete(self, principal: Principal, namespace: Namespace, key: str) -> None:
        """Remove the item, if there is one. Raises InvalidLabelError, ForbiddenError."""
        _check_namespace(namespace)
        value: dict[str, Any] = {"namespace": namespace, "key": key}
        placed = await self._decide(principal, "delete", value)
        store = await self._store(principal)
        await store.adelete(placed, str(value["key"]))

    async def search(self, principal: Principal, query: ItemQuery) -> list[StoredItem]:
        """The items below a namespace. Raises InvalidLabelError, InvalidInputError, ForbiddenError."""
        _check_namespace(query.namespace)
        value: dict[str, Any] = {
            "namespace": query.namespace, "filter": dict(query.filter) if query.filter else None,
            "limit": query.limit, "offset": query.offset, "query": query.query,
        }  # fmt: skip
        namespace = await self._decide(principal, "search", value)
        wanted = value["filter"] or None
        _check_filter(wanted or {})
        store = await self._store(principal)
        with _as_input_error():
            found = await store.asearch(
                namespace,
                query=query.query,
                filter=wanted,
                limit=query.limit,
                offset=query.offset,
                refresh_ttl=query.refresh_ttl,
            )
        return [_stored(item) for item in found]

    async def namespaces(self, principal: Principal, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that hold items, in order. Raises InvalidLabelError, ForbiddenError."""
        _check_namespace(query.prefix)
        _check_namespace(query.suffix)
        value: dict[str, Any] = {
            "namespace": query.prefix, "suffix": query.suffix, "max_depth": query.max_depth, "limit": query.limit,
            "offset": query.offset,
        }  # fmt: skip
        prefix = await self._decide(principal, "list_namespaces", value)
        suffix = tuple(value.get("suffix") or ())
        _check_namespace(suffix)
        store = await self._store(principal)
        return await store.alist_namespaces(
            prefix=prefix or None,
            suffix=suffix or None,
            max_depth=query.max_depth,
            limit=query.limit,
            offset=query.offset,
        )

    async def _decide(self, principal: Principal, verb: str, value: dict[str, Any]) -> Namespace:
        """Ask the rules, and the namespace after that."""
        await self._access.decide(principal, Action("store", verb), value)
        namespace = tuple(value.get("namespace") or ())
        _check_namespace(namespace)
        return namespace

    async def _store(self, principal: Principal) -> "BaseStore":
        owned = principal.is_authenticated and principal is not SYSTEM
        return await self._faces.of(principal.identity if owned else None)


def _check_namespace(namespace: Namespace) -> None:
    for label in namespace:
        if not isinstance(label, str) or not label or "." in label or "\0" in label:
            raise InvalidLabelError(label)


def _check_filter(wanted: Mapping[str, JsonValue]) -> None:
    conditions = sum(len(value) if isinstance(value, dict) else 1 for value in wanted.values())
    if conditions > _MOST_CONDITIONS:
        fault = f"{conditions} conditions in a filter; at most {_MOST_CONDITIONS} are taken"
        raise InvalidInputError(fault)
    for key, value in wanted.items():
        if not _FILTER_KEY.fullmatch(key):
            fault = f"filter key {key!r}: letters, digits, '_', '-' and single dots are expected"
            raise InvalidInputError(fault)
        for operator in value if isinstance(value, dict) else ():
            if operator not in _OPERATORS:
                fault = f"filter operator {operator!r}; there are: {', '.join(sorted(_OPERATORS))}"
                raise InvalidInputError(fault)


def _index(index: Sequence[str] | bool | None) -> Any:  # LangGraph's Literal[False] | list[str] | None
    return False if index is False else list(index) if isinstance(index, Sequence) else None


@contextmanager
def _as_input_error() -> Iterator[None]:
    """What LangGraph's store says about a value is the caller's mistake."""
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInputError(str(error)) from error


def _stored(item: "Item") -> StoredItem:
    value: JsonObject = item.value
    return StoredItem(
        namespace=tuple(item.namespace),
        key=item.key,
        value=value,
        created_at=_aware(item.created_at),
        updated_at=_aware(item.updated_at),
        score=getattr(item, "score", None),
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
