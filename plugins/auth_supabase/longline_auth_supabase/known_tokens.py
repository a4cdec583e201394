"""Tokens whose signature was checked a moment ago: the same one comes with each request of a user."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from longline.models.json import JsonObject

_MOST: Final = 2000


class KnownTokens:
    """Remembers claims for `seconds`, by the hash of the token, while no key changes. Whether they still hold is not
    remembered."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, JsonObject]] = OrderedDict()
        self._version = 0

    def find(self, token: str, version: int) -> JsonObject | None:
        """The claims of a token, if they are remembered. `version` is that of the keys."""
        if version != self._version:
            self._known.clear()
            self._version = version
        kept = self._known.get(_hash(token))
        return kept[1] if kept is not None and self._clock() - kept[0] < self._seconds else None

    def keep(self, token: str, claims: JsonObject) -> None:
        """Remember them; the oldest are forgotten for them."""
        if self._seconds:
            self._known[_hash(token)] = (self._clock(), claims)
            self._known.move_to_end(_hash(token))
        while len(self._known) > _MOST:
            self._known.popitem(last=False)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
