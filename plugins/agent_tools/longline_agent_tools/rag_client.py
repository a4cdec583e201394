"""Asks servers of documents over HTTP, as LangConnect speaks: bounded in time and size, and never redirected.

Imported with the first retrieval: httpx takes a while.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import httpx
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
)

from longline.auth.urls import UrlPolicy, check_url
from longline.errors import UrlRefusedError
from longline.models.json import JsonObject
from longline_agent_tools.errors import RagFailedError
from longline_agent_tools.pinned import AnswerTooLargeError, PinnedTransport

_T = TypeVar("_T")
_SUCCESSES: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_REFUSED: Final = (401, 403)
_NOT_FOUND: Final = 404
_NOTHING_IS_EMPTY: Final = BeforeValidator(lambda value: "" if value is None else value)
_NO_OBJECT_IS_EMPTY: Final = BeforeValidator(lambda value: {} if value is None else value)
_Metadata = Annotated[dict[str, object], _NO_OBJECT_IS_EMPTY]


class Collection(BaseModel):
    """What a server tells of a collection."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, _NOTHING_IS_EMPTY] = ""
    metadata: _Metadata = Field(default_factory=dict)

    @property
    def description(self) -> str:
        """What it says of itself; empty: nothing."""
        found = self.metadata.get("description")
        return found.strip() if isinstance(found, str) else ""


class FoundDocument(BaseModel):
    """A document, or the part of one that was found."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: Annotated[str, _NOTHING_IS_EMPTY] = ""
    content: Annotated[str, _NOTHING_IS_EMPTY] = Field("", validation_alias=AliasChoices("page_content", "content"))
    metadata: _Metadata = Field(default_factory=dict)


_COLLECTION: Final = TypeAdapter(Collection)
_DOCUMENTS: Final = TypeAdapter(list[FoundDocument])


class RagClient:
    """Calls servers that configurations name. The token of the caller goes only where the operator said that it may."""

    def __init__(
        self, *, urls: UrlPolicy, token_hosts: UrlPolicy | None, timeout_seconds: float, most_bytes: int
    ) -> None:
        self._urls = urls
        self._token_hosts = token_hosts
        self._timeout_seconds = timeout_seconds
        self._most_bytes = most_bytes

    async def describe(self, url: str, collection: str, *, token: SecretStr | None) -> Collection:
        """What the server tells of a collection. Raises RagFailedError."""
        return _parsed(_COLLECTION, await self._ask("GET", url, f"/collections/{collection}", token=token))

    async def search(
        self, url: str, collection: str, *, query: str, limit: int, token: SecretStr | None
    ) -> list[FoundDocument]:
        """At most so many documents, the best first. Raises RagFailedError."""
        path = f"/collections/{collection}/documents/search"
        answer = await self._ask("POST", url, path, token=token, body={"query": query, "limit": limit})
        return _parsed(_DOCUMENTS, answer)[:limit]

    async def _ask(
        self, method: str, url: str, path: str, *, token: SecretStr | None, body: JsonObject | None = None
    ) -> bytes:
        transport = PinnedTransport(self._urls, keep_seconds=0, most_bytes=self._most_bytes)
        try:
            place = httpx.URL(url)
            there = place.copy_with(path=place.path.rstrip("/") + path)
            given = token if token is not None and self._may_get_token(url) else None
            async with (
                asyncio.timeout(self._timeout_seconds),
                httpx.AsyncClient(transport=transport, timeout=None, follow_redirects=False) as client,  # noqa: S113  # bounded as a whole
            ):
                response = await client.request(method, there, json=body, headers=_headers(given))
        except (httpx.HTTPError, httpx.InvalidURL, UrlRefusedError, OSError, UnicodeError) as error:
            reason = _reason(error)
        else:
            if response.status_code in _SUCCESSES:
                return response.content
            reason = _refusal(response.status_code, is_known=given is not None)
        # Not chained: httpx's errors hold the URL and the headers.
        raise RagFailedError(reason)

    def _may_get_token(self, url: str) -> bool:
        if self._token_hosts is None:
            return False
        try:
            check_url(self._token_hosts, url)
        except UrlRefusedError:
            return False
        return True


def _headers(token: SecretStr | None) -> Mapping[str, str]:
    headers = {"accept": "application/json"}
    return headers if token is None else {**headers, "authorization": f"Bearer {token.get_secret_value()}"}


def _parsed(adapter: TypeAdapter[_T], answer: bytes) -> _T:
    try:
        return adapter.validate_json(answer)
    except ValidationError:
        reason = "it answers what is no result of a search"
    raise RagFailedError(reason)


def _reason(error: Exception) -> str:
    """What an exception means. No text of it is shown: it may hold the URL."""
    if isinstance(error, UrlRefusedError):
        return f"its URL is refused: {error.reason}; see agent_tools.rag_domains"
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "its host has no address")


_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (httpx.InvalidURL, "its URL is none that can be called"),
    (httpx.UnsupportedProtocol, "its URL is none that can be called"),
    (AnswerTooLargeError, "its answer is too large; see agent_tools.rag_answer_mib"),
    (httpx.ConnectError, "it cannot be reached"),
    (httpx.ConnectTimeout, "it cannot be reached"),
    (httpx.HTTPError, "the connection broke"),
    (UnicodeError, "what it is asked with holds characters that cannot be sent"),
    (TimeoutError, "it was silent for too long; see agent_tools.rag_search_seconds"),
)


def _refusal(status: int, *, is_known: bool) -> str:
    if status in _REFUSED and not is_known:
        return (
            f"it wants to know the caller (HTTP {status}), whose token goes to the hosts of "
            "agent_tools.rag_token_domains only"
        )
    if status in _REFUSED:
        return f"it refuses the caller (HTTP {status})"
    if status == _NOT_FOUND:
        return f"it has no such collection, or none for this caller (HTTP {status})"
    if status in _REDIRECTS:
        return f"it redirects to another place (HTTP {status})"
    return f"it answers HTTP {status}"
