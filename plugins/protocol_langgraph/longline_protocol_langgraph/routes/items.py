"""Items of the long-term memory: put, read, find, remove, and list where there are any."""

from typing import Final

from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.models.items import Namespace, StoredItem
from longline.services.server import Server
from longline_protocol_langgraph.bodies.items import DELETE, NAMESPACES, PUT, SEARCH
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.parameters import Flag, Text
from longline_protocol_langgraph.parsing import read_body
from longline_protocol_langgraph.render import Rendered, time_text
from longline_protocol_langgraph.replies import empty_reply, json_reply

KEY: Final = Text("key", "The item's name.", is_required=True)
NAMESPACE: Final = Text("namespace", "Where it is kept: its labels, joined by periods.")
REFRESH: Final = Flag("refresh_ttl", "Whether it is kept for its whole time again. Left out: as configured.")


def item_routes(server: Server) -> list[Route]:
    """The paths below `/store`."""
    api = _Items(server)
    return [
        route("/store/items", PUT=api.put, GET=api.get, DELETE=api.delete),
        route("/store/items/search", POST=api.search),
        route("/store/namespaces", POST=api.namespaces),
    ]


class _Items:
    def __init__(self, server: Server) -> None:
        self._items = server.items

    async def put(self, request: Request) -> ASGIApp:
        body = await read_body(request, PUT)
        await self._items.put(principal_of(request), body.to_item())
        return empty_reply()

    async def get(self, request: Request) -> ASGIApp:
        """An item that is not there is null."""
        key = KEY.of(request)
        if not key:
            return json_reply({"error": "Key is required"}, status=400)
        refresh = REFRESH.of(request) if REFRESH.name in request.query_params else None
        item = await self._items.get(principal_of(request), _namespace(NAMESPACE.of(request)), key, refresh_ttl=refresh)
        return json_reply(None if item is None else _item_json(item))

    async def delete(self, request: Request) -> ASGIApp:
        body = await read_body(request, DELETE)
        await self._items.delete(principal_of(request), tuple(body.namespace), body.key)
        return empty_reply()

    async def search(self, request: Request) -> ASGIApp:
        body = await read_body(request, SEARCH, default={})
        found = await self._items.search(principal_of(request), body.to_query())
        return json_reply({"items": [{**_item_json(item), "score": item.score} for item in found]})

    async def namespaces(self, request: Request) -> ASGIApp:
        body = await read_body(request, NAMESPACES, default={})
        return json_reply({"namespaces": await self._items.namespaces(principal_of(request), body.to_query())})


def _namespace(joined: str | None) -> Namespace:
    return tuple(joined.split(".")) if joined else ()


def _item_json(item: StoredItem) -> Rendered:
    return {
        "namespace": item.namespace,
        "key": item.key,
        "value": item.value,
        "created_at": time_text(item.created_at),
        "updated_at": time_text(item.updated_at),
    }
