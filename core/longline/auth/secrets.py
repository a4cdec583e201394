"""Secrets in configurations: sealed at rest, handed to graphs as handles, hidden in everything that is shown.

A secret is the value of a config key whose name says so. In rows it stands as AES-256-GCM ciphertext
(NIST SP 800-38D: 96-bit random nonce, 128-bit tag) under the key from the settings.
"""

import base64
import logging
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from pydantic import SecretStr

from longline.encoding import HIDDEN
from longline.errors import SettingsError
from longline.models.json import JsonObject, JsonValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

logger = logging.getLogger(__name__)

_PREFIX: Final = "longline-sealed:1:"
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[-.\s]")
_SECRET_NAME = re.compile(
    r"(^|_)((api|secret|private|access|signing|encryption)_?keys?|secrets?|passwords?|passwd|authorization|credentials?"
    r"|cookies?|(access|refresh|auth|id|bearer|session)_?tokens?|token)$",
)

Leaf: TypeAlias = Callable[[str, JsonValue], str]
"""(text of a secret, what stood there before) → what stands there now."""
Walk: TypeAlias = Callable[[JsonValue, JsonValue, Leaf], JsonValue]


class Vault:
    """Seals, opens and hides the secrets of JSON objects. Whatever is not a secret passes through unchanged."""

    def __init__(self, key: bytes | None, extra_names: Iterable[str] = ()) -> None:
        self.is_durable = key is not None
        """Whether sealed secrets can still be opened after a restart."""
        self._key = key if key is not None else os.urandom(_KEY_BYTES)
        self._extra = frozenset(name.lower() for name in extra_names)
        self._cipher: AESGCM | None = None

    def is_secret(self, name: str) -> bool:
        """Whether a key of this name holds a secret. CamelCase, dots and hyphens separate words."""
        words = _WORD_BREAK.sub("_", name).lower()
        return name.lower() in self._extra or _SECRET_NAME.search(words) is not None

    def seal(self, value: JsonObject, previous: JsonObject | None = None) -> JsonObject:
        """Encrypt every secret. A secret that reads `***` (as it was shown) keeps what `previous` holds there; in a
        list only if its whole entry is as it was shown. One that has nothing to keep becomes empty."""
        return self._walk_object(value, previous, self._seal_leaf)

    def hide(self, value: JsonObject) -> JsonObject:
        """The object as it may be shown: each secret, and anything sealed, is `***`."""
        return self._walk_object(value, None, _hide_leaf)

    def open_as_handles(self, value: JsonObject) -> dict[str, object]:
        """Decrypt into `pydantic.SecretStr`: LangGraph copies plain strings into checkpoints and debug events, these
        not. A secret that cannot be opened (another key) is left out, and the log says so."""
        return {key: self._open(key, item, SecretStr) for key, item in value.items() if not self._is_lost(key, item)}

    def open_in_clear(self, value: JsonObject) -> dict[str, object]:
        """Decrypt into plain strings, for values that LangGraph hands to nodes and shows nowhere."""
        return {key: self._open(key, item, str) for key, item in value.items() if not self._is_lost(key, item)}

    # -- sealing ----------------------------------------------------------------------------------------------------

    def _walk_object(self, value: JsonObject, previous: JsonObject | None, leaf: Leaf) -> JsonObject:
        old = previous or {}
        return {
            key: self._leaves(item, old.get(key), leaf) if self.is_secret(key) else self._walk(item, old.get(key), leaf)
            for key, item in value.items()
        }

    def _walk(self, item: JsonValue, old: JsonValue, leaf: Leaf) -> JsonValue:
        if isinstance(item, dict):
            return self._walk_object(item, old if isinstance(old, dict) else None, leaf)
        if isinstance(item, list):
            return _kept(item, old, self._walk, leaf)
        if isinstance(item, str) and item.startswith(_PREFIX):
            return leaf(item, None)
        return item

    def _leaves(self, item: JsonValue, old: JsonValue, leaf: Leaf) -> JsonValue:
        """Everything below a secret key is secret, numbers too."""
        if isinstance(item, dict):
            kept = old if isinstance(old, dict) else {}
            return {key: self._leaves(part, kept.get(key), leaf) for key, part in item.items()}
        if isinstance(item, list):
            return _kept(item, old, self._leaves, leaf)
        if item is None or isinstance(item, bool):
            return item
        return leaf(item if isinstance(item, str) else str(item), old)

    def _seal_leaf(self, text: str, old: JsonValue) -> str:
        if text == HIDDEN:
            return old if isinstance(old, str) else ""
        if not text or (text.startswith(_PREFIX) and self._decrypt(text) is not None):
            return text
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._aes().encrypt(nonce, text.encode(), None)
        return _PREFIX + base64.b64encode(nonce + sealed).decode()

    # -- opening ----------------------------------------------------------------------------------------------------

    def _open(self, key: str, item: JsonValue, make: Callable[[str], object]) -> object:
        if isinstance(item, dict):
            return {k: self._open(k, part, make) for k, part in item.items() if not self._is_lost(k, part)}
        if isinstance(item, list):
            return [self._open(key, part, make) for part in item if not self._is_lost(key, part)]
        if isinstance(item, str) and item.startswith(_PREFIX):
            return make(self._decrypt(item) or "")
        return item

    def _is_lost(self, key: str, item: JsonValue) -> bool:
        lost = isinstance(item, str) and item.startswith(_PREFIX) and self._decrypt(item) is None
        if lost:
            logger.warning("secret not readable", extra={"config_key": key, "reason": "sealed with another key"})
        return lost

    def _decrypt(self, text: str) -> str | None:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # only where there are secrets

        try:
            raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
            return self._aes().decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None).decode()
        except (ValueError, InvalidTag):
            return None

    def _aes(self) -> "AESGCM":
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # only where needed

            self._cipher = AESGCM(self._key)
        return self._cipher


def _hide_leaf(text: str, old: JsonValue) -> str:  # noqa: ARG001  # a Leaf
    return HIDDEN if text else text


def _kept(items: list[JsonValue], old: JsonValue, walk: Walk, leaf: Leaf) -> list[JsonValue]:
    """Entries that are as they were shown keep their secrets wherever they stand now. One that was changed keeps none:
    it may send them to another place."""
    before = [(walk(entry, None, _hide_leaf), entry) for entry in old] if isinstance(old, list) else []
    shown = [pair for pair in before if pair[0] != pair[1]]
    found: list[JsonValue] = []
    for item in items:
        match = next((pair for pair in shown if pair[0] == item), None)
        if match is not None:
            shown.remove(match)
        found.append(walk(item, None, leaf) if match is None else match[1])
    return found


def new_key() -> str:
    """A fresh key for `[secrets] key`."""
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def parse_key(text: str) -> bytes | None:
    """The key that the settings give, None if they give none. Raises SettingsError."""
    if not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise SettingsError(
            ["bad value for secrets.key: 32 bytes in base64 are needed; `openssl rand -base64 32` makes them"]
        )
    return key
