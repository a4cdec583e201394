"""Runs found over threads: nobody finds those of a thread that he may not see."""

from collections.abc import Sequence
from dataclasses import replace

from longline.auth.access import Access, Action
from longline.auth.principal import Principal
from longline.errors import ForbiddenError, NotFoundError
from longline.models.filters import all_of
from longline.models.json import JsonObject
from longline.models.runs import Run, RunQuery
from longline.services.narrowing import chosen_ids, narrowing
from longline.storage.protocols import Storage


class RunFinder:
    """Searches for a principal. A query names a thread, or runs, or means all that the principal may see."""

    def __init__(self, storage: Storage, access: Access) -> None:
        self._storage = storage
        self._access = access

    async def search(self, principal: Principal, query: RunQuery) -> Sequence[Run]:
        """The matching runs, as they are stored. Raises NotFoundError for the query's thread, ForbiddenError."""
        if query.thread_id is None and query.run_ids is not None:
            found = await self._named(principal, query, query.run_ids)
            return found[query.offset : query.offset + query.limit]
        return await self._storage.runs.search(await self._seen(principal, query))

    async def count(self, principal: Principal, query: RunQuery) -> int:
        """How many match. Raises NotFoundError for the query's thread, ForbiddenError."""
        if query.thread_id is None and query.run_ids is not None:
            return len(await self._named(principal, replace(query, after=None), query.run_ids))
        return await self._storage.runs.count(await self._seen(principal, query))

    async def _named(self, principal: Principal, query: RunQuery, run_ids: Sequence[str]) -> Sequence[Run]:
        """All that match of the runs that a query names: those of others take no place on a page."""
        found = await self._storage.runs.search(replace(query, limit=len(run_ids), offset=0))
        return [run for run in found if await self._may_see(principal, run.thread_id)]

    async def _seen(self, principal: Principal, query: RunQuery) -> RunQuery:
        """The query, as far as the principal may see."""
        if query.thread_id is not None:
            await self._require(principal, query.thread_id)
            return query
        value: JsonObject = {
            "metadata": {}, "values": {}, "status": None, "limit": query.limit, "offset": query.offset,
            "ids": list(query.thread_ids) if query.thread_ids is not None else None,
        }  # fmt: skip
        visible = await self._access.decide(principal, Action("threads", "search"), value)
        visible = all_of(query.visible, visible, narrowing(value, {}))
        return replace(query, thread_ids=chosen_ids(value, query.thread_ids), visible=visible)

    async def _may_see(self, principal: Principal, thread_id: str) -> bool:
        try:
            await self._require(principal, thread_id)
        except (NotFoundError, ForbiddenError):
            return False
        return True

    async def _require(self, principal: Principal, thread_id: str) -> None:
        value: JsonObject = {"thread_id": thread_id, "metadata": {}}
        visible = await self._access.decide(principal, Action("threads", "read"), value)
        await self._storage.threads.get(thread_id, visible=visible)
