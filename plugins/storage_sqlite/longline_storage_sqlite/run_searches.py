"""Which runs a query means, as SQL."""

from typing import Final

from longline.models.filters import EVERYTHING
from longline.models.runs import RunQuery
from longline_storage_sqlite.clocks import micros
from longline_storage_sqlite.conditions import Condition, condition
from longline_storage_sqlite.rows import encode
from longline_storage_sqlite.searches import Search
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("queue")
_ORDERS: Final = {"created_at": "newest_first", "updated_at": "latest_first", "position": "last_added_first"}


def run_search(query: RunQuery) -> Search:
    """The search: which runs, in which order, which part of them."""
    conditions = search_conditions(query)
    if query.after is not None:
        conditions.append(Condition(_SQL["behind"], (micros(query.after.updated_at), query.after.run_id)))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[_ORDERS[query.sort_by]],
        limit=query.limit,
        offset=query.offset,
    )


def search_conditions(query: RunQuery) -> list[Condition]:
    """What runs must fulfil, wherever they stand in the order."""
    found = [*_named(query), *_listed(query)]
    if query.only_heads:
        found.append(Condition(_SQL["heads"]))
    if query.updated_since is not None:
        found.append(Condition(_SQL["updated_since"], (micros(query.updated_since),)))
    if query.visible != EVERYTHING:
        wanted = condition(query.visible, "metadata")
        sql = f"{_SQL['on_threads']} {wanted.sql} {_SQL['end_of_threads']}"
        found.append(Condition(sql, wanted.parameters))
    return found


def _named(query: RunQuery) -> list[Condition]:
    given = {"of_thread": query.thread_id, "of_assistant": query.assistant_id, "of_chain": query.chain_id}
    return [Condition(_SQL[name], (value,)) for name, value in given.items() if value is not None]


def _listed(query: RunQuery) -> list[Condition]:
    given = {"of_threads": query.thread_ids, "of_ids": query.run_ids}
    found = [Condition(_SQL[name], (encode(list(ids)),)) for name, ids in given.items() if ids is not None]
    if query.statuses:
        found.append(Condition(_SQL["of_statuses"], (encode(list(query.statuses)),)))
    if query.verdicts:
        found.append(Condition(_SQL["of_verdicts"], (encode(list(query.verdicts)),)))
    return found
