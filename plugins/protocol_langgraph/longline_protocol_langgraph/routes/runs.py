"""Runs on a thread: create, follow, read, cancel, delete."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast, get_args

from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.errors import NotFoundError
from longline.models.runs import CancelAction, CancelRequest, RunQuery, RunStatus
from longline.services.server import Server
from longline_protocol_langgraph.bodies.runs import CANCEL, RUN, CancelBody
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.errors import NoRunsToCancelError, RunUnknownError
from longline_protocol_langgraph.following import RunWait
from longline_protocol_langgraph.parameters import Choice, Choices, Flag, Number, Text
from longline_protocol_langgraph.parsing import read_body
from longline_protocol_langgraph.query import path_id
from longline_protocol_langgraph.render import RUN_FIELDS, chosen, created_run_json, run_json
from longline_protocol_langgraph.replies import empty_reply, json_reply
from longline_protocol_langgraph.run_calls import RunCalls, thread_run_place
from longline_protocol_langgraph.settings import LangGraphApiSettings

LIMIT = Number("limit", "The most to answer with.", default=10, most=1000)
OFFSET = Number("offset", "How many to leave out first.", default=0)
STATUS = Text("status", "Their status. One that does not exist is one that no run has.", known=tuple(RunStatus))
SELECT = Choices("select", "The fields to answer with; all if it is left out.", RUN_FIELDS)
WAIT = Flag("wait", "Whether to answer only when the run has ended.")
ACTION = Choice(
    "action", "Whether what the run did so far stays, or goes with it.", get_args(CancelAction), default="interrupt"
)

_STATUSES = {"pending": (RunStatus.PENDING,), "running": (RunStatus.RUNNING,)}
_UNFINISHED = (RunStatus.PENDING, RunStatus.RUNNING)


def run_routes(server: Server, settings: LangGraphApiSettings) -> list[Route]:
    """The paths below `/threads/{id}/runs`, and `/runs/cancel`."""
    calls = RunCalls(server, settings)
    api, ending = _Runs(server, calls), _Ending(server, calls)
    return [
        route("/threads/{thread_id}/runs/stream", POST=api.stream),
        route("/threads/{thread_id}/runs/wait", POST=api.wait),
        route("/threads/{thread_id}/runs", POST=api.create, GET=api.search),
        route("/threads/{thread_id}/runs/{run_id}", GET=api.get, DELETE=ending.delete),
        route("/threads/{thread_id}/runs/{run_id}/join", GET=api.join),
        route("/threads/{thread_id}/runs/{run_id}/stream", GET=api.join_stream),
        route("/threads/{thread_id}/runs/{run_id}/cancel", POST=ending.cancel),
        route("/runs/cancel", POST=ending.cancel_many),
    ]


class _Runs:
    def __init__(self, server: Server, calls: RunCalls) -> None:
        self._runs = server.runs
        self._threads = server.threads
        self._calls = calls

    async def create(self, request: Request) -> ASGIApp:
        thread_id = path_id(request, "thread")
        body = await read_body(request, RUN)
        run = await self._calls.create(request, body, thread_id=thread_id)
        place = thread_run_place(thread_id, run.run_id)
        return json_reply(created_run_json(run), headers={"content-location": place.content_location})

    async def stream(self, request: Request) -> ASGIApp:
        thread_id = path_id(request, "thread")
        body = await read_body(request, RUN)
        return await self._calls.stream(request, body, thread_id=thread_id)

    async def wait(self, request: Request) -> ASGIApp:
        thread_id = path_id(request, "thread")
        body = await read_body(request, RUN)
        return await self._calls.wait(request, body, thread_id=thread_id)

    async def search(self, request: Request) -> ASGIApp:
        """Newest first. A status that does not exist is one that no run has."""
        thread_id = path_id(request, "thread")
        limit = LIMIT.of(request)
        offset = OFFSET.of(request)
        fields = SELECT.of(request)
        status = STATUS.of(request)
        if limit == 0 or (status is not None and status not in set(RunStatus)):
            await self._threads.get(principal_of(request), thread_id)
            return json_reply([])
        statuses = (RunStatus(status),) if status is not None else ()
        query = RunQuery(thread_id=thread_id, statuses=statuses, limit=limit, offset=offset)
        found = await self._runs.search(principal_of(request), query)
        return json_reply([chosen(run_json(run), fields) for run in found])

    async def get(self, request: Request) -> ASGIApp:
        thread_id, run_id = path_id(request, "thread"), path_id(request, "run")
        return json_reply(run_json(await self._runs.get(principal_of(request), thread_id, run_id)))

    async def join(self, request: Request) -> ASGIApp:
        return await self._calls.join(request, path_id(request, "thread"), path_id(request, "run"))

    async def join_stream(self, request: Request) -> ASGIApp:
        return await self._calls.join_stream(request, path_id(request, "thread"), path_id(request, "run"))


class _Ending:
    """Ways to end runs before their time."""

    def __init__(self, server: Server, calls: RunCalls) -> None:
        self._runs = server.runs
        self._calls = calls

    async def delete(self, request: Request) -> ASGIApp:
        thread_id, run_id = path_id(request, "thread"), path_id(request, "run")
        try:
            await self._runs.delete(principal_of(request), thread_id, run_id)
        except NotFoundError as error:
            raise RunUnknownError from error
        return empty_reply()

    async def cancel(self, request: Request) -> ASGIApp:
        """With `wait` the answer comes once the run has ended."""
        thread_id, run_id = path_id(request, "thread"), path_id(request, "run")
        cancel = _cancel_request(request, "/threads/{thread_id}/runs/{run_id}/cancel")
        if WAIT.of(request):
            return await self._cancel_and_wait(request, thread_id, run_id, cancel)
        with _nothing_to_cancel():
            await self._runs.cancel(principal_of(request), thread_id, [run_id], cancel)
        return empty_reply(202)

    async def cancel_many(self, request: Request) -> ASGIApp:
        body = await read_body(request, CANCEL)
        cancel = _cancel_request(request, "/runs/cancel")
        with _nothing_to_cancel():
            if isinstance(body, CancelBody):
                await self._runs.cancel(principal_of(request), body.thread_id, body.run_ids, cancel)
            else:
                statuses = _STATUSES.get(body.status, _UNFINISHED)
                await self._runs.cancel_status(principal_of(request), statuses, cancel)
        return empty_reply()

    async def _cancel_and_wait(self, request: Request, thread_id: str, run_id: str, cancel: CancelRequest) -> ASGIApp:
        principal = principal_of(request)
        with _nothing_to_cancel():
            _, reader = await self._runs.join(principal, thread_id, run_id, only_end=True)
            try:
                await self._runs.cancel(principal, thread_id, [run_id], cancel)
            except BaseException:
                reader.close()
                raise
        place = thread_run_place(thread_id, run_id, "join")
        return RunWait(self._calls.following(reader, place), lambda _: b"{}")


def _cancel_request(request: Request, path: str) -> CancelRequest:
    action = cast("CancelAction", ACTION.of(request))  # one of its own members
    return CancelRequest(action=action, reason=f"{action} requested via POST {path}")


@contextmanager
def _nothing_to_cancel() -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        raise NoRunsToCancelError from error
