"""Feedback on runs: given by whoever has a link, read by whom the run belongs to."""

from typing import Final

from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.errors import BodyTooLargeError
from longline.ids import parse_uuid
from longline.services.server import Server
from longline_protocol_langgraph.bodies.feedback import FEEDBACK, FeedbackBody
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.errors import FeedbackLinkUnknownError
from longline_protocol_langgraph.feedback.book import FeedbackBook
from longline_protocol_langgraph.parameters import Score, Text
from longline_protocol_langgraph.parsing import parse_json, validate
from longline_protocol_langgraph.query import path_id
from longline_protocol_langgraph.replies import json_reply

TOKEN_PATH: Final = "/feedback/tokens/{token}"  # noqa: S105  # a path
SCORE = Score("score", "How good it was: a number, or true or false.")
VALUE = Text("value", "What it was, where no number says it.")
COMMENT = Text("comment", "Why.")
CORRECTION = Text("correction", "What would have been right.")
LARGEST_BYTES: Final = 64 * 1024
"""The largest body: anybody with a link may send one."""
_UNSEEN: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


def feedback_routes(server: Server) -> list[Route]:
    """The links' own path, and the feedback of a run."""
    api = _Feedback(server)
    return [
        route(TOKEN_PATH, GET=api.click, POST=api.give),
        route("/threads/{thread_id}/runs/{run_id}/feedback", GET=api.of_run),
        route("/runs/{run_id:uuid}/feedback", GET=api.of_lone_run),
    ]


class _Feedback:
    def __init__(self, server: Server) -> None:
        self._book = FeedbackBook(server)

    async def click(self, request: Request) -> ASGIApp:
        """For links in mails and pages: everything is in the query."""
        return await self._take(
            request,
            FeedbackBody(
                score=SCORE.of(request),
                value=VALUE.of(request),
                comment=COMMENT.of(request),
                correction=CORRECTION.of(request),
                metadata=None,
            ),
        )

    async def give(self, request: Request) -> ASGIApp:
        """An empty body says as much as `{}`: that somebody used the link."""
        return await self._take(request, validate(parse_json(await _small_body(request) or b"{}"), FEEDBACK))

    async def of_run(self, request: Request) -> ASGIApp:
        thread_id, run_id = path_id(request, "thread"), path_id(request, "run")
        return json_reply(await self._book.of_run(principal_of(request), thread_id, run_id))

    async def of_lone_run(self, request: Request) -> ASGIApp:
        return json_reply(await self._book.of_lone_run(principal_of(request), str(request.path_params["run_id"])))

    async def _take(self, request: Request, feedback: FeedbackBody) -> ASGIApp:
        token = parse_uuid(request.path_params["token"])
        if token is None:
            raise FeedbackLinkUnknownError
        await self._book.give(token, feedback.model_dump(mode="json"))
        return json_reply({}, headers=_UNSEEN)


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise BodyTooLargeError(LARGEST_BYTES)
    return bytes(body)
