"""Crons: what is kept of them, and the ticks that are due."""

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from longline.errors import AlreadyExistsError, CronBehindError, NotFoundError
from longline.models.crons import Cron, CronQuery
from longline.models.filters import EVERYTHING, Filter, matches
from longline.models.pages import Page
from longline.models.runs import Claim, NewRun
from longline.models.ticks import CronTick
from longline.storage.crons import CronRevision
from longline_storage_sqlite.clocks import lease_micros, micros, optional_instant, optional_micros, wall_micros
from longline_storage_sqlite.conditions import Condition, condition
from longline_storage_sqlite.cron_rows import cron_from_row, cron_parameters, stored_cron
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.searches import Search, fetch_page
from longline_storage_sqlite.statements import load_statements

logger = logging.getLogger(__name__)

_SQL = load_statements("crons")


class SqliteCrons:
    """See CronStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, cron: Cron) -> Cron:
        """See CronStore."""
        row = cron_parameters(cron)

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute(_SQL["insert"], row).rowcount == 0:
                raise AlreadyExistsError("cron", cron.cron_id)

        await self._database.writer.run(work)
        return stored_cron(cron)

    async def get(self, cron_id: str, *, visible: Filter = EVERYTHING) -> Cron:
        """See CronStore."""
        return await self._database.readers.run(lambda connection: _get(connection, cron_id, visible))

    async def search(self, query: CronQuery) -> Page[Cron]:
        """See CronStore."""
        search = _search(query)
        return await self._database.readers.run(
            lambda connection: fetch_page(connection, search, count=_SQL["count"], build=cron_from_row)
        )

    async def update(self, cron_id: str, revise: CronRevision, *, at: datetime, visible: Filter = EVERYTHING) -> Cron:
        """See CronStore."""

        def work(connection: sqlite3.Connection) -> Cron:
            old = _get(connection, cron_id, visible)
            revised = replace(revise(old), cron_id=old.cron_id, created_at=old.created_at, updated_at=at)
            connection.execute(_SQL["replace"], cron_parameters(revised))
            return stored_cron(revised)

        return await self._database.writer.run(work)

    async def delete(self, cron_id: str, *, visible: Filter = EVERYTHING) -> None:
        """See CronStore."""

        def work(connection: sqlite3.Connection) -> None:
            _get(connection, cron_id, visible)
            connection.execute(_SQL["delete"], {"cron_id": cron_id})

        await self._database.writer.run(work)

    async def take_due(self, claim: Claim, *, limit: int) -> Sequence[Cron]:
        """See CronStore."""
        return await self._database.writer.run(lambda connection: _take_due(connection, claim, limit))

    async def advance(self, cron_id: str, tick: datetime, next_tick: datetime | None) -> bool:
        """See CronStore."""
        moved = CronTick(cron_id=cron_id, tick=tick, next_tick=next_tick)
        return await self._database.writer.run(lambda connection: move_on(connection, moved))

    async def next_due(self) -> datetime | None:
        """See CronStore."""
        now, lease_now = wall_micros(), lease_micros()
        due = await self._database.readers.run(
            lambda connection: connection.execute(_SQL["next_due"], {"now": now, "lease_now": lease_now}).fetchone()[0]
        )
        return optional_instant(due)


def move_on(connection: sqlite3.Connection, tick: CronTick) -> bool:
    """Move a cron on from a tick; see CronStore.advance."""
    row = {
        "cron_id": tick.cron_id,
        "tick": micros(tick.tick),
        "next_tick": optional_micros(tick.next_tick),
        "updated_at": optional_micros(tick.cron_updated_at),
    }
    return connection.execute(_SQL["move_on"], row).rowcount > 0


def tick_becomes(connection: sqlite3.Connection, tick: CronTick, new: NewRun) -> None:
    """A tick becomes a run; see RunQueue.enqueue. Raises AlreadyExistsError, CronBehindError."""
    if not move_on(connection, tick):
        raise AlreadyExistsError("run", new.run_id)
    cron = {"cron_id": tick.cron_id}
    if new.multitask_strategy == "enqueue" and connection.execute(_SQL["is_behind"], cron).fetchone()[0]:
        raise CronBehindError(tick.cron_id)
    connection.execute(_SQL["set_last_run"], {**cron, "run_id": new.run_id})


def _get(connection: sqlite3.Connection, cron_id: str, visible: Filter) -> Cron:
    row = connection.execute(_SQL["find"], {"cron_id": cron_id}).fetchone()
    if row is not None:
        cron = cron_from_row(row)
        if matches(visible, cron.metadata):
            return cron
    raise NotFoundError("cron", cron_id)


def _take_due(connection: sqlite3.Connection, claim: Claim, limit: int) -> Sequence[Cron]:
    row = {
        "owner": claim.owner,
        "expires_at": lease_micros(claim.lease_seconds),
        "lease_now": lease_micros(),
        "now": wall_micros(),
        "limit": limit,
    }
    taken = connection.execute(_SQL["take_due"], row).fetchall()
    ordered = sorted(taken, key=lambda found: (found["next_tick"], found["cron_id"]))
    return [cron for found in ordered if (cron := _read(found)) is not None]


def _read(row: sqlite3.Row) -> Cron | None:
    """The cron; None for one that cannot be read, which is held for as long as a readable one and holds up nobody."""
    try:
        return cron_from_row(row)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        logger.exception("cron not readable", extra={"cron_id": row["cron_id"]})
        return None


def _search(query: CronQuery) -> Search:
    conditions = [condition(query.visible, "metadata"), condition(query.metadata, "metadata")]
    if query.assistant_id is not None:
        conditions.append(Condition(_SQL["of_assistant"], (query.assistant_id,)))
    if query.thread_id is not None:
        conditions.append(Condition(_SQL["of_thread"], (query.thread_id,)))
    if query.enabled is not None:
        conditions.append(Condition(_SQL["of_enabled"], (query.enabled,)))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[f"by_{query.sort_by}_{query.sort_order}"],
        limit=query.limit,
        offset=query.offset,
    )
