"""The routes below /hello. They see requests and services, never storage or engine."""

import json
from contextlib import suppress

from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from longline.asgi.mount import PRINCIPAL
from longline.auth.principal import Principal
from longline.errors import LonglineError, NotCancellableError, NotFoundError
from longline.models.runs import CancelRequest, Run
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_hello.errors import STATUSES, BadQuestionError, LateAnswerError, NoAnswerError
from longline_hello.greeting import greet
from longline_hello.settings import HelloSettings


class Question(BaseModel):
    """The body of POST /hello/run."""

    text: str = Field(min_length=1)


def make_app(server: Server) -> Starlette:
    """An app for these services. Paths are below the mount: `/run` is served as `/hello/run`."""
    routes = Routes(server)
    return Starlette(
        routes=[
            Route("/run", routes.run, methods=["POST"]),
            Route("/greet/{name}", routes.greet, methods=["GET"]),
        ],
        exception_handlers={LonglineError: _refuse},
    )


class Routes:
    """One method for each route."""

    def __init__(self, server: Server) -> None:
        self._runs = server.runs
        self._settings = server.settings.section(HelloSettings)

    async def greet(self, request: Request) -> Response:
        """`GET /hello/greet/{name}`."""
        return JSONResponse({"text": greet(self._settings, request.path_params["name"])})

    async def run(self, request: Request) -> Response:
        """`POST /hello/run`: put a question to the assistant, as the caller, and wait for the answer."""
        principal = request.scope[PRINCIPAL]
        question = _question(await request.body())
        asked = RunRequest(
            assistant=self._settings.assistant, input={"messages": [{"role": "user", "content": question.text}]}
        )
        run, reader = await self._runs.watch(principal, asked)
        with reader:
            end = await reader.wait_for_end(self._settings.answer_seconds)
        if end is None:
            await self._give_up(principal, run)
            raise LateAnswerError(self._settings.answer_seconds)
        if end.failure is not None:
            raise NoAnswerError(end.failure.message)
        return JSONResponse({"run_id": run.run_id, "text": _last_text(end.result or b"{}")})

    async def _give_up(self, principal: Principal, run: Run) -> None:
        request = CancelRequest(action="rollback", reason="nobody waits for the answer any longer")
        with suppress(NotFoundError, NotCancellableError):  # it has ended just now
            await self._runs.cancel(principal, run.thread_id, [run.run_id], request)


def _question(body: bytes) -> Question:
    try:
        return Question.model_validate_json(body)
    except ValidationError as error:
        raise BadQuestionError from error


def _last_text(values: bytes) -> str:
    """The text of the last message in a run's final state."""
    messages = json.loads(values).get("messages")
    if not messages:
        raise NoAnswerError
    content = messages[-1]["content"]
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


async def _refuse(request: Request, error: Exception) -> Response:  # noqa: ARG001  # Starlette's signature
    code = error.code if isinstance(error, LonglineError) else "internal"
    return JSONResponse({"error": {"code": code, "message": str(error)}}, STATUSES.get(code, 500))
