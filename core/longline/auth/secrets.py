"""Secrets in configurations: sealed at rest, handed to graphs as handles, hidden in everything that is shown.

A secret is everything below a config key whose name says so, and a URL with a password or a token in it. In rows it
stands as AES-256-GCM ciphertext (NIST SP 800-38D: 96-bit random nonce, 128-bit tag) under the key from the settings.
"""

import base64
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pydantic import SecretStr

from longline.auth.secret_names import names_secret
from longline.auth.secret_texts import hide_in_text
from longline.auth.secret_urls import hide_in_url, secrets_of_url, strip_url
from longline.encoding import HIDDEN
from longline.errors import SettingsError
from longline.models.json import JsonObject, JsonValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

logger = logging.getLogger(__name__)

_PREFIX: Final = "longline-sealed:1:"
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_SHORTEST_SCRUBBED: Final = 4
_SHORTEST_WORD: Final = 8

Leaf: TypeAlias = Callable[[str, JsonValue], str]
"""(text of a secret, what stood there before) → what stands there now."""


@dataclass(frozen=True, slots=True)
class _Leaves:
    """What becomes of texts: of those below a key that names a secret, and of all others."""

    secret: Leaf
    other: Leaf


Walk: TypeAlias = Callable[[JsonValue, JsonValue, _Leaves], JsonValue]


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
        return name.lower() in self._extra or names_secret(name)

    def seal(self, value: JsonObject, previous: JsonObject | None = None) -> JsonObject:
        """Encrypt every secret. One that reads as it was shown keeps what `previous` holds there; in a list only if its
        whole entry is as it was shown. A `***` that has nothing to keep becomes empty."""
        return self._walk_object(value, previous, _Leaves(self._seal_secret, self._seal_other))

    def hide(self, value: JsonObject) -> JsonObject:
        """The object as it may be shown: `***` for each secret, and for what is secret of a URL."""
        return self._walk_object(value, None, self._hiding)

    def strip(self, value: JsonObject) -> JsonObject:
        """The object without its secrets: keys that name one are gone, URLs keep what is no secret of them, and what
        else is sealed is gone."""
        parts = ((key, self._stripped(item)) for key, item in value.items() if not self.is_secret(key))
        return {key: kept for key, found in parts for kept in found}

    def scrub(self, text: str, *values: JsonObject) -> str:
        """The text with `***` for the sealed secrets of these objects, as a whole and word by word, and for what looks
        like one. Those of less than four characters stay: they are found in any text."""
        shown: dict[str, str] = {}
        for secret in (found for value in values for found in self._texts(value)):
            shown |= dict.fromkeys(_words(secret), HIDDEN)
            shown[secret] = HIDDEN if (hidden := hide_in_url(secret)) == secret else hidden
        for secret in sorted(shown, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SCRUBBED:
                text = text.replace(secret, shown[secret])
        return hide_in_text(text)

    def holds_secrets(self, *values: JsonObject) -> bool:
        """Whether anything in these objects is sealed."""
        return any(next(_sealed(value), None) is not None for value in values)

    def open_as_handles(self, value: JsonObject) -> dict[str, object]:
        """Decrypt into `pydantic.SecretStr`: LangGraph copies plain strings into checkpoints and debug events, these
        not. A secret that cannot be opened (another key) is left out, and the log says so."""
        return {key: self._open(key, item, SecretStr) for key, item in value.items() if not self._is_lost(key, item)}

    def open_in_clear(self, value: JsonObject) -> dict[str, object]:
        """Decrypt into plain strings, for values that LangGraph hands to nodes and shows nowhere."""
        return {key: self._open(key, item, str) for key, item in value.items() if not self._is_lost(key, item)}

    def seal_text(self, text: str) -> str:
        """Encrypt a text, whatever it says."""
        return self._encrypt(text)

    def open_text(self, sealed: str) -> str | None:
        """What `seal_text` encrypted; None if that was with another key."""
        return self._decrypt(sealed)

    # -- sealing and hiding -----------------------------------------------------------------------------------------

    def _walk_object(self, value: JsonObject, previous: JsonObject | None, leaves: _Leaves) -> JsonObject:
        old = previous or {}
        return {
            key: (self._below_secret if self.is_secret(key) else self._walk)(item, old.get(key), leaves)
            for key, item in value.items()
        }

    def _walk(self, item: JsonValue, old: JsonValue, leaves: _Leaves) -> JsonValue:
        if isinstance(item, dict):
            return self._walk_object(item, old if isinstance(old, dict) else None, leaves)
        if isinstance(item, list):
            return self._kept(item, old, self._walk, leaves)
        return leaves.other(item, old) if isinstance(item, str) else item

    def _below_secret(self, item: JsonValue, old: JsonValue, leaves: _Leaves) -> JsonValue:
        """Everything below a secret key is secret, numbers too."""
        if isinstance(item, dict):
            kept = old if isinstance(old, dict) else {}
            return {key: self._below_secret(part, kept.get(key), leaves) for key, part in item.items()}
        if isinstance(item, list):
            return self._kept(item, old, self._below_secret, leaves)
        if item is None or isinstance(item, bool):
            return item
        return leaves.secret(item if isinstance(item, str) else str(item), old)

    def _kept(self, items: list[JsonValue], old: JsonValue, walk: Walk, leaves: _Leaves) -> list[JsonValue]:
        """Entries that are as they were shown keep their secrets wherever they stand now. One that was changed keeps
        none: it may send them to another place."""
        before = [(walk(entry, None, self._hiding), entry) for entry in old] if isinstance(old, list) else []
        shown = [pair for pair in before if pair[0] != pair[1]]
        found: list[JsonValue] = []
        for item in items:
            match = next((pair for pair in shown if pair[0] == item), None)
            if match is not None:
                shown.remove(match)
            found.append(walk(item, None, leaves) if match is None else match[1])
        return found

    @property
    def _hiding(self) -> _Leaves:
        return _Leaves(_hide_secret, self._hide_other)

    def _seal_secret(self, text: str, old: JsonValue) -> str:
        if text == HIDDEN:
            return old if isinstance(old, str) else ""
        return text if not text or self._is_sealed(text) else self._encrypt(text)

    def _seal_other(self, text: str, old: JsonValue) -> str:
        if isinstance(old, str) and old.startswith(_PREFIX) and text == self._hide_other(old, None):
            return old
        if text.startswith(_PREFIX):
            return text if self._is_sealed(text) else self._encrypt(text)
        return text if hide_in_url(text) == text else self._encrypt(text)

    def _hide_other(self, text: str, old: JsonValue) -> str:  # noqa: ARG002  # a Leaf
        if not text.startswith(_PREFIX):
            return hide_in_url(text)
        clear = self._decrypt(text) or ""
        shown = hide_in_url(clear)
        return HIDDEN if shown == clear else shown

    # -- without secrets --------------------------------------------------------------------------------------------

    def _stripped(self, item: JsonValue) -> Iterator[JsonValue]:
        """What is left of it: one value, or none."""
        if isinstance(item, dict):
            yield self.strip(item)
        elif isinstance(item, list):
            yield [kept for part in item for kept in self._stripped(part)]
        elif isinstance(item, str) and item.startswith(_PREFIX):
            clear = self._decrypt(item) or ""
            if strip_url(clear) != clear:
                yield strip_url(clear)
        else:
            yield strip_url(item) if isinstance(item, str) else item

    def _texts(self, item: JsonValue) -> Iterator[str]:
        """All that is sealed, in clear."""
        return (self._decrypt(sealed) or "" for sealed in _sealed(item))

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

    def _is_sealed(self, text: str) -> bool:
        return text.startswith(_PREFIX) and self._decrypt(text) is not None

    def _encrypt(self, text: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._aes().encrypt(nonce, text.encode(), None)
        return _PREFIX + base64.b64encode(nonce + sealed).decode()

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


def _sealed(item: JsonValue) -> Iterator[str]:
    """All that is sealed, or looks so."""
    if isinstance(item, dict | list):
        for part in item.values() if isinstance(item, dict) else item:
            yield from _sealed(part)
    elif isinstance(item, str) and item.startswith(_PREFIX):
        yield item


def _hide_secret(text: str, old: JsonValue) -> str:  # noqa: ARG001  # a Leaf
    return HIDDEN if text else text


def _words(secret: str) -> Iterator[str]:
    """What may be shown of a secret by itself: a token without its `Bearer`, the secrets of a URL."""
    yield from (word for word in secret.split() if len(word) >= _SHORTEST_WORD)
    yield from secrets_of_url(secret)


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
