"""The other end of `longline run --url`: a run on a server, over the LangGraph Server API."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import httpx

from longline.ids import new_id
from longline.models.json import JsonValue
from longline_hosts.errors import ServerRefusedError, ServerUnreachableError
from longline_hosts.serve import new_loop
from longline_hosts.terminal import INTERRUPTED, on_interrupt, tell_end
from longline_hosts.transcript import STREAM_MODES, Transcript

if TYPE_CHECKING:
    from longline_hosts.run import Question

_CONNECT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 60.0  # the server sends a heartbeat far more often


def run_remotely(url: str, token: str, question: "Question", transcript: Transcript) -> int:
    """Run and print; the exit code. Raises ServerUnreachableError, ServerRefusedError."""
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        return runner.run(_run(url, token, question, transcript))


async def _run(url: str, token: str, question: "Question", transcript: Transcript) -> int:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, trust_env=False) as client:
        try:
            return await _Conversation(client, transcript).run(question)
        except httpx.HTTPError as error:
            raise ServerUnreachableError(url, str(error) or type(error).__name__) from error


class _Conversation:
    def __init__(self, client: httpx.AsyncClient, transcript: Transcript) -> None:
        self._client = client
        self._transcript = transcript
        self._thread_id = ""
        self._run_id = ""
        self._is_cancelled = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, question: "Question") -> int:
        on_interrupt(self._ask)
        body = {
            "assistant_id": question.assistant,
            "input": question.input,
            "stream_mode": list(STREAM_MODES),
            "if_not_exists": "create",
            "on_disconnect": "cancel",
        }
        self._thread_id = question.thread_id or new_id()
        async with self._client.stream("POST", f"/threads/{self._thread_id}/runs/stream", json=body) as response:
            await _check(response)
            async for event, data in _events(response):
                if event == "metadata" and isinstance(data, dict):
                    self._run_id = str(data.get("run_id"))
                self._transcript.hear(event, data)
        self._transcript.finish()
        status = await self._status()
        return tell_end(self._thread_id, is_success=status == "success", is_cancelled=self._is_cancelled)

    async def _status(self) -> str:
        if not self._run_id:
            return "error"
        response = await self._client.get(f"/threads/{self._thread_id}/runs/{self._run_id}")
        await _check(response)
        return str(response.json()["status"])

    def _ask(self) -> None:
        if self._is_cancelled or not self._run_id:
            os._exit(INTERRUPTED)
        self._is_cancelled = True
        self._tasks.add(asyncio.get_running_loop().create_task(self._cancel()))

    async def _cancel(self) -> None:
        await self._client.post(f"/threads/{self._thread_id}/runs/{self._run_id}/cancel")


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, JsonValue]]:
    """Server-sent events: name and data."""
    event = ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            event = value
        elif field == "data":
            yield event, json.loads(value)


async def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    body = (await response.aread()).decode("utf-8", "replace")
    try:
        found = json.loads(body)
    except json.JSONDecodeError:
        found = None
    detail = found.get("detail") if isinstance(found, dict) else None
    raise ServerRefusedError(str(response.request.url), response.status_code, str(detail or body[:300]))
