"""What makes push notifications for as long as the server lives: nothing is imported before there is one to make."""

import asyncio
import logging
from contextlib import AsyncExitStack
from importlib import import_module

from longline.auth.principal import Principal
from longline.auth.urls import Resolver, UrlPolicy
from longline.clock import now
from longline.delivery.courier import Courier
from longline.delivery.sender import Sender
from longline.delivery.taker import Taker
from longline.services.server import Server
from longline_protocol_a2a.push_endings import NOUN, Ending, News, PushEndings
from longline_protocol_a2a.push_errand import PushErrand
from longline_protocol_a2a.push_outbox import CALLS, CONFIGS, ENDINGS
from longline_protocol_a2a.push_settings import PURPOSE, PushSettings
from longline_protocol_a2a.push_store import KeptConfigs
from longline_protocol_a2a.settings import A2aSettings

logger = logging.getLogger(__name__)

_READ_SECONDS = 30.0


async def tell_endings(server: Server) -> None:
    """Store a call for everybody who is to be told of a task, for ever."""
    settings = server.settings.section(A2aSettings).push
    collections = server.collections
    endings = PushEndings(
        endings=collections.documents(ENDINGS.name),
        calls=collections.documents(CALLS.name),
        configs=KeptConfigs(collections.documents(CONFIGS.name), clock=now),
        read=_Reader(server, settings).read,
        settings=settings,
        vault=server.vault,
        clock=now,
    )
    await Taker(
        collections.documents(ENDINGS.name), endings.tell, noun=NOUN, logger=logger, work_seconds=_READ_SECONDS,
        concurrency=settings.concurrency, poll_seconds=settings.poll_seconds,
    ).run()  # fmt: skip


async def deliver_pushes(server: Server, *, resolver: Resolver | None = None) -> None:
    """Make the calls, for ever. `resolver` stands in for the machine's own."""
    settings = server.settings.section(A2aSettings).push
    configs = KeptConfigs(server.collections.documents(CONFIGS.name), clock=now)
    async with AsyncExitStack() as stack:
        senders = _Senders(server.urls.get(PURPOSE), settings, stack, resolver)
        errand = PushErrand(configs, senders.choose, server.vault)
        calls = server.collections.documents(CALLS.name)
        agent = f"longline/{server.version}"
        await Courier(calls, errand, settings, logger=logger, agent=agent, clock=now).run()


class _Reader:
    """Reads tasks. The SDK is imported with the first."""

    def __init__(self, server: Server, settings: PushSettings) -> None:
        self._server = server
        self._limit = int(settings.max_payload_mib * 1024 * 1024)

    async def read(self, principal: Principal, ending: Ending) -> News | None:
        """See ReadNews."""
        await asyncio.to_thread(import_module, "longline_protocol_a2a.push_news")
        from longline_protocol_a2a.push_news import read_news  # noqa: PLC0415  # imported above, off the loop

        return await read_news(self._server, principal, ending, self._limit)


class _Senders:
    """Opens the one sender with the first call, and closes it with the stack: httpx takes a while."""

    def __init__(
        self, policy: UrlPolicy, settings: PushSettings, stack: AsyncExitStack, resolver: Resolver | None
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._stack = stack
        self._resolver = resolver
        self._sender: Sender | None = None
        self._opening = asyncio.Lock()

    async def choose(self) -> Sender:
        """Who makes the calls."""
        async with self._opening:
            if self._sender is None:
                self._sender = await self._open()
        return self._sender

    async def _open(self) -> Sender:
        await asyncio.to_thread(import_module, "longline_protocol_a2a.push_transport")
        from longline_protocol_a2a.push_transport import PushSender  # noqa: PLC0415  # imported above, off the loop

        seconds = self._settings.timeout_seconds
        sender = PushSender(self._policy, timeout_seconds=seconds, resolver=self._resolver)
        return await self._stack.enter_async_context(sender)
