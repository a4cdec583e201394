"""The courier outlives what goes wrong around it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from longline.clock import now
from longline.errors import StorageError
from longline.models.collections import Document
from longline.services.collections import Documents
from longline_webhooks.courier import Courier
from longline_webhooks.sender import Answer, Sender
from longline_webhooks.settings import WebhookSettings

pytestmark = pytest.mark.anyio


class Away:
    """Hands out one document, then its storage is away, then it hands out another."""

    def __init__(self) -> None:
        self.took = 0
        self.deleted: list[str] = []
        self.done = asyncio.Event()

    async def take_due(self, *, lease_seconds: float, limit: int) -> Sequence[Document]:
        self.took += 1
        if self.took in (2, 3):
            raise StorageError("disk away")
        return [document(str(self.took))] if self.took in (1, 4) else []

    async def wait_due(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def delete(self, owner: str, key: str, *, expected: int | None = None) -> bool:
        self.deleted.append(key)
        if len(self.deleted) == 2:
            self.done.set()
        return True


def document(key: str) -> Document:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    value: dict[str, Any] = {"url": "http://x/", "payload": "{}", "run_id": key}
    return Document(
        collection="webhooks.deliveries",
        owner="",
        key=key,
        value=value,
        version=1,
        created_at=at,
        updated_at=at,
        takes=1,
    )


class Slow:
    """A receiver that answers the first call when the second has come."""

    def __init__(self) -> None:
        self.second = asyncio.Event()
        self.calls: list[str] = []

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.calls.append(headers["Longline-Delivery"])
        if len(self.calls) == 1:
            await self.second.wait()
        self.second.set()
        return Answer(200)


async def test_calls_on_their_way_go_on_while_the_storage_is_away() -> None:
    away, slow = Away(), Slow()

    async def choose(url: str) -> Sender:
        return slow

    settings = WebhookSettings(poll_seconds=0.01)
    courier = Courier(cast("Documents", away), choose, settings, agent="test", clock=now)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(courier.run())
        await away.done.wait()
        running.cancel()
    assert (slow.calls, sorted(away.deleted)) == (["1", "4"], ["1", "4"])
