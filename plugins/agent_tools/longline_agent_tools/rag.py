"""The collections of an agent as tools: one for each, named as its server names it, whatever becomes of the server."""

import asyncio
import json
import logging
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException

from longline.auth.secret_urls import hide_in_url
from longline.models.json import JsonObject, JsonValue
from longline_agent_tools.arguments import ArgumentsAsOne
from longline_agent_tools.callers import Caller, caller_of
from longline_agent_tools.errors import RagFailedError
from longline_agent_tools.model_names import describe_endpoint
from longline_agent_tools.rag_config import RagConfig
from longline_agent_tools.rag_settings import RagSettings
from longline_agent_tools.tool_names import assign_names

if TYPE_CHECKING:
    from longline_agent_tools.rag_client import Collection, FoundDocument, RagClient

logger = logging.getLogger(__name__)

_MOST_DESCRIBED: Final = 1_000
_LONGEST_DESCRIPTION: Final = 1_000
_LONGEST_QUERY: Final = 4_000
_LONGEST_SOURCE: Final = 300
_SOURCES: Final = ("source", "title", "name", "file_name", "filename", "url")
_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "description": "What to look for, in words or as a question.",
            "maxLength": _LONGEST_QUERY,
        }
    },
    "required": ["query"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retriever:
    """A collection, complete: the tool that searches it, and where."""

    url: str = field(repr=False)
    collection: str
    name: str
    description: str

    @property
    def is_private(self) -> bool:
        """Whether its URL holds a secret."""
        return hide_in_url(self.url) != self.url


class Retrievers:
    """Finds out what collections are called, and makes tools of them."""

    def __init__(self, settings: RagSettings) -> None:
        self._settings = settings
        self._described: OrderedDict[str, tuple[float, Collection | None]] = OrderedDict()

    async def of(
        self, rag: RagConfig | None, configurable: Mapping[str, JsonValue], *, taken: Iterable[str]
    ) -> tuple[Retriever, ...]:
        """The retrievers of a run, named unlike the tools in `taken`. One whose server does not tell its name is there
        all the same: its answers say what is wrong."""
        if rag is None or not rag.url:
            return ()
        caller = caller_of(configurable)
        described = await asyncio.gather(*(self._describe(rag.url, one, caller) for one in rag.collections))
        return _named(rag, described, taken)

    def unasked(self, rag: RagConfig | None, *, taken: Iterable[str]) -> tuple[Retriever, ...]:
        """The same without a question to anybody, for who only looks at the graph."""
        if rag is None or not rag.url:
            return ()
        return _named(rag, [None] * len(rag.collections), taken)

    def tool(self, retriever: Retriever) -> BaseTool:
        """The tool. Whatever fails is an answer of status `error`, not the end of the run."""

        async def call(arguments: JsonObject, config: RunnableConfig) -> str:
            query = arguments.get("query")
            if not isinstance(query, str) or not query.strip():
                raise ToolException("query must be a text that says what to look for")  # noqa: TRY003  # LangChain's class
            try:
                found = await self._client(self._settings.rag_search_seconds).search(
                    retriever.url,
                    retriever.collection,
                    query=query[:_LONGEST_QUERY],
                    limit=self._settings.rag_documents,
                    token=caller_of(config.get("configurable", {})).token,
                )
            except RagFailedError as error:
                facts = {"tool": retriever.name, "server": _shown(retriever.url), "reason": error.reason}
                logger.warning("collection not searched", extra=facts)
                raise ToolException(f"the collection cannot be searched: {error.reason}") from error  # noqa: TRY003  # LangChain's class
            return _told(found, self._settings.rag_characters)

        return ArgumentsAsOne(
            name=retriever.name,
            description=retriever.description,
            args_schema=_SCHEMA,
            coroutine=call,
            handle_tool_error=True,
        )

    async def _describe(self, url: str, collection: str, caller: Caller) -> "Collection | None":
        """What the server tells of a collection; None if it does not. Remembered for a while, for each caller apart."""
        key = sha256(
            "\n".join((url, collection, caller.identity, caller.token_digest)).encode("utf-8", "replace")
        ).hexdigest()
        now = time.monotonic()
        fresh_until, known = self._described.get(key, (0.0, None))
        if now < fresh_until:
            self._described.move_to_end(key)
            return known
        seconds = self._settings.rag_described_seconds
        try:
            known = await self._client(self._settings.rag_describe_seconds).describe(
                url, collection, token=caller.token
            )
        except RagFailedError as error:
            seconds = self._settings.rag_failed_seconds
            facts = {"server": _shown(url), "collection": collection, "reason": error.reason}
            logger.warning("collection not described", extra=facts)
        self._described[key] = (time.monotonic() + seconds, known)
        self._described.move_to_end(key)
        while len(self._described) > _MOST_DESCRIBED:
            self._described.popitem(last=False)
        return known

    def _client(self, timeout_seconds: float) -> "RagClient":
        from longline_agent_tools.rag_client import RagClient  # noqa: PLC0415  # imports an HTTP client

        return RagClient(
            urls=self._settings.rag_policy,
            token_hosts=self._settings.rag_token_hosts,
            timeout_seconds=timeout_seconds,
            most_bytes=int(self._settings.rag_answer_mib * 1024 * 1024),
        )


def _named(rag: RagConfig, described: "Iterable[Collection | None]", taken: Iterable[str]) -> tuple[Retriever, ...]:
    pairs = list(zip(rag.collections, described, strict=True))
    wanted = [_plain(known.name) if known and known.name else f"collection_{one}" for one, known in pairs]
    (names,) = assign_names(taken, [("search", wanted)])
    return tuple(
        Retriever(url=rag.url, collection=one, name=name, description=_description(known))
        for (one, known), name in zip(pairs, names, strict=True)
    )


def _description(known: "Collection | None") -> str:
    text = "Search a collection of documents for the passages that are nearest in meaning to a query."
    if known is not None and known.name:
        text += f" The collection is called {known.name[:_LONGEST_SOURCE]!r}."
    return f"{text} {known.description}"[:_LONGEST_DESCRIPTION] if known is not None and known.description else text


def _plain(name: str) -> str:
    """The name with letters that names of tools may have: `Handbücher für Größen` → `Handbucher fur Grossen`."""
    decomposed = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).strip()


def _told(found: "list[FoundDocument]", characters: int) -> str:
    """Documents with their sources, as JSON that a model can read; as much as there is room for."""
    documents: list[JsonValue] = []
    for document in found:
        content = document.content.strip()[: max(characters, 0)]
        if not content and document.content.strip():
            break
        characters -= len(content)
        entry: JsonObject = {"source": _source(document), "content": content}
        if len(content) < len(document.content.strip()):
            entry["is_cut"] = True
        documents.append(entry)
    told: JsonObject = {"documents": documents}
    if len(documents) < len(found):
        told["left_out"] = len(found) - len(documents)
    return json.dumps(told, ensure_ascii=False)


def _source(document: "FoundDocument") -> str:
    """Where a document is from, in the first words that say it; else its id."""
    said = (document.metadata.get(name) for name in _SOURCES)
    source = next((text for text in said if isinstance(text, str) and text.strip()), document.id)
    page = document.metadata.get("page")
    return source[:_LONGEST_SOURCE] + (f", page {page}" if isinstance(page, int | str) and page != "" else "")


def _shown(url: str) -> str:
    try:
        return describe_endpoint(url)
    except ValueError:
        return "no URL"
