"""Which request headers graphs get as configurable values."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from longline.auth.secrets import Vault
from longline.models.json import JsonObject
from longline.settings import SecretSettings, Settings
from longline_protocol_langgraph.custom_http.settings import HeaderSettings

_NEVER_BY_PATTERN: Final = frozenset({"x-service-key", "x-tenant-id"})
"""What front ends of LangSmith send along, besides what is secret by its name."""
_REQUEST_ID: Final = "x-request-id"


class ConfigurableHeaders:
    """Chooses headers. One whose name says that it holds a secret (`authorization`, `cookie`, `x-api-key`) is taken
    only where it is named in full; it is sealed like any secret of a configuration."""

    def __init__(self, settings: HeaderSettings | None, server: Settings) -> None:
        chosen = settings or HeaderSettings.model_validate({})
        self._vault = Vault(None, server.section(SecretSettings).extra_names)
        self._is_any = bool(chosen.includes)
        self._names = frozenset(name for name in chosen.includes or () if "*" not in name)
        self._includes = _matcher(pattern for pattern in chosen.includes or () if "*" in pattern)
        self._excludes = _matcher(chosen.excludes or ())

    def chosen(self, headers: Mapping[str, str], request_id: str) -> JsonObject:
        """By lower-case name. The request's id is there whoever gave it."""
        if not self._is_any:
            return {}
        given = {**headers, _REQUEST_ID: request_id}
        return {name: value for name, value in given.items() if self._takes(name)}

    def _takes(self, name: str) -> bool:
        if self._excludes.fullmatch(name):
            return False
        if name in self._names:
            return True
        is_guarded = name in _NEVER_BY_PATTERN or self._vault.is_secret(name)
        return not is_guarded and self._includes.fullmatch(name) is not None


def _matcher(patterns: Iterable[str]) -> re.Pattern[str]:
    """What any of the patterns stands for; nothing if there is none."""
    alternatives = [".*".join(re.escape(part) for part in pattern.split("*")) for pattern in patterns]
    return re.compile("|".join(alternatives) if alternatives else r"(?!)")
