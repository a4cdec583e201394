"""A webhook as a courier makes it: what was stored of a run's end, and when it was sent."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from longline.clock import Clock
from longline.delivery.courier import Call, host_of
from longline.delivery.sender import Answer, Sender
from longline.models.collections import Document
from longline.models.json import JsonObject
from longline_webhooks.payload import finish_payload
from longline_webhooks.settings import WebhookSettings


class WebhookErrand:
    """See Errand."""

    noun: Final = "webhook"

    def __init__(self, sender: Callable[[str], Awaitable[Sender]], settings: WebhookSettings, *, clock: Clock) -> None:
        self._sender = sender
        self._settings = settings
        self._clock = clock

    async def prepare(self, document: Document) -> Call:
        """See Errand."""
        return Call(
            url=str(document.value["url"]),
            headers={name: value.get_secret_value() for name, value in self._settings.headers.items()},
            body=finish_payload(str(document.value["payload"]), self._clock()),
        )

    async def send(self, call: Call, headers: Mapping[str, str]) -> Answer:
        """See Errand."""
        sender = await self._sender(call.url)
        return await sender.post(call.url, headers, call.body)

    def facts(self, document: Document) -> Mapping[str, object]:
        """See Errand."""
        return {"run_id": document.key, "host": _host(document)}

    def remains(self, document: Document) -> JsonObject:
        """See Errand."""
        kept = {key: value for key, value in document.value.items() if key in ("run_id", "thread_id")}
        return {**kept, "host": _host(document)}


def _host(document: Document) -> str:
    return host_of(str(document.value.get("url", "")))
