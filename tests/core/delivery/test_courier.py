"""The courier outlives what goes wrong around it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from longline.clock import now
from longline.delivery.courier import Call, Courier
from longline.delivery.sender import Answer
from longline.delivery.settings import DeliverySettings
from longline.errors import CallFailedError, StorageError
from longline.models.collections import Document
from longline.models.json import JsonObject
from longline.services.collections import Documents

pytestmark = pytest.mark.anyio

SETTINGS = DeliverySettings(poll_seconds=0.01, attempts=3)


class Outbox:
    """Hands out documents in turn, or raises what stands in their place, then nothing."""

    def __init__(self, *found: Document | StorageError, wanted: int) -> None:
        self._found = list(found)
        self._wanted = wanted
        self.deleted: list[str] = []
        self.put_back: list[tuple[str, JsonObject, bool]] = []
        self.done = asyncio.Event()

    async def take_due(self, *, lease_seconds: float, limit: int) -> Sequence[Document]:
        if not self._found:
            return []
        found = self._found.pop(0)
        if isinstance(found, StorageError):
            raise found
        return [found]

    async def wait_due(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def delete(self, owner: str, key: str, *, expected: int | None = None) -> bool:
        self.deleted.append(key)
        self._look()
        return True

    async def put(
        self,
        owner: str,
        key: str,
        value: JsonObject,
        *,
        expected: int,
        due_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        self.put_back.append((key, value, due_at is not None))
        self._look()

    def _look(self) -> None:
        if len(self.deleted) + len(self.put_back) == self._wanted:
            self.done.set()


class Words:
    """An errand that is prepared and sent as it is told."""

    noun = "word"

    def __init__(self, prepare: Callable[[Document], Any], status: int = 200) -> None:
        self._prepare = prepare
        self._status = status
        self.sent: list[Mapping[str, str]] = []

    async def prepare(self, document: Document) -> Call | None:
        if self._prepare(document) is None:
            return None
        return Call(url="http://x/", headers={"x-a": "b"}, body=b"{}")

    async def send(self, call: Call, headers: Mapping[str, str]) -> Answer:
        self.sent.append(headers)
        return Answer(self._status)

    def facts(self, document: Document) -> Mapping[str, object]:
        return {}

    def remains(self, document: Document) -> JsonObject:
        return {"kept": True}


class Slow(Words):
    """The first call is answered when the second has come."""

    def __init__(self) -> None:
        super().__init__(lambda _: True)
        self._second = asyncio.Event()

    async def send(self, call: Call, headers: Mapping[str, str]) -> Answer:
        self.sent.append(headers)
        if len(self.sent) == 1:
            await self._second.wait()
        self._second.set()
        return Answer(200)


def document(key: str, takes: int = 1) -> Document:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return Document(
        collection="x.words", owner="", key=key, value={"secret": "s"}, version=1, created_at=at, updated_at=at,
        takes=takes,
    )  # fmt: skip


async def deliver(outbox: Outbox, errand: Words) -> None:
    """Until the outbox has what it wanted."""
    logger = logging.getLogger("longline.test")
    courier = Courier(cast("Documents", outbox), errand, SETTINGS, logger=logger, agent="test", clock=now)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(courier.run())
        await outbox.done.wait()
        running.cancel()


async def test_calls_on_their_way_go_on_while_the_storage_is_away(caplog: pytest.LogCaptureFixture) -> None:
    away = [StorageError("disk away"), StorageError("disk away")]
    outbox, slow = Outbox(document("1"), *away, document("2"), wanted=2), Slow()
    await deliver(outbox, slow)
    assert [headers["Longline-Delivery"] for headers in slow.sent] == ["1", "2"]
    assert sorted(outbox.deleted) == ["1", "2"]
    assert [record.getMessage() for record in caplog.records] == ["words not readable"]


async def test_what_nobody_is_to_be_told_is_dropped_and_what_is_told_has_its_headers() -> None:
    words = Words(lambda document: None if document.key == "1" else True)
    outbox = Outbox(document("1"), document("2", takes=2), wanted=2)
    await deliver(outbox, words)
    (headers,) = words.sent
    assert (headers["User-Agent"], headers["x-a"], headers["Longline-Attempt"]) == ("test", "b", "2")
    assert outbox.deleted == ["1", "2"]


async def test_what_may_be_made_later_is_put_off_and_given_up_in_the_end() -> None:
    def fail(document: Document) -> None:
        raise CallFailedError("no key")

    outbox = Outbox(document("1", takes=1), document("2", takes=3), document("3", takes=4), wanted=3)
    await deliver(outbox, Words(fail))
    assert outbox.put_back == [
        ("1", {"secret": "s", "state": "waiting", "reason": "no key"}, True),
        ("2", {"kept": True, "state": "failed", "reason": "no key"}, False),
        ("3", {"kept": True, "state": "failed", "reason": "every attempt was cut off"}, False),
    ]


async def test_a_storage_that_is_away_while_a_call_is_prepared_costs_no_call() -> None:
    def fail(document: Document) -> bool:
        if document.takes == 1:
            raise StorageError("disk away")
        return True

    outbox = Outbox(document("1"), document("1", takes=2), wanted=1)
    await deliver(outbox, Words(fail))
    assert (outbox.deleted, outbox.put_back) == (["1"], [])


@pytest.mark.parametrize(("status", "is_due"), [(503, True), (410, False), (302, False)])
async def test_a_status_decides_whether_there_is_another_call(status: int, is_due: bool) -> None:
    outbox = Outbox(document("1"), wanted=1)
    await deliver(outbox, Words(lambda _: True, status))
    ((_, value, due),) = outbox.put_back
    assert (value["reason"], due) == (f"status {status}", is_due)
