"""A push notification as a courier makes it: the task as it was stored, to where its config says now."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from longline.auth.secrets import Vault
from longline.delivery.courier import Call
from longline.delivery.sender import Answer, Sender
from longline.errors import CallFailedError
from longline.models.collections import Document
from longline.models.json import JsonObject
from longline_protocol_a2a.push_store import KeptConfigs, Target, open_target

_TOKEN: Final = "X-A2A-Notification-Token"  # noqa: S105  # a header
_ANOTHER_KEY: Final = "sealed with another key"  # which another process may have


class PushErrand:
    """See Errand. A config that was removed meanwhile tells nobody; one that was changed is told at its new place."""

    noun: Final = "push notification"

    def __init__(self, configs: KeptConfigs, sender: Callable[[], Awaitable[Sender]], vault: Vault) -> None:
        self._configs = configs
        self._sender = sender
        self._vault = vault

    async def prepare(self, document: Document) -> Call | None:
        """See Errand."""
        name = (document.value["identity"], document.value["config_id"])
        found = await self._configs.find(str(document.value["chain_id"]))
        config = next((kept for kept in found if kept.name == name), None)
        if config is None:
            return None
        target = open_target(config, self._vault)
        if target is None:
            raise CallFailedError(_ANOTHER_KEY)
        return Call(url=target.url, headers=_headers(target), body=str(document.value["payload"]).encode())

    async def send(self, call: Call, headers: Mapping[str, str]) -> Answer:
        """See Errand."""
        sender = await self._sender()
        return await sender.post(call.url, headers, call.body)

    def facts(self, document: Document) -> Mapping[str, object]:
        """See Errand."""
        return {"run_id": document.value.get("run_id"), "host": document.value.get("host")}

    def remains(self, document: Document) -> JsonObject:
        """See Errand."""
        return {key: value for key, value in document.value.items() if key in ("run_id", "chain_id", "host")}


def _headers(target: Target) -> Mapping[str, str]:
    headers = {}
    if target.token:
        headers[_TOKEN] = target.token
    if target.scheme and target.credentials:
        headers["Authorization"] = f"{target.scheme} {target.credentials}"
    return headers
