"""The official SDK's client, and short ways to say things with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
from a2a.client import Client, ClientConfig, create_client
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)

COMPLETED = TaskState.TASK_STATE_COMPLETED
WAITS = TaskState.TASK_STATE_INPUT_REQUIRED
CANCELED = TaskState.TASK_STATE_CANCELED
WORKING = TaskState.TASK_STATE_WORKING
SUBMITTED = TaskState.TASK_STATE_SUBMITTED
FAILED = TaskState.TASK_STATE_FAILED
REJECTED = TaskState.TASK_STATE_REJECTED


class Talker:
    """Talks to one agent: `client` streams, `plain` does not."""

    def __init__(self, client: Client, plain: Client) -> None:
        self.client = client
        self.plain = plain

    async def answer(self, message: Message | str, **configuration: Any) -> StreamResponse:
        """What SendMessage answers."""
        found = [one async for one in self.plain.send_message(request_of(message, **configuration))]
        assert len(found) == 1
        return found[0]

    async def task(self, message: Message | str, **configuration: Any) -> Task:
        """The task that SendMessage answers."""
        return (await self.answer(message, **configuration)).task

    def stream(self, message: Message | str, **configuration: Any) -> AsyncIterator[StreamResponse]:
        """What SendStreamingMessage answers."""
        return self.client.send_message(request_of(message, **configuration))

    async def get(self, task_id: str, **more: Any) -> Task:
        """The task."""
        return await self.client.get_task(GetTaskRequest(id=task_id, **more))

    async def list(self, **more: Any) -> ListTasksResponse:
        """Tasks."""
        return await self.client.list_tasks(ListTasksRequest(**more))

    async def cancel(self, task_id: str) -> Task:
        """The task after it was cancelled."""
        return await self.client.cancel_task(CancelTaskRequest(id=task_id))

    def subscribe(self, task_id: str) -> AsyncIterator[StreamResponse]:
        """What happens to a task."""
        return self.client.subscribe(SubscribeToTaskRequest(id=task_id))


@asynccontextmanager
async def talker(url: str, agent: str, *, token: str | None = None, binding: str = "JSONRPC") -> AsyncIterator[Talker]:
    """Who talks to an agent of the server at `url`."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as http:
        made = [
            await create_client(
                f"{url}/a2a/{agent}",
                ClientConfig(streaming=streams, httpx_client=http, supported_protocol_bindings=[binding]),
            )
            for streams in (True, False)
        ]
        yield Talker(*made)


def said(*parts: str | Part, **more: Any) -> Message:
    """A message of a user."""
    given = [Part(text=part) if isinstance(part, str) else part for part in parts]
    return Message(**{"message_id": str(uuid4()), "role": Role.ROLE_USER, "parts": given, **more})


def request_of(message: Message | str, **configuration: Any) -> SendMessageRequest:
    """A request to send it."""
    given = said(message) if isinstance(message, str) else message
    return SendMessageRequest(message=given, configuration=SendMessageConfiguration(**configuration))


def texts(task: Task) -> list[str]:
    """The texts of a task's artifacts."""
    return ["".join(part.text for part in artifact.parts) for artifact in task.artifacts]


def folded(events: list[StreamResponse]) -> Task:
    """The task that a client has after these events."""
    task = Task()
    for event in events:
        match event.WhichOneof("payload"):
            case "task":
                task.CopyFrom(event.task)
            case "status_update":
                task.status.CopyFrom(event.status_update.status)
            case "artifact_update":
                update = event.artifact_update
                known = [one for one in task.artifacts if one.artifact_id == update.artifact.artifact_id]
                if known and update.append:
                    known[0].parts.extend(update.artifact.parts)
                elif known:
                    known[0].CopyFrom(update.artifact)
                else:
                    task.artifacts.append(update.artifact)
    return task


def states(events: list[StreamResponse]) -> list[str]:
    """The states that were told, in order."""
    told = [
        event.task.status if event.HasField("task") else event.status_update.status
        for event in events
        if event.WhichOneof("payload") in ("task", "status_update")
    ]
    return [TaskState.Name(status.state).removeprefix("TASK_STATE_").lower() for status in told]
