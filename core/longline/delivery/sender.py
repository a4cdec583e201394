"""Who makes the calls. Over HTTP that is the plugin's; to paths of this server none is needed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from longline.auth.urls import UrlPolicy, check_url
from longline.errors import CallFailedError


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said: the status, and when it wants to be asked again if it said so."""

    status: int
    retry_after: str | None = None


class Sender(Protocol):
    """Makes a call."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST and get the head of the answer. Raises UrlRefusedError where the URL may not be called, CallFailedError
        where nobody answered."""
        ...


class InnerSender:
    """Makes calls to paths of this server. They show no credentials but those among the headers."""

    def __init__(
        self,
        policy: UrlPolicy,
        post_within: Callable[[str, Mapping[str, str], bytes], Awaitable[int]],
        *,
        timeout_seconds: float,
    ) -> None:
        self._policy = policy
        self._post_within = post_within
        self._timeout_seconds = timeout_seconds

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See Sender."""
        check_url(self._policy, url)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return Answer(await self._post_within(url, headers, body))
        except Exception as error:  # an app of somebody else: whatever it raises, nobody took the call
            raise CallFailedError(type(error).__name__) from error
