"""Crons: create, read, change, find, delete."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.errors import NotFoundError
from longline.services.server import Server
from longline_protocol_langgraph.bodies.crons import COUNT, CREATE, CREATE_ON_THREAD, PATCH, SEARCH, CronCreateBody
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.errors import CronAssistantUnknownError
from longline_protocol_langgraph.pagination import pagination_headers
from longline_protocol_langgraph.parsing import read_body
from longline_protocol_langgraph.query import path_id
from longline_protocol_langgraph.render import chosen
from longline_protocol_langgraph.render_crons import cron_json
from longline_protocol_langgraph.replies import empty_reply, json_reply


def cron_routes(server: Server) -> list[Route]:
    """The paths below `/runs/crons`, and `/threads/{id}/runs/crons`."""
    api = _Crons(server)
    return [
        route("/runs/crons", POST=api.create),
        route("/runs/crons/search", POST=api.search),
        route("/runs/crons/count", POST=api.count),
        route("/runs/crons/{cron_id}", GET=api.get, PATCH=api.update, DELETE=api.delete),
        route("/threads/{thread_id}/runs/crons", POST=api.create_on_thread),
    ]


class _Crons:
    def __init__(self, server: Server) -> None:
        self._crons = server.crons

    async def create(self, request: Request) -> ASGIApp:
        return await self._create(request, await read_body(request, CREATE), None)

    async def create_on_thread(self, request: Request) -> ASGIApp:
        thread_id = path_id(request, "thread")
        return await self._create(request, await read_body(request, CREATE_ON_THREAD), thread_id)

    async def search(self, request: Request) -> ASGIApp:
        body = await read_body(request, SEARCH)
        query = body.to_query()
        page = await self._crons.search(principal_of(request), query)
        found = [chosen(cron_json(cron), body.select) for cron in page.items]
        return json_reply(found, headers=pagination_headers(page, query.offset))

    async def count(self, request: Request) -> ASGIApp:
        query = (await read_body(request, COUNT)).to_query()
        return json_reply((await self._crons.search(principal_of(request), query)).total)

    async def get(self, request: Request) -> ASGIApp:
        return json_reply(cron_json(await self._crons.get(principal_of(request), path_id(request, "cron"))))

    async def update(self, request: Request) -> ASGIApp:
        cron_id = path_id(request, "cron")
        change = (await read_body(request, PATCH)).to_change()
        return json_reply(cron_json(await self._crons.update(principal_of(request), cron_id, change)))

    async def delete(self, request: Request) -> ASGIApp:
        await self._crons.delete(principal_of(request), path_id(request, "cron"))
        return empty_reply()

    async def _create(self, request: Request, body: CronCreateBody, thread_id: str | None) -> ASGIApp:
        with _missing_assistant(body.assistant_id):
            cron = await self._crons.create(principal_of(request), body.to_new(thread_id=thread_id))
        return json_reply(cron_json(cron))


@contextmanager
def _missing_assistant(name: str) -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        if error.kind == "assistant":
            raise CronAssistantUnknownError(name) from error
        raise
