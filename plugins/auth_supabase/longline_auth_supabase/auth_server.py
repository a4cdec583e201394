"""The project's Auth server, over HTTP: it may be slow, broken, or send far too much."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from longline_auth_supabase.errors import BadAnswerError, NoAnswerError, UnreachableError

_MOST_BYTES: Final = 1_048_576
_MOST_CONNECTIONS: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What it said."""

    status: int
    body: bytes = field(repr=False)


class AuthServer:
    """Makes calls below `url`. A call takes `timeout_seconds` at most, whatever the server does."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float) -> None:
        self._url = url
        self._headers = {"apikey": key} if key else {}
        self._timeout_seconds = timeout_seconds
        self._client: httpx.AsyncClient | None = None

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Its answer, whatever the status. Redirects are not followed. Raises IdentityAwayError."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._get(path, {**self._headers, **(headers or {})})
        except (TimeoutError, httpx.TimeoutException):
            raise NoAnswerError(path, self._timeout_seconds) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UnreachableError(path, error) from error

    async def close(self) -> None:
        """End its connections. It may be asked again after that."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _get(self, path: str, headers: Mapping[str, str]) -> Answer:
        if self._client is None:
            limits = httpx.Limits(max_connections=_MOST_CONNECTIONS)
            self._client = httpx.AsyncClient(timeout=self._timeout_seconds, limits=limits, follow_redirects=False)
        async with self._client.stream("GET", f"{self._url}{path}", headers=headers) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise BadAnswerError(path, f"more than {_MOST_BYTES} bytes")
            return Answer(response.status_code, bytes(body))
