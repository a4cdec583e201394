"""URLs that hold a secret: a password before the host, or a parameter whose name says so.

What a path holds cannot be told from a path without secrets: such a URL belongs below a key that names a secret.
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_plus

from longline.auth.secret_names import names_secret_parameter
from longline.encoding import HIDDEN

_URL = re.compile(
    r"(?P<scheme>\s*[a-z][a-z0-9+.\-]*://)(?:(?P<user>[^/?#\s]*)@)?(?P<rest>[^?#\s]*)"
    r"(?P<query>\?[^#\s]*)?(?P<fragment>#\S*)?(?P<blank>\s*)",
    re.IGNORECASE,
)
# In other schemes a name before the host is no secret without a password: `postgresql://longline@db/`.
_BARE_TOKENS: Final = frozenset({"http", "https", "ws", "wss"})

OnUser = Callable[[str], str]
"""`user:password` → what stands before the host instead."""
OnParameter = Callable[[str, str], str | None]
"""Name and value of a parameter, as they stand there → what stands there instead; None: nothing."""


def hide_in_url(text: str) -> str:
    """The URL with `***` for each of its secrets; any other text as it is."""
    return _rewritten(text, lambda _: f"{HIDDEN}@", lambda name, _: f"{name}={HIDDEN}")


def strip_url(text: str) -> str:
    """The URL without its secrets; any other text as it is."""
    return _rewritten(text, lambda _: "", lambda *_: None)


def secrets_of_url(text: str) -> list[str]:
    """The secrets of a URL, decoded and as they stand there; none of any other text."""
    found: list[str] = []

    def user(part: str) -> str:
        found.append(part.partition(":")[2] or part)
        return ""

    def parameter(_: str, value: str) -> None:
        found.append(value)

    _rewritten(text, user, parameter)
    return [form for secret in found for form in (secret, unquote_plus(secret))]


def _rewritten(text: str, on_user: OnUser, on_parameter: OnParameter) -> str:
    found = _URL.fullmatch(text) if "://" in text else None
    if found is None:
        return text
    user, scheme = found["user"], found["scheme"]
    if user is not None:
        user = on_user(user) if _is_secret_user(scheme, user) else f"{user}@"
    query, fragment = (_parameters(found[part] or "", on_parameter) for part in ("query", "fragment"))
    return f"{scheme}{user or ''}{found['rest']}{query}{fragment}{found['blank']}"


def _is_secret_user(scheme: str, user: str) -> bool:
    name, _, password = user.partition(":")
    if password:
        return password != HIDDEN
    return name not in ("", HIDDEN) and scheme.strip().removesuffix("://").lower() in _BARE_TOKENS


def _parameters(part: str, on_parameter: OnParameter) -> str:
    """A query or a fragment; its first character says which."""
    if "=" not in part:
        return part
    kept = []
    for parameter in part[1:].split("&"):
        name, _, value = parameter.partition("=")
        is_secret = value not in ("", HIDDEN) and names_secret_parameter(unquote_plus(name))
        shown = on_parameter(name, value) if is_secret else parameter
        if shown is not None:
            kept.append(shown)
    return part[0] + "&".join(kept) if kept else ""
