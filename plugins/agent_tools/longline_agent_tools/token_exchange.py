"""A caller's token → one that is good at one MCP server only (RFC 8693), kept in memory until it ends."""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson
from pydantic import SecretStr

from longline.auth.urls import check_url
from longline.errors import UrlRefusedError
from longline_agent_tools.callers import Caller
from longline_agent_tools.mcp_failures import (
    exchange_broken,
    exchange_refused,
    exchange_refused_url,
    exchange_unreachable,
    no_token,
    token_withheld,
    unsendable,
)
from longline_agent_tools.mcp_settings import McpSettings
from longline_agent_tools.pinned import PinnedTransport
from longline_agent_tools.single_flight import SingleFlight

_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name
_OK: Final = 200
_MOST_BYTES: Final = 1024 * 1024
_MOST_KEPT: Final = 10_000
_SKEW_SECONDS: Final = 30.0
_UNKNOWN_SECONDS: Final = 300.0
"""How long a token is used whose end nobody told; a server that refuses it earlier gets a new one."""
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")

_Key = tuple[str, str]


class TokenExchange:
    """The tokens of one event loop, by caller and server. Nobody gets a token that was made for somebody else."""

    def __init__(self, settings: McpSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._kept: OrderedDict[_Key, tuple[SecretStr, float]] = OrderedDict()
        self._flights: SingleFlight[SecretStr] = SingleFlight()

    @property
    def gives_own_tokens(self) -> bool:
        """Whether servers get tokens of their own, of which there may be another one."""
        return self._settings.mcp_auth == "exchange"

    def known(self, url: str, caller: Caller) -> SecretStr | None:
        """The token that the server at this URL was shown last."""
        kept = self._kept.get(_key(url, caller))
        return kept[0] if kept is not None else None

    async def token(self, url: str, caller: Caller, *, again: bool = False) -> SecretStr:
        """The token that the server at this URL takes from this caller; `again` after it refused the last one. Raises
        McpFailedError."""
        if caller.token is None:
            raise no_token()
        try:
            check_url(self._settings.mcp_token_hosts, url)
        except UrlRefusedError:
            raise token_withheld() from None
        if self._settings.mcp_auth == "pass-through":
            return sendable(caller.token)
        subject = caller.token
        key = _key(url, caller)
        kept = None if again else self._kept.get(key)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        return await self._flights.do(key, lambda: self._exchanged(key, subject))

    async def _exchanged(self, key: _Key, subject: SecretStr) -> SecretStr:
        token, seconds = await self._ask(key[1], subject)
        ends_at = self._clock() + seconds - min(_SKEW_SECONDS, seconds / 2)
        self._kept[key] = (token, ends_at)
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return token

    async def _ask(self, url: str, subject: SecretStr) -> tuple[SecretStr, float]:
        form = {
            "grant_type": _GRANT,
            "subject_token": subject.get_secret_value(),
            "subject_token_type": _ACCESS_TOKEN,
            "resource": url,
        }
        transport = PinnedTransport(self._settings.mcp_token_policy, keep_seconds=0, most_bytes=_MOST_BYTES)
        timeout = httpx.Timeout(self._settings.mcp_list_seconds, connect=self._settings.mcp_connect_seconds)
        try:
            async with httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False) as client:
                endpoint = exchange_url(self._settings.mcp_token_url, url)
                response = await client.post(endpoint, data=form, headers={"accept": "application/json"})
        except UrlRefusedError as error:
            raise exchange_refused_url(error.reason) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            raise exchange_unreachable() from None
        return _read(response)


def _key(url: str, caller: Caller) -> _Key:
    return hashlib.sha256(f"{caller.identity}\n{caller.token_digest}".encode()).hexdigest(), url


def exchange_url(template: str, url: str) -> str:
    """Where tokens are exchanged for a server: `{origin}` is its scheme and host, `{url}` its URL without a query."""
    parts = urlsplit(url.strip())
    origin = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    return template.replace("{origin}", origin).replace("{url}", origin + parts.path.rstrip("/"))


def _read(response: httpx.Response) -> tuple[SecretStr, float]:
    """The token and the seconds that it lasts."""
    try:
        said = orjson.loads(response.content)
    except ValueError:
        said = None
    found = said if isinstance(said, dict) else {}
    if response.status_code != _OK:
        code = str(found.get("error", ""))
        # What comes with the code may quote the token.
        raise exchange_refused(response.status_code, code if _ERROR_CODE.fullmatch(code) else "")
    token = found.get("access_token")
    if not isinstance(token, str) or not token or str(found.get("token_type") or "Bearer").lower() != "bearer":
        raise exchange_broken()
    return sendable(SecretStr(token)), _seconds(found.get("expires_in"))


def sendable(secret: SecretStr) -> SecretStr:
    """The secret, if a header can carry it. Raises McpFailedError: clients put the whole header into their error."""
    text = secret.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise unsendable()
    return secret


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        return _UNKNOWN_SECONDS
    return seconds if 0 < seconds < float("inf") else _UNKNOWN_SECONDS
