"""`${{ env.NAME }}` in the headers of webhooks: variables that begin with a prefix, so that no other can leak."""

import re
from collections.abc import Mapping
from typing import Final

from longline_hosts.environment import Values

_SECTION: Final = "webhooks"
_DEFAULT_PREFIX: Final = "LG_WEBHOOK_"
_TEMPLATE: Final = re.compile(r"\$\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


def expand_headers(values: Values, variables: Mapping[str, str]) -> Values:
    """The values with those templates replaced whose variable is set and allowed. Others stay as they are: the
    plugin refuses them, if it is used."""
    section = values.get(_SECTION, {})
    headers = section.get("headers")
    if not isinstance(headers, dict):
        return values
    given = section.get("env_prefix")
    prefix = given if isinstance(given, str) and given else _DEFAULT_PREFIX
    expanded = {
        name: _expand(text, prefix, variables) if isinstance(text, str) else text for name, text in headers.items()
    }
    return {**values, _SECTION: {**section, "headers": expanded}}


def _expand(text: str, prefix: str, variables: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1]
        return variables.get(name, found[0]) if name.startswith(prefix) else found[0]

    return _TEMPLATE.sub(value, text)
