"""Which runs a query means, as SQL."""

from typing import Final

from longline.models.filters import EVERYTHING
from longline.models.runs import RunQuery
from longline_storage_postgres.conditions import Condition, condition, text_condition
from longline_storage_postgres.rows import can_be_stored
from longline_storage_postgres.searches import Search
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("queue")
_ORDERS: Final = {"created_at": "newest_first", "updated_at": "latest_first", "position": "last_added_first"}


def run_search(query: RunQuery) -> Search:
    """The search: which runs, in which order, which part of them."""
    conditions = search_conditions(query)
    if query.after is not None:
        conditions.append(Condition(_SQL["behind"], (query.after.updated_at, query.after.run_id)))
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
        found.append(Condition(_SQL["updated_since"], (query.updated_since,)))
    if query.visible != EVERYTHING:
        wanted = condition(query.visible, "metadata")
        sql = " ".join((_SQL["on_threads"], wanted.sql, _SQL["end_of_threads"]))
        found.append(Condition(sql, wanted.parameters))
    return found


def _named(query: RunQuery) -> list[Condition]:
    given = {"of_thread": query.thread_id, "of_assistant": query.assistant_id, "of_chain": query.chain_id}
    return [text_condition(_SQL[name], value) for name, value in given.items() if value is not None]


def _listed(query: RunQuery) -> list[Condition]:
    given = {"of_threads": query.thread_ids, "of_ids": query.run_ids}
    found = [
        Condition(_SQL[name], (list(filter(can_be_stored, ids)),)) for name, ids in given.items() if ids is not None
    ]
    if query.statuses:
        found.append(Condition(_SQL["of_statuses"], ([str(status) for status in query.statuses],)))
    if query.verdicts:
        found.append(Condition(_SQL["of_verdicts"], ([verdict or "" for verdict in query.verdicts],)))
    return found
