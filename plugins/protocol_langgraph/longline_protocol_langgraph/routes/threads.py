"""Threads: create, read, change, find, copy, delete."""

from collections.abc import Collection

import orjson
from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.errors import NotFoundError
from longline.models.json import JsonObject, JsonValue
from longline.services.server import Server
from longline_protocol_langgraph.bodies.threads import COUNT, CREATE, PATCH, PRUNE, SEARCH
from longline_protocol_langgraph.bodies.types import ttl_of
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.errors import ThreadUnknownError
from longline_protocol_langgraph.extract import Step, follow, parse_path
from longline_protocol_langgraph.pagination import pagination_headers
from longline_protocol_langgraph.parameters import Choices, Text
from longline_protocol_langgraph.parsing import read_body
from longline_protocol_langgraph.query import path_id, require_uuid
from longline_protocol_langgraph.render import Rendered, chosen, footprint_json, thread_copy_json, thread_json
from longline_protocol_langgraph.replies import empty_reply, json_reply

PREFER = Text("Prefer", "`return=minimal`: answer without the thread.", known=("return=minimal",), place="header")
INCLUDE = Choices("include", "What else to show: `ttl`, how long the thread stays.", ("ttl",))


def thread_routes(server: Server) -> list[Route]:
    """The paths of threads themselves."""
    api = _Threads(server)
    return [
        route("/threads", POST=api.create),
        route("/threads/search", POST=api.search),
        route("/threads/count", POST=api.count),
        route("/threads/prune", POST=api.prune),
        route("/threads/{thread_id}", GET=api.get, PATCH=api.update, DELETE=api.delete),
        route("/threads/{thread_id}/copy", POST=api.copy),
        route("/threads/{thread_id}/storage", GET=api.storage),
    ]


class _Threads:
    def __init__(self, server: Server) -> None:
        self._threads = server.threads

    async def create(self, request: Request) -> ASGIApp:
        body = await read_body(request, CREATE)
        thread = await self._threads.create(
            principal_of(request),
            thread_id=require_uuid(body.thread_id, "thread") if body.thread_id is not None else None,
            metadata=body.all_metadata(),
            if_exists=body.if_exists,
            supersteps=body.steps(),
            ttl=ttl_of(body.ttl),
        )
        return json_reply(thread_json(thread))

    async def search(self, request: Request) -> ASGIApp:
        body = await read_body(request, SEARCH)
        query = body.to_query()
        paths = {alias: parse_path(alias, path) for alias, path in (body.extract or {}).items()}
        page = await self._threads.search(principal_of(request), query)
        found = [_found(thread_json(thread), body.select, paths) for thread in page.items]
        return json_reply(found, headers=pagination_headers(page, query.offset))

    async def count(self, request: Request) -> ASGIApp:
        query = (await read_body(request, COUNT)).to_query()
        return json_reply((await self._threads.search(principal_of(request), query)).total)

    async def prune(self, request: Request) -> ASGIApp:
        """Removes the threads or their older checkpoints; ids that name none are passed over."""
        body = await read_body(request, PRUNE)
        pruned = await self._threads.prune(principal_of(request), body.thread_ids, body.strategy)
        return json_reply({"pruned_count": pruned})

    async def get(self, request: Request) -> ASGIApp:
        thread = await self._threads.get(principal_of(request), path_id(request, "thread"))
        return json_reply(thread_json(thread, with_ttl="ttl" in INCLUDE.of(request)))

    async def update(self, request: Request) -> ASGIApp:
        thread_id = path_id(request, "thread")
        body = await read_body(request, PATCH)
        try:
            thread = await self._threads.update(
                principal_of(request), thread_id, metadata=body.metadata or {}, ttl=ttl_of(body.ttl)
            )
        except NotFoundError as error:
            raise ThreadUnknownError from error
        if "return=minimal" in (PREFER.of(request) or ""):
            return empty_reply()
        return json_reply(thread_json(thread))

    async def delete(self, request: Request) -> ASGIApp:
        await self._threads.delete(principal_of(request), path_id(request, "thread"))
        return empty_reply()

    async def copy(self, request: Request) -> ASGIApp:
        return json_reply(thread_copy_json(await self._threads.copy(principal_of(request), path_id(request, "thread"))))

    async def storage(self, request: Request) -> ASGIApp:
        thread_id = path_id(request, "thread")
        footprint = await self._threads.footprint(principal_of(request), thread_id)
        return json_reply({"thread_id": thread_id, **footprint_json(footprint)})


def _found(thread: Rendered, fields: Collection[str] | None, paths: dict[str, tuple[Step, ...]]) -> Rendered:
    rendered = chosen(thread, fields)
    if paths:
        whole: JsonObject = orjson.loads(orjson.dumps(thread))
        extracted: dict[str, JsonValue] = {alias: follow(whole, steps) for alias, steps in paths.items()}
        rendered = {**rendered, "extracted": extracted}
    return rendered
