"""A client of several replicas that does not give up: what fails is asked of another one."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

PLAIN = httpx.Timeout(4.0, connect=2.0)
FOLLOW = httpx.Timeout(4.0, connect=2.0)  # servers of a test send a heartbeat every second
_PAUSE_SECONDS = 0.1
_ENDED = frozenset({"success", "error", "timeout", "interrupted"})


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as a reader got it."""

    event: str
    data: str
    id: str | None


@dataclass(slots=True, kw_only=True)
class Reading:
    """What one reader of one run got, over however many connections."""

    thread_id: str
    run_id: str
    is_from_beginning: bool
    frames: list[Frame] = field(default_factory=list)
    connections: int = 0
    replicas: set[str] = field(default_factory=set)
    ended_before_run: str | None = None
    """The run's status after a stream had ended by itself, if that was none of an end."""

    @property
    def last_id(self) -> str | None:
        return next((frame.id for frame in reversed(self.frames) if frame.id is not None), None)


@dataclass(slots=True)
class Retries:
    """How often the client had to ask again."""

    unavailable: int = 0
    without_retry_after: int = 0
    broken: int = 0
    refused: list[str] = field(default_factory=list)
    """Answers that no client would ask again for."""


class PatientClient:
    """Asks any of some servers, and another one if that fails. Made and used within one event loop."""

    def __init__(self, urls: Sequence[str], rng: random.Random, *, deadline: float) -> None:
        self._urls = list(urls)
        self._rng = rng
        self._deadline = deadline
        self.retries = Retries()
        self.http = httpx.AsyncClient(
            timeout=PLAIN, limits=httpx.Limits(max_connections=400, max_keepalive_connections=50), trust_env=False
        )

    async def __aenter__(self) -> "PatientClient":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.http.aclose()

    def url(self) -> str:
        return self._rng.choice(self._urls)

    async def get(self, path: str, **parameters: str | int) -> object:
        """The JSON of an answer, at last."""
        while True:
            answer = await self._try("GET", path, params=parameters)
            if answer is not None:
                return answer.json()

    async def create(self, thread_id: str, body: Mapping[str, object], label: str) -> str:
        """Put a run on a thread; its id. A call whose answer was lost is looked for before it is made again."""
        while True:
            answer = await self._try("POST", f"/threads/{thread_id}/runs", json=dict(body))
            if answer is not None:
                return str(answer.json()["run_id"])
            found = await self.find(thread_id, label)
            if found is not None:
                return found

    async def find(self, thread_id: str, label: str) -> str | None:
        """The run of a thread that has this label in its metadata."""
        while True:
            answer = await self._try("GET", f"/threads/{thread_id}/runs", params={"limit": 100}, missing=True)
            if answer is not None:
                runs = answer.json() if answer.status_code == 200 else []
                return next((run["run_id"] for run in runs if run["metadata"].get("label") == label), None)

    async def create_and_stream(self, thread_id: str, body: Mapping[str, object], label: str) -> Reading:
        """Put a run on a thread and follow it from its first event to its end."""
        reading = Reading(thread_id=thread_id, run_id="", is_from_beginning=True)
        url = self.url()
        try:
            async with self.http.stream(
                "POST", f"{url}/threads/{thread_id}/runs/stream", json=dict(body), timeout=FOLLOW
            ) as answer:
                if self._is_good(answer):
                    reading.run_id = answer.headers["content-location"].rsplit("/", 1)[1]
                    reading.connections, reading.replicas = 1, {url}
                    await _read(answer, reading)
                    await self._note_end(reading)
                    return reading
        except httpx.TransportError:
            self.retries.broken += 1
        if not reading.run_id:
            await self._pause()
            reading.run_id = await self.find(thread_id, label) or await self.create(thread_id, body, label)
        return await self._go_on(reading)

    async def create_and_wait(self, thread_id: str, body: Mapping[str, object], label: str) -> tuple[str, object]:
        """Put a run on a thread and wait for its result; its id too."""
        run_id = ""
        try:
            async with self.http.stream(
                "POST", f"{self.url()}/threads/{thread_id}/runs/wait", json=dict(body), timeout=FOLLOW
            ) as answer:
                if self._is_good(answer):
                    run_id = answer.headers["content-location"].rsplit("/", 1)[1]
                    await answer.aread()
                    return run_id, answer.json()
        except httpx.TransportError:
            self.retries.broken += 1
        if not run_id:
            await self._pause()
            run_id = await self.find(thread_id, label) or await self.create(thread_id, body, label)
        return run_id, await self.join(thread_id, run_id)

    async def join(self, thread_id: str, run_id: str) -> object:
        """The result of a run, once it has ended."""
        return await self.get(f"/threads/{thread_id}/runs/{run_id}/join")

    async def follow(self, thread_id: str, run_id: str, *, is_from_beginning: bool) -> Reading:
        """The events of a run until it ends: all of them, or those from now on."""
        reading = Reading(thread_id=thread_id, run_id=run_id, is_from_beginning=is_from_beginning)
        return await self._go_on(reading)

    async def _go_on(self, reading: Reading) -> Reading:
        path = f"/threads/{reading.thread_id}/runs/{reading.run_id}/stream"
        while True:
            place = reading.last_id or ("0" if reading.is_from_beginning else None)
            url = self.url()
            try:
                async with self.http.stream(
                    "GET", url + path, headers={"last-event-id": place} if place else {}, timeout=FOLLOW
                ) as answer:
                    if self._is_good(answer):
                        reading.connections += 1
                        reading.replicas.add(url)
                        await _read(answer, reading)
                        await self._note_end(reading)
                        return reading
            except httpx.TransportError:
                self.retries.broken += 1
            await self._pause()

    async def _note_end(self, reading: Reading) -> None:
        """A stream that ends by itself says that its run has ended."""
        run = await self.get(f"/threads/{reading.thread_id}/runs/{reading.run_id}")
        if run["status"] not in _ENDED:  # type: ignore[index]  # an object
            reading.ended_before_run = run["status"]  # type: ignore[index]  # an object

    async def _try(self, method: str, path: str, *, missing: bool = False, **options) -> httpx.Response | None:
        """A good answer (or, with `missing`, one of 404), or None if the call is to be made again; then a moment has
        gone by."""
        try:
            answer = await self.http.request(method, self.url() + path, **options)
        except httpx.TransportError:
            self.retries.broken += 1
            await self._pause()
            return None
        if (missing and answer.status_code == 404) or self._is_good(answer):
            return answer
        await self._pause()
        return None

    def _is_good(self, answer: httpx.Response) -> bool:
        if answer.status_code == 200:
            return True
        if answer.status_code == 503:
            self.retries.unavailable += 1
            self.retries.without_retry_after += "retry-after" not in answer.headers
        else:
            self.retries.refused.append(f"{answer.request.method} {answer.request.url.path}: {answer.status_code}")
        return False

    async def _pause(self) -> None:
        assert time.monotonic() < self._deadline, f"the client gave up: {self.retries}"
        await asyncio.sleep(_PAUSE_SECONDS * (0.5 + self._rng.random()))


async def _read(answer: httpx.Response, reading: Reading) -> None:
    """Add the frames of an answer to a reading; those that are not whole do not count."""
    rest = ""
    async for text in answer.aiter_text():
        *frames, rest = (rest + text).split("\r\n\r\n")
        for frame in frames:
            if frame.startswith(":"):
                continue
            lines = dict(line.split(": ", 1) for line in frame.split("\r\n"))
            reading.frames.append(Frame(lines["event"], lines["data"], lines.get("id")))
