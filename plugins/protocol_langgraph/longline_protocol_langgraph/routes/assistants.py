"""Assistants: create, read, change, find; their versions; what their graphs look like."""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.auth.principal import Principal
from longline.errors import NotFoundError
from longline.models.filters import Equals, metadata_filter
from longline.models.threads import ThreadQuery
from longline.services.server import Server
from longline_protocol_langgraph.bodies.assistants import COUNT, CREATE, LATEST, PATCH, SEARCH, VERSIONS
from longline_protocol_langgraph.describe import drawing, schemas, subgraphs
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.errors import AssistantUnknownError
from longline_protocol_langgraph.pagination import pagination_headers
from longline_protocol_langgraph.parameters import Flag, FlagOrNumber, Number
from longline_protocol_langgraph.parsing import read_body
from longline_protocol_langgraph.query import path_id
from longline_protocol_langgraph.render import assistant_json, chosen, version_json
from longline_protocol_langgraph.replies import empty_reply, json_reply

if TYPE_CHECKING:
    from langgraph.pregel import Pregel

DELETE_THREADS = Flag("delete_threads", "Whether the threads that it ran on last go too.")
VERSION = Number("version", "The version, if it is not in the body.")
XRAY = FlagOrNumber("xray", "Whether subgraphs are drawn, or how many levels of them.")
RECURSE = Flag("recurse", "Whether the subgraphs of subgraphs are told too.")

_PAGE = 1000


def assistant_routes(server: Server) -> list[Route]:
    """The paths below `/assistants`."""
    api, looks = _Assistants(server), _Looks(server)
    return [
        route("/assistants", POST=api.create),
        route("/assistants/search", POST=api.search),
        route("/assistants/count", POST=api.count),
        route("/assistants/{assistant_id}", GET=api.get, PATCH=api.update, DELETE=api.delete),
        route("/assistants/{assistant_id}/versions", POST=api.versions),
        route("/assistants/{assistant_id}/latest", POST=api.set_latest),
        route("/assistants/{assistant_id}/graph", GET=looks.graph),
        route("/assistants/{assistant_id}/schemas", GET=looks.schemas),
        route("/assistants/{assistant_id}/subgraphs", GET=looks.subgraphs),
        route("/assistants/{assistant_id}/subgraphs/{namespace:path}", GET=looks.subgraphs),
    ]


class _Assistants:
    def __init__(self, server: Server) -> None:
        self._assistants = server.assistants
        self._threads = server.threads

    async def create(self, request: Request) -> ASGIApp:
        body = await read_body(request, CREATE)
        return json_reply(assistant_json(await self._assistants.create(principal_of(request), body.to_new())))

    async def search(self, request: Request) -> ASGIApp:
        body = await read_body(request, SEARCH)
        query = body.to_query()
        page = await self._assistants.search(principal_of(request), query)
        found = [chosen(assistant_json(assistant), body.select) for assistant in page.items]
        return json_reply(found, headers=pagination_headers(page, query.offset))

    async def count(self, request: Request) -> ASGIApp:
        query = (await read_body(request, COUNT)).to_query()
        return json_reply((await self._assistants.search(principal_of(request), query)).total)

    async def get(self, request: Request) -> ASGIApp:
        assistant_id = path_id(request, "assistant")
        return json_reply(assistant_json(await self._assistants.get(principal_of(request), assistant_id)))

    async def update(self, request: Request) -> ASGIApp:
        assistant_id = path_id(request, "assistant")
        change = (await read_body(request, PATCH)).to_change()
        return json_reply(assistant_json(await self._assistants.update(principal_of(request), assistant_id, change)))

    async def delete(self, request: Request) -> ASGIApp:
        """With `delete_threads` the threads that it ran on last go too."""
        principal, assistant_id = principal_of(request), path_id(request, "assistant")
        with_threads = DELETE_THREADS.of(request)
        await self._assistants.delete(principal, assistant_id)
        if with_threads:
            await self._delete_threads(principal, assistant_id)
        return empty_reply()

    async def versions(self, request: Request) -> ASGIApp:
        principal, assistant_id = principal_of(request), path_id(request, "assistant")
        body = await read_body(request, VERSIONS, default={})
        try:
            await self._assistants.get(principal, assistant_id)
        except NotFoundError as error:
            raise AssistantUnknownError(assistant_id) from error
        found = await self._assistants.versions(
            principal,
            assistant_id,
            metadata=metadata_filter(body.metadata or {}),
            limit=body.limit,
            offset=body.offset,
        )
        return json_reply([version_json(version) for version in found])

    async def set_latest(self, request: Request) -> ASGIApp:
        """The version is in the body, or in the query."""
        assistant_id = path_id(request, "assistant")
        version = VERSION.of(request)
        if version < 0:
            version = (await read_body(request, LATEST)).version
        return json_reply(
            assistant_json(await self._assistants.set_latest(principal_of(request), assistant_id, version))
        )

    async def _delete_threads(self, principal: Principal, assistant_id: str) -> None:
        query = ThreadQuery(metadata=Equals("assistant_id", assistant_id), limit=_PAGE)
        while threads := (await self._threads.search(principal, query)).items:
            for thread in threads:
                await self._threads.delete(principal, thread.thread_id)


class _Looks:
    """What an assistant's graph looks like."""

    def __init__(self, server: Server) -> None:
        self._assistants = server.assistants

    async def graph(self, request: Request) -> ASGIApp:
        """The only one of these that takes a graph's id for an assistant's."""
        xray = XRAY.of(request)
        async with await self._open(request, request.path_params["assistant_id"]) as (graph, config, _):
            return json_reply(await drawing(graph, config, xray=xray))

    async def schemas(self, request: Request) -> ASGIApp:
        async with await self._open(request, path_id(request, "assistant")) as (graph, _, _):
            return json_reply({"graph_id": graph.name, **schemas(graph)})

    async def subgraphs(self, request: Request) -> ASGIApp:
        recurse, namespace = RECURSE.of(request), request.path_params.get("namespace")
        async with await self._open(request, path_id(request, "assistant")) as (graph, _, _):
            return json_reply(await subgraphs(graph, namespace=namespace, recurse=recurse))

    async def _open(
        self, request: Request, name: str
    ) -> "AbstractAsyncContextManager[tuple[Pregel[Any, Any, Any, Any], Any, Any]]":
        return await self._assistants.open_graph(principal_of(request), name)
