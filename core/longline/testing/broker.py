"""The contract of Broker."""

import asyncio
from typing import Final

import pytest

from longline.events.broker import Broker, Subscription

_TOPIC: Final = "contract:topic_1-a"
_LONGEST_TOPIC: Final = "a0:_-" * 12
_LARGEST_SIGNAL: Final = 7_000
_SECONDS: Final = 10.0  # far more than a signal takes through any broker that works


async def _received(subscription: Subscription) -> str | None:
    async with asyncio.timeout(_SECONDS):
        return await subscription.receive()


async def _received_until(subscription: Subscription, *last: str | None) -> list[str | None]:
    """Everything up to the first of `last`."""
    found = [await _received(subscription)]
    while found[-1] not in last:
        found.append(await _received(subscription))
    return found


@pytest.mark.anyio
class BrokerContract:
    """Signals reach every subscriber of their topic, in order; where some are lost, the subscriber is told. Needs the
    fixture `broker`: an open Broker that nobody else uses."""

    async def test_signals_arrive_in_the_order_they_were_published(self, broker: Broker) -> None:
        sent = [f"{number}" for number in range(50)]
        async with broker.subscribe(_TOPIC) as subscription:
            for signal in sent:
                await broker.publish(_TOPIC, signal)
            assert [await _received(subscription) for _ in sent] == sent

    async def test_a_signal_wakes_a_subscriber_that_waits_already(self, broker: Broker) -> None:
        async with broker.subscribe(_TOPIC) as subscription, asyncio.TaskGroup() as group:
            waiting = group.create_task(_received(subscription))
            await asyncio.sleep(0)
            await broker.publish(_TOPIC, "wake")
            assert await waiting == "wake"

    async def test_every_subscriber_of_a_topic_gets_every_signal(self, broker: Broker) -> None:
        async with (
            broker.subscribe(_TOPIC) as one,
            broker.subscribe(_TOPIC) as two,
            broker.subscribe(_TOPIC) as three,
        ):
            await broker.publish(_TOPIC, "a")
            await broker.publish(_TOPIC, "b")
            for subscription in (three, one, two):
                assert [await _received(subscription), await _received(subscription)] == ["a", "b"]

    async def test_a_topic_hears_nothing_of_another(self, broker: Broker) -> None:
        async with broker.subscribe(_TOPIC) as mine, broker.subscribe(f"{_TOPIC}b") as other:
            await broker.publish(f"{_TOPIC}b", "theirs")
            await broker.publish(_TOPIC, "mine")
            assert await _received(mine) == "mine"
            assert await _received(other) == "theirs"

    async def test_what_was_published_before_subscribing_is_not_received(self, broker: Broker) -> None:
        async with broker.subscribe(_TOPIC) as earlier:
            await broker.publish(_TOPIC, "before")
            assert await _received(earlier) == "before"
            async with broker.subscribe(_TOPIC) as later:
                await broker.publish(_TOPIC, "after")
                assert await _received(later) == "after"

    async def test_publishing_where_nobody_listens_is_no_error(self, broker: Broker) -> None:
        await broker.publish(_TOPIC, "unheard")
        async with broker.subscribe(_TOPIC) as subscription:
            await broker.publish(_TOPIC, "heard")
            assert await _received(subscription) == "heard"

    async def test_a_subscriber_that_leaves_takes_nothing_from_the_others(self, broker: Broker) -> None:
        async with broker.subscribe(_TOPIC) as staying:
            async with broker.subscribe(_TOPIC):
                await broker.publish(_TOPIC, "both")
            await broker.publish(_TOPIC, "one")
            assert [await _received(staying), await _received(staying)] == ["both", "one"]
        await broker.publish(_TOPIC, "none")
        async with broker.subscribe(_TOPIC) as back:
            await broker.publish(_TOPIC, "again")
            assert await _received(back) == "again"

    async def test_a_subscriber_that_is_cancelled_while_it_waits_leaves_as_well(self, broker: Broker) -> None:
        is_in = asyncio.Event()

        async def listen() -> None:
            async with broker.subscribe(_TOPIC) as subscription:
                is_in.set()
                await subscription.receive()

        task = asyncio.create_task(listen())
        async with asyncio.timeout(_SECONDS):
            await is_in.wait()
            task.cancel()
            await asyncio.wait({task})
        assert task.cancelled()
        async with broker.subscribe(_TOPIC) as subscription:
            await broker.publish(_TOPIC, "still works")
            assert await _received(subscription) == "still works"

    @pytest.mark.parametrize(
        "signal",
        [
            "",
            "it's",
            'a "quote"',
            "a;b--",
            "line\nbreak\r\n",
            "%s %(x)s {0}",
            "ünïcode-✓-🚀",
            "x" * _LARGEST_SIGNAL,
            "🚀" * (_LARGEST_SIGNAL // 4),
        ],
        ids=["empty", "apostrophe", "quote", "semicolon", "breaks", "percent", "unicode", "largest", "largest-unicode"],
    )
    async def test_a_signal_arrives_as_it_was_sent(self, broker: Broker, signal: str) -> None:
        async with broker.subscribe(_TOPIC) as subscription:
            await broker.publish(_TOPIC, signal)
            assert await _received(subscription) == signal

    async def test_a_topic_may_have_every_promised_character_and_length(self, broker: Broker) -> None:
        async with broker.subscribe(_LONGEST_TOPIC) as subscription:
            await broker.publish(_LONGEST_TOPIC, "x")
            assert await _received(subscription) == "x"

    async def test_a_subscriber_that_missed_signals_is_told_where(self, broker: Broker) -> None:
        sent = [f"{number}" for number in range(3_000)]
        async with broker.subscribe(_TOPIC) as subscription:
            for signal in sent:
                await broker.publish(_TOPIC, signal)
            found = await _received_until(subscription, sent[-1], None)
            known = found[:-1] if found[-1] is None else found
            assert known == sent[: len(known)]
            await broker.publish(_TOPIC, "last")
            assert (await _received_until(subscription, "last"))[-1] == "last"
