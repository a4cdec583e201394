"""The courier of a server, with the senders that it needs."""

import asyncio
import logging
from contextlib import AsyncExitStack
from importlib import import_module

from longline.clock import now
from longline.delivery.courier import Courier
from longline.delivery.sender import InnerSender, Sender
from longline.services.server import Server
from longline_webhooks.errand import WebhookErrand
from longline_webhooks.outbox import DELIVERIES
from longline_webhooks.settings import WebhookSettings

logger = logging.getLogger(__name__)


async def deliver_webhooks(server: Server) -> None:
    """Deliver for as long as the server lives."""
    settings = server.settings.section(WebhookSettings)
    async with AsyncExitStack() as stack:
        senders = _Senders(server, settings, stack)
        deliveries = server.collections.documents(DELIVERIES.name)
        agent = f"longline/{server.version}"
        errand = WebhookErrand(senders.choose, settings, clock=now)
        await Courier(deliveries, errand, settings, logger=logger, agent=agent, clock=now).run()


class _Senders:
    """Who calls what. What httpx needs is opened with the first call and closed with the stack."""

    def __init__(self, server: Server, settings: WebhookSettings, stack: AsyncExitStack) -> None:
        self._policy = settings.policy
        self._settings = settings
        self._stack = stack
        self._inner = InnerSender(self._policy, server.post_within, timeout_seconds=settings.timeout_seconds)
        self._outer: Sender | None = None
        self._opening = asyncio.Lock()

    async def choose(self, url: str) -> Sender:
        """Who calls this URL."""
        if url.startswith("/"):
            return self._inner
        async with self._opening:
            if self._outer is None:
                self._outer = await self._open()
        return self._outer

    async def _open(self) -> Sender:
        await asyncio.to_thread(import_module, "longline_webhooks.transport")  # httpx takes a while
        from longline_webhooks.transport import HttpSender  # noqa: PLC0415  # imported above, off the loop

        sender = HttpSender(self._policy, timeout_seconds=self._settings.timeout_seconds)
        return await self._stack.enter_async_context(sender)
