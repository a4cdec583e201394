"""Texts → vectors: the embedding that an operator configured, loaded when the first text needs it."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longline.errors import EmbeddingError, GraphLoadError, LonglineError
from longline.graphs.loading import describe_cause, extend_path, load_reference
from longline.settings import ItemIndexSettings, ItemTtlSettings
from longline.slow_imports import import_langgraph
from longline.threads import in_thread

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

_WHAT = "items.index.embed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOptions:
    """How a storage keeps items: whether they can be found by meaning, and how long they stay. Relative references
    start from `base`."""

    index: ItemIndexSettings | None = None
    ttl: ItemTtlSettings | None = None
    base: Path = Path()

    def embedder(self) -> "Embedder | None":
        """What makes vectors; None without an index."""
        return Embedder(self.index, self.base) if self.index is not None else None


class Embedder:
    """Makes vectors on the event loop or in threads beside it, as the configured function can."""

    def __init__(self, index: ItemIndexSettings, base: Path) -> None:
        self._index = index
        self._base = base
        self._loading = asyncio.Lock()
        self._embeddings: Embeddings | None = None

    async def of_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text. Raises EmbeddingError."""
        return await self._checked(texts, is_query=False) if texts else []

    async def of_queries(self, texts: Sequence[str]) -> list[list[float]]:
        """The same for what is searched for, which some models embed in another way. Raises EmbeddingError."""
        return await self._checked(texts, is_query=True) if texts else []

    async def _checked(self, texts: Sequence[str], *, is_query: bool) -> list[list[float]]:
        embeddings = await self._loaded()
        try:
            if is_query:
                vectors = [await embeddings.aembed_query(text) for text in texts]
            else:
                vectors = await embeddings.aembed_documents(list(texts))
            found = [[float(number) for number in vector] for vector in vectors]
        except LonglineError:
            raise
        except (Exception, SystemExit) as error:  # who leaves in it does not mean the server
            raise EmbeddingError(self._index.embed, describe_cause(error)) from error
        if len(found) != len(texts) or any(len(vector) != self._index.dims for vector in found):
            sizes = sorted({len(vector) for vector in found})
            cause = f"{len(texts)} vectors of {self._index.dims} numbers were expected, got {len(found)} of {sizes}"
            raise EmbeddingError(self._index.embed, cause)
        if not all(map(math.isfinite, chain.from_iterable(found))):
            raise EmbeddingError(self._index.embed, "a vector has what is no finite number")
        return found

    async def _loaded(self) -> "Embeddings":
        if self._embeddings is None:
            async with self._loading:
                if self._embeddings is None:
                    self._embeddings = await in_thread(self._load)
        return self._embeddings

    def _load(self) -> "Embeddings":
        import_langgraph()
        from langgraph.store.base import ensure_embeddings  # noqa: PLC0415  # LangGraph is slow to import

        try:
            return ensure_embeddings(self._found())
        except GraphLoadError as error:
            raise EmbeddingError(self._index.embed, str(error)) from error
        except (Exception, SystemExit) as error:
            raise EmbeddingError(self._index.embed, describe_cause(error)) from error

    def _found(self) -> Any:  # a function, LangChain's Embeddings, or a name for LangChain
        reference = self._index.embed
        target = reference.rpartition(":")[0]
        if not (target.endswith(".py") or "." in target or "/" in target):
            return reference  # provider:model
        extend_path([self._base])
        return load_reference(_WHAT, reference, self._base)
