"""Where the notifications of tasks go, as it is stored: secrets sealed, one document for each task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import orjson

from longline.auth.kept_principal import keep_principal, recall_principal
from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.delivery.courier import host_of
from longline.errors import NotFoundError, VersionConflictError
from longline.models.json import JsonObject, JsonValue, as_object
from longline.services.collections import Documents
from longline_protocol_a2a.push_outbox import OWNER

_MOST_TRIES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to call, and what to show there."""

    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    scheme: str = ""
    credentials: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptConfig:
    """A config of a task. `identity` is whose it is, `keeper` the same principal on paper: the task is read as them
    when they are told. `sealed` is the target; `host` what may be said of it."""

    config_id: str
    identity: str
    version: str
    host: str
    keeper: JsonObject
    sealed: str

    @property
    def name(self) -> tuple[str, str]:
        """What it is told apart by, within its task."""
        return self.identity, self.config_id


def keep_config(principal: Principal, config_id: str, target: Target, *, version: str, vault: Vault) -> KeptConfig:
    """The config as it may be stored. `version` is the protocol that its receiver reads."""
    said = {"url": target.url, "token": target.token, "scheme": target.scheme, "credentials": target.credentials}
    return KeptConfig(
        config_id=config_id,
        identity=principal.identity,
        version=version,
        host=host_of(target.url),
        keeper=keep_principal(replace(principal, token=None, token_name=None, token_expires_at=None), vault),
        sealed=vault.seal_text(orjson.dumps(said).decode()),
    )


def open_target(config: KeptConfig, vault: Vault) -> Target | None:
    """The target in clear; None if it was sealed with another key."""
    opened = vault.open_text(config.sealed)
    return None if opened is None else Target(**orjson.loads(opened))


def keeper_of(config: KeptConfig, vault: Vault) -> Principal:
    """Whose config it is."""
    return recall_principal(config.keeper, vault)


def with_config(found: Sequence[KeptConfig], config: KeptConfig) -> Sequence[KeptConfig]:
    """The configs with this one, in the place of the one with its name."""
    if all(kept.name != config.name for kept in found):
        return [*found, config]
    return [config if kept.name == config.name else kept for kept in found]


class KeptConfigs:
    """The configs of tasks, by their first run. Changes at the same time all happen, one after the other."""

    def __init__(self, documents: Documents, *, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    async def find(self, key: str) -> Sequence[KeptConfig]:
        """All configs of a task, everybody's, the oldest first."""
        return (await self._read(key))[0]

    async def change(
        self, key: str, revise: Callable[[Sequence[KeptConfig]], Sequence[KeptConfig]], *, keep_days: float
    ) -> None:
        """Put what `revise` makes of a task's configs in their place, and keep it for so long. It may be called several
        times; what it raises comes through."""
        for tries_left in reversed(range(_MOST_TRIES)):
            found, version = await self._read(key)
            try:
                await self._write(key, revise(found), version, keep_days=keep_days)
            except VersionConflictError:
                if not tries_left:
                    raise
            else:
                return

    async def _read(self, key: str) -> tuple[Sequence[KeptConfig], int]:
        try:
            document = await self._documents.get(OWNER, key)
        except NotFoundError:
            return (), 0
        kept = document.value["configs"]
        return tuple(_parse(item) for item in (kept if isinstance(kept, list) else ())), document.version

    async def _write(self, key: str, configs: Sequence[KeptConfig], version: int, *, keep_days: float) -> None:
        if not configs and not version:
            return
        if not configs:
            await self._documents.delete(OWNER, key, expected=version)
            return
        value: JsonObject = {"configs": [_render(config) for config in configs]}
        expires_at = self._clock() + timedelta(days=keep_days)
        await self._documents.put(OWNER, key, value, expected=version, expires_at=expires_at)


def _render(config: KeptConfig) -> JsonObject:
    return {
        "id": config.config_id,
        "identity": config.identity,
        "version": config.version,
        "host": config.host,
        "keeper": config.keeper,
        "sealed": config.sealed,
    }


def _parse(item: JsonValue) -> KeptConfig:
    kept = as_object(item)
    return KeptConfig(
        config_id=str(kept["id"]),
        identity=str(kept["identity"]),
        version=str(kept["version"]),
        host=str(kept["host"]),
        keeper=as_object(kept["keeper"]),
        sealed=str(kept["sealed"]),
    )
