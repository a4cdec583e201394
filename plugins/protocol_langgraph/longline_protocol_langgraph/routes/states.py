"""The state of a thread: now, at a checkpoint, through its history; and changes to it."""

from collections.abc import Collection

from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.models.json import JsonObject
from longline.services.server import Server
from longline.services.threads import HistoryQuery
from longline_protocol_langgraph.bodies.threads import HISTORY, STATE_AT, STATE_UPDATE
from longline_protocol_langgraph.bodies.types import checkpoint_of
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.parameters import Flag, Matches, Number, Text
from longline_protocol_langgraph.parsing import read_body
from longline_protocol_langgraph.query import path_id
from longline_protocol_langgraph.replies import encoded_reply, json_reply
from longline_protocol_langgraph.states import STATE_FIELD_PATTERN, encode_state, encode_states

SUBGRAPHS = Flag("subgraphs", "Whether the states of subgraphs are shown.")
LIMIT = Number("limit", "The most to answer with.", default=1, least=1, most=1000)
SELECT = Matches(
    "select", "The fields to answer with, all if it is left out; `values.x` for one of the values.", STATE_FIELD_PATTERN
)
BEFORE = Text("before", "Only older states than this checkpoint's.")


def state_routes(server: Server) -> list[Route]:
    """The paths below `/threads/{id}/state` and `/history`."""
    api = _States(server)
    return [
        route("/threads/{thread_id}/state", GET=api.get, POST=api.update),
        route("/threads/{thread_id}/state/checkpoint", POST=api.post_at),
        route("/threads/{thread_id}/state/{checkpoint_id}", GET=api.get_at),
        route("/threads/{thread_id}/history", GET=api.get_history, POST=api.post_history),
    ]


class _States:
    def __init__(self, server: Server) -> None:
        self._threads = server.threads

    async def get(self, request: Request) -> ASGIApp:
        return await self._reply(request, None, SELECT.of(request), subgraphs=SUBGRAPHS.of(request))

    async def get_at(self, request: Request) -> ASGIApp:
        place: JsonObject = {"checkpoint_id": request.path_params["checkpoint_id"]}
        return await self._reply(request, place, SELECT.of(request), subgraphs=SUBGRAPHS.of(request))

    async def post_at(self, request: Request) -> ASGIApp:
        body = await read_body(request, STATE_AT)
        return await self._reply(request, checkpoint_of(body.checkpoint), body.select, subgraphs=body.subgraphs)

    async def update(self, request: Request) -> ASGIApp:
        thread_id = path_id(request, "thread")
        body = await read_body(request, STATE_UPDATE)
        updated = await self._threads.update_state(
            principal_of(request),
            thread_id,
            values=body.values,
            as_node=body.as_node,
            checkpoint=body.place() or None,
        )
        place = {key: updated[key] for key in ("thread_id", "checkpoint_ns", "checkpoint_id") if key in updated}
        return json_reply({"checkpoint": place, "configurable": place, "checkpoint_id": place.get("checkpoint_id")})

    async def get_history(self, request: Request) -> ASGIApp:
        before = BEFORE.of(request)
        query = HistoryQuery(
            limit=LIMIT.of(request),
            before={"checkpoint_id": before} if before else None,
        )
        return await self._history(request, query, SELECT.of(request))

    async def post_history(self, request: Request) -> ASGIApp:
        path_id(request, "thread")
        body = await read_body(request, HISTORY)
        return await self._history(request, body.to_query(), body.select)

    async def _history(self, request: Request, query: HistoryQuery, fields: Collection[str] | None) -> ASGIApp:
        thread_id = path_id(request, "thread")
        states = await self._threads.history(principal_of(request), thread_id, query)
        return encoded_reply(encode_states(states, fields))

    async def _reply(
        self, request: Request, place: JsonObject | None, fields: Collection[str] | None, *, subgraphs: bool
    ) -> ASGIApp:
        thread_id = path_id(request, "thread")
        state = await self._threads.state(principal_of(request), thread_id, checkpoint=place, subgraphs=subgraphs)
        return encoded_reply(encode_state(state, fields))
