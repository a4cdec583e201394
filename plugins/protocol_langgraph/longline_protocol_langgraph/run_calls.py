"""What calls about runs have in common, whether the thread is the caller's or the run's own."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, get_args

from starlette.requests import Request

from longline.asgi.types import ASGIApp
from longline.auth.principal import Principal
from longline.errors import NotCancellableError, NotFoundError
from longline.events.replay import RunReader
from longline.models.runs import CancelRequest, Run
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_protocol_langgraph.bodies.runs import RunBody, StreamMode
from longline_protocol_langgraph.endpoint import principal_of
from longline_protocol_langgraph.errors import ThreadOrAssistantNotFoundError
from longline_protocol_langgraph.event_ids import EventIds
from longline_protocol_langgraph.feedback.book import FeedbackBook
from longline_protocol_langgraph.feedback.closing import closing_with_links, is_closed
from longline_protocol_langgraph.following import Following, LostStream, LostWait, Place, RunStream, RunWait
from longline_protocol_langgraph.parameters import LAST_EVENT_ID, Choices, Flag
from longline_protocol_langgraph.run_policy import Origin, RunPolicy
from longline_protocol_langgraph.settings import LangGraphApiSettings
from longline_protocol_langgraph.sse import encoder

STREAM_MODE: Final = Choices("stream_mode", "Only events of these modes.", get_args(StreamMode))
CANCEL_ON_DISCONNECT: Final = Flag("cancel_on_disconnect", "Whether the run is cancelled if the client leaves.")
_LEFT: Final = CancelRequest(
    action="interrupt", reason="client disconnected from the run stream (on_disconnect=cancel)"
)


class RunCalls:
    """Creates runs and follows them."""

    def __init__(self, server: Server, settings: LangGraphApiSettings) -> None:
        self._runs = server.runs
        self._settings = settings
        self._feedback = FeedbackBook(server)
        self._policy = RunPolicy(server, settings)

    async def create(self, request: Request, body: RunBody, *, thread_id: str | None) -> Run:
        """A run that nobody waits for. Raises what the run service raises."""
        asked = self._request(request, body, thread_id)
        with _missing():
            return await self._runs.create(principal_of(request), asked)

    async def create_all(self, request: Request, bodies: Sequence[RunBody]) -> Sequence[Run]:
        """Runs with threads of their own that nobody waits for: all, or none if one is refused. Raises as `create`."""
        asked = [self._request(request, body, None) for body in bodies]
        with _missing():
            return await self._runs.create_all(principal_of(request), asked)

    async def stream(self, request: Request, body: RunBody, *, thread_id: str | None) -> ASGIApp:
        """A run and its events. Raises as `create`."""
        run, reader = await self._watch(request, body, thread_id)
        is_own = thread_id is None
        place = run_place(run.run_id, "stream") if is_own else thread_run_place(run.thread_id, run.run_id, "stream")
        following = self.following(reader, place, self._on_leave(request, body, run))
        close = closing_with_links(self._feedback, run, request)
        return RunStream(following, encoder(ids=EventIds(run.run_id) if run.spec.resumable else None), close)

    async def wait(self, request: Request, body: RunBody, *, thread_id: str | None) -> ASGIApp:
        """A run and its result. Raises as `create`."""
        run, reader = await self._watch(request, body, thread_id, only_end=True)
        place = thread_run_place(run.thread_id, run.run_id, "join")
        return RunWait(self.following(reader, place, self._on_leave(request, body, run)))

    async def join(self, request: Request, thread_id: str, run_id: str) -> ASGIApp:
        """The result of a run that was created before."""
        place = thread_run_place(thread_id, run_id, "join")
        principal, is_cancelled = principal_of(request), CANCEL_ON_DISCONNECT.of(request)
        try:
            run, reader = await self._runs.join(principal, thread_id, run_id, only_end=True)
        except NotFoundError:
            return LostWait(place)
        return RunWait(self.following(reader, place, self._canceller(principal, run) if is_cancelled else None))

    async def join_stream(self, request: Request, thread_id: str, run_id: str) -> ASGIApp:
        """The events of a run that was created before: from now on, or those after `Last-Event-ID` first."""
        place = thread_run_place(thread_id, run_id, "stream")
        principal, is_cancelled = principal_of(request), CANCEL_ON_DISCONNECT.of(request)
        modes, ids = STREAM_MODE.of(request), EventIds(run_id)
        after = ids.parse(LAST_EVENT_ID.of(request))
        try:
            run, reader = await self._runs.join(principal, thread_id, run_id, after=after)
        except NotFoundError:
            return LostStream(place)
        following = self.following(reader, place, self._canceller(principal, run) if is_cancelled else None)
        is_silent = bool(modes) or is_closed(run, after)
        close = None if is_silent else closing_with_links(self._feedback, run, request)
        return RunStream(following, encoder(ids=ids if run.spec.resumable else None, modes=modes), close)

    def following(
        self, reader: RunReader, place: Place, on_leave: Callable[[], Awaitable[None]] | None = None
    ) -> Following:
        """How this server follows runs."""
        return Following(
            reader=reader, place=place, heartbeat_seconds=self._settings.heartbeat_seconds, on_leave=on_leave
        )

    async def _watch(
        self, request: Request, body: RunBody, thread_id: str | None, *, only_end: bool = False
    ) -> tuple[Run, RunReader]:
        asked = self._request(request, body, thread_id)
        with _missing():
            return await self._runs.watch(principal_of(request), asked, only_end=only_end)

    def _request(self, request: Request, body: RunBody, thread_id: str | None) -> RunRequest:
        origin = Origin.of(request.scope)
        return self._policy.applied(body.to_request(thread_id=thread_id, request_id=origin.request_id), origin)

    def _on_leave(self, request: Request, body: RunBody, run: Run) -> Callable[[], Awaitable[None]] | None:
        return self._canceller(principal_of(request), run) if body.on_disconnect == "cancel" else None

    def _canceller(self, principal: Principal, run: Run) -> Callable[[], Awaitable[None]]:
        async def cancel() -> None:
            with suppress(NotFoundError, NotCancellableError):  # it ended in the meantime
                await self._runs.cancel(principal, run.thread_id, [run.run_id], _LEFT)

        return cancel


def thread_run_place(thread_id: str, run_id: str, following: str | None = None) -> Place:
    """Where a run on a thread is found, and where it can be followed again."""
    path = f"/threads/{thread_id}/runs/{run_id}"
    return Place(content_location=path, location=f"{path}/{following}" if following else None)


def run_place(run_id: str, following: str | None = None) -> Place:
    """Where a run is found whose thread is its own."""
    path = f"/runs/{run_id}"
    return Place(content_location=path, location=f"{path}/{following}" if following else None)


@contextmanager
def _missing() -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        raise ThreadOrAssistantNotFoundError from error
