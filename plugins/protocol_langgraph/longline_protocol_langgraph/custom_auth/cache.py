"""Callers that the authenticate handler knew a moment ago."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from time import monotonic

from longline.auth.principal import Principal
from longline_protocol_langgraph.custom_auth.settings import AuthCacheSettings

Key = tuple[str | None, ...]


class PrincipalCache:
    """Principals by the headers that tell callers apart. Refusals are never kept."""

    def __init__(self, settings: AuthCacheSettings, clock: Callable[[], float] = monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, Principal]] = OrderedDict()

    def key_of(self, headers: Mapping[str, str]) -> Key | None:
        """What a caller is remembered by; None for one that shows none of the headers."""
        key = tuple(headers.get(name) for name in self._settings.cache_keys)
        return None if all(value is None for value in key) else key

    def find(self, key: Key) -> Principal | None:
        """Who it was, if that is not too long ago."""
        until, principal = self._kept.get(key, (0.0, None))
        if principal is None or until <= self._clock():
            self._kept.pop(key, None)
            return None
        self._kept.move_to_end(key)
        return principal

    def keep(self, key: Key, principal: Principal) -> None:
        """Remember somebody; the one unused longest makes room."""
        self._kept[key] = (self._clock() + self._settings.ttl_seconds, principal)
        self._kept.move_to_end(key)
        while len(self._kept) > self._settings.max_size:
            self._kept.popitem(last=False)
