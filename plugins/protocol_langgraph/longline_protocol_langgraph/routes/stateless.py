"""Runs that bring a thread of their own."""

from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.auth.principal import Principal
from longline.errors import ForbiddenError, NotFoundError
from longline.models.runs import RunQuery
from longline.services.server import Server
from longline_protocol_langgraph.bodies.runs import BATCH, STATELESS_RUN
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.parsing import read_body
from longline_protocol_langgraph.render import created_run_json, run_json
from longline_protocol_langgraph.replies import json_reply
from longline_protocol_langgraph.run_calls import RunCalls, run_place
from longline_protocol_langgraph.settings import LangGraphApiSettings


def stateless_routes(server: Server, settings: LangGraphApiSettings) -> list[Route]:
    """The paths below `/runs`. The answers to creating calls name the last three, so they are served."""
    api = _StatelessRuns(server, RunCalls(server, settings))
    return [
        route("/runs/wait", POST=api.wait),
        route("/runs/stream", POST=api.stream),
        route("/runs", POST=api.create),
        route("/runs/batch", POST=api.create_batch),
        route("/runs/{run_id:uuid}", GET=api.get),
        route("/runs/{run_id:uuid}/join", GET=api.join),
        route("/runs/{run_id:uuid}/stream", GET=api.join_stream),
    ]


class _StatelessRuns:
    def __init__(self, server: Server, calls: RunCalls) -> None:
        self._runs = server.runs
        self._calls = calls

    async def wait(self, request: Request) -> ASGIApp:
        body = await read_body(request, STATELESS_RUN)
        return await self._calls.wait(request, body, thread_id=None)

    async def stream(self, request: Request) -> ASGIApp:
        body = await read_body(request, STATELESS_RUN)
        return await self._calls.stream(request, body, thread_id=None)

    async def create(self, request: Request) -> ASGIApp:
        body = await read_body(request, STATELESS_RUN)
        run = await self._calls.create(request, body, thread_id=None)
        return json_reply(created_run_json(run), headers={"content-location": run_place(run.run_id).content_location})

    async def create_batch(self, request: Request) -> ASGIApp:
        bodies = await read_body(request, BATCH)
        created = await self._calls.create_all(request, bodies)
        return json_reply([created_run_json(run) for run in created])

    async def get(self, request: Request) -> ASGIApp:
        run_id = str(request.path_params["run_id"])
        thread_id = await self._thread_of(principal_of(request), run_id)
        return json_reply(run_json(await self._runs.get(principal_of(request), thread_id, run_id)))

    async def join(self, request: Request) -> ASGIApp:
        run_id = str(request.path_params["run_id"])
        return await self._calls.join(request, await self._thread_of(principal_of(request), run_id), run_id)

    async def join_stream(self, request: Request) -> ASGIApp:
        run_id = str(request.path_params["run_id"])
        return await self._calls.join_stream(request, await self._thread_of(principal_of(request), run_id), run_id)

    async def _thread_of(self, principal: Principal, run_id: str) -> str:
        """The run's thread. A run on a thread that the caller may not see is as good as missing: the caller named no
        thread, so no answer names one."""
        found = await self._runs.search(principal, RunQuery(run_ids=[run_id], limit=1))
        if not found:
            raise NotFoundError("run", run_id)
        try:
            return (await self._runs.get(principal, found[0].thread_id, run_id)).thread_id
        except (NotFoundError, ForbiddenError):
            raise NotFoundError("run", run_id) from None
