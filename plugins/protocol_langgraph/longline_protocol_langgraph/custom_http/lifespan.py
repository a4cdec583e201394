"""The start and the end of an ASGI app (https://asgi.readthedocs.io/en/latest/specs/lifespan.html)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from longline.asgi.types import ASGIApp, Message
from longline.errors import LonglineError

logger = logging.getLogger(__name__)


class AppNotStartedError(LonglineError):
    """The project's own app says that it cannot start, so the server does not."""

    code = "app_not_started"

    def __init__(self, reference: str, cause: str) -> None:
        super().__init__(f"http.app {reference!r} did not start: {cause}")
        self.reference = reference


@asynccontextmanager
async def running(app: ASGIApp, reference: str, state: dict[str, object]) -> AsyncIterator[None]:
    """The app, started; what it keeps for its requests is in `state`. One that knows no lifespan is as it is. Raises
    AppNotStartedError."""
    events = _Events()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    task = asyncio.create_task(_run(app(scope, events.receive, events.send)), name="http-app-lifespan")
    events.tell("lifespan.startup")
    try:
        failure = await events.outcome("lifespan.startup", task)
        if failure is not None:
            raise AppNotStartedError(reference, failure)
        if task.done() and (error := task.result()) is not None:  # ASGI: an app that knows no lifespan may raise
            logger.info("http.app knows no lifespan", extra={"reference": reference, "cause": repr(error)})
        yield
        if not task.done():
            events.tell("lifespan.shutdown")
            failure = await events.outcome("lifespan.shutdown", task)
            if failure is not None:
                logger.error("http.app did not stop well", extra={"reference": reference, "cause": failure})
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Events:
    def __init__(self) -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._said: dict[str, asyncio.Future[str | None]] = {
            name: asyncio.get_running_loop().create_future() for name in ("lifespan.startup", "lifespan.shutdown")
        }

    def tell(self, event: str) -> None:
        self._incoming.put_nowait({"type": event})

    async def receive(self) -> Message:
        return await self._incoming.get()

    async def send(self, message: Message) -> None:
        event, _, result = str(message["type"]).rpartition(".")
        answer = self._said.get(event)
        if answer is not None and not answer.done():
            last = str(message.get("message", "")).strip().splitlines()[-1:]
            answer.set_result(None if result == "complete" else (last or ["it gives no reason"])[0])

    async def outcome(self, event: str, task: "asyncio.Task[Exception | None]") -> str | None:
        """Why it failed; None if it did not, or if the app left without a word: it knows no lifespan."""
        answer = self._said[event]
        both: set[asyncio.Future[str | None] | asyncio.Future[Exception | None]] = {answer, task}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None


async def _run(call: Awaitable[None]) -> Exception | None:
    """The error that ended the app's call: it has told before what it means."""
    try:
        await call
    except Exception as error:  # noqa: BLE001  # whatever the app raises
        return error
    return None
