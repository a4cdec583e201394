"""Crons: what is kept of them, and the ticks that are due."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from psycopg.rows import DictRow

from longline.errors import AlreadyExistsError, CronBehindError, NotFoundError
from longline.models.crons import Cron, CronQuery
from longline.models.filters import EVERYTHING, Filter, matches
from longline.models.pages import Page
from longline.models.runs import Claim, NewRun
from longline.models.ticks import CronTick
from longline.storage.crons import CronRevision
from longline.threads import in_thread
from longline_storage_postgres.clocks import optional_instant
from longline_storage_postgres.conditions import Condition, condition, text_condition
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.cron_rows import cron_from_row, cron_parameters, stored_cron
from longline_storage_postgres.database import Database
from longline_storage_postgres.searches import Search, fetch_page
from longline_storage_postgres.statements import load_statements

logger = logging.getLogger(__name__)

_SQL = load_statements("crons")


class PostgresCrons:
    """See CronStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, cron: Cron) -> Cron:
        """See CronStore."""
        row = cron_parameters(cron)

        async def work(connection: Connection) -> None:
            if (await connection.execute(_SQL["insert"], row)).rowcount == 0:
                raise AlreadyExistsError("cron", cron.cron_id)

        await self._database.write(work)
        return stored_cron(cron)

    async def get(self, cron_id: str, *, visible: Filter = EVERYTHING) -> Cron:
        """See CronStore."""

        async def work(connection: Connection) -> Cron:
            row = await (await connection.execute(_SQL["find"], {"cron_id": cron_id})).fetchone()
            return _seen(row, cron_id, visible)

        return await self._database.read(work)

    async def search(self, query: CronQuery) -> Page[Cron]:
        """See CronStore."""
        search = _search(query)

        async def work(connection: Connection) -> Page[Cron]:
            return await fetch_page(connection, search, count=_SQL["count"], build=cron_from_row)

        return await self._database.read_snapshot(work)

    async def update(self, cron_id: str, revise: CronRevision, *, at: datetime, visible: Filter = EVERYTHING) -> Cron:
        """See CronStore."""

        async def work(connection: Connection) -> Cron:
            old = await _find_to_change(connection, cron_id, visible)
            revision = await in_thread(revise, old)
            revised = replace(revision, cron_id=old.cron_id, created_at=old.created_at, updated_at=at)
            await connection.execute(_SQL["replace"], cron_parameters(revised))
            return stored_cron(revised)

        return await self._database.write(work)

    async def delete(self, cron_id: str, *, visible: Filter = EVERYTHING) -> None:
        """See CronStore."""

        async def work(connection: Connection) -> None:
            await _find_to_change(connection, cron_id, visible)
            await connection.execute(_SQL["delete"], {"cron_id": cron_id})

        await self._database.write(work)

    async def take_due(self, claim: Claim, *, limit: int) -> Sequence[Cron]:
        """See CronStore."""
        row = {"owner": claim.owner, "lease_seconds": claim.lease_seconds, "limit": limit}

        async def work(connection: Connection) -> list[DictRow]:
            return await (await connection.execute(_SQL["take_due"], row)).fetchall()

        taken = await self._database.write(work)
        ordered = sorted(taken, key=lambda found: (found["next_tick"], found["cron_id"]))
        return [cron for found in ordered if (cron := _read(found)) is not None]

    async def advance(self, cron_id: str, tick: datetime, next_tick: datetime | None) -> bool:
        """See CronStore."""
        row = {"cron_id": cron_id, "tick": tick, "next_tick": next_tick}

        async def work(connection: Connection) -> bool:
            return (await connection.execute(_SQL["advance"], row)).rowcount > 0

        return await self._database.write(work)

    async def next_due(self) -> datetime | None:
        """See CronStore."""

        async def work(connection: Connection) -> datetime | None:
            row = await (await connection.execute(_SQL["next_due"])).fetchone()
            return None if row is None else optional_instant(row["due_at"])

        return await self._database.read(work)


async def tick_becomes(connection: Connection, tick: CronTick, new: NewRun) -> None:
    """A tick becomes a run; see RunQueue.enqueue. Locks the thread, if it is there. Raises AlreadyExistsError,
    CronBehindError."""
    row = {
        "cron_id": tick.cron_id,
        "tick": tick.tick,
        "next_tick": tick.next_tick,
        "updated_at": tick.cron_updated_at,
        "run_id": new.run_id,
        "thread_id": new.thread_id,
    }
    found = await (await connection.execute(_SQL["becomes"], row)).fetchone()
    if found is None or not found["has_moved"]:
        raise AlreadyExistsError("run", new.run_id)
    if new.multitask_strategy == "enqueue" and found["is_behind"]:
        raise CronBehindError(tick.cron_id)


async def _find_to_change(connection: Connection, cron_id: str, visible: Filter) -> Cron:
    row = await (await connection.execute(_SQL["find_to_change"], {"cron_id": cron_id})).fetchone()
    return _seen(row, cron_id, visible)


def _seen(row: DictRow | None, cron_id: str, visible: Filter) -> Cron:
    """The cron. Raises NotFoundError if there is none, or none to see."""
    if row is not None:
        cron = cron_from_row(row)
        if matches(visible, cron.metadata):
            return cron
    raise NotFoundError("cron", cron_id)


def _read(row: DictRow) -> Cron | None:
    """The cron; None for one that cannot be read, which is held for as long as a readable one and holds up nobody."""
    try:
        return cron_from_row(row)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        logger.exception("cron not readable", extra={"cron_id": row["cron_id"]})
        return None


def _search(query: CronQuery) -> Search:
    conditions = [condition(query.visible, "metadata"), condition(query.metadata, "metadata")]
    if query.assistant_id is not None:
        conditions.append(text_condition(_SQL["of_assistant"], query.assistant_id))
    if query.thread_id is not None:
        conditions.append(text_condition(_SQL["of_thread"], query.thread_id))
    if query.enabled is not None:
        conditions.append(Condition(_SQL["of_enabled"], (query.enabled,)))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[f"by_{query.sort_by}_{query.sort_order}"],
        limit=query.limit,
        offset=query.offset,
    )
