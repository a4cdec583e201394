"""Tells agents the ids of their assistants, where there is a column for that. Best effort: the log says why not."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from longline.errors import SourceAwayError
from longline.services.sources import SourcedAssistant
from longline_supabase_sync.columns import Schema
from longline_supabase_sync.database import Database, load_sql

logger = logging.getLogger(__name__)

_STATEMENTS: Final[Mapping[str, str]] = {
    "uuid": "write_back_uuid",
    "text": "write_back_text",
    "varchar": "write_back_text",
}


class WriteBack:
    """Writes only what differs from what was last read, and nothing twice."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: dict[str, object] = {}
        self._told: str | None = None

    def note(self, key: str, assistant_id: object) -> None:
        """What an agent was read to know as its assistant."""
        self._found[key] = assistant_id

    async def write(self, schema: Schema, agents: Sequence[SourcedAssistant]) -> None:
        """One statement for all of them; none where nothing differs."""
        statement = _STATEMENTS.get(schema.assistant_id_kind or "")
        differing = [agent for agent in agents if str(self._found.get(agent.key)) != agent.assistant_id]
        if statement is None or not differing:
            return
        parameters = {
            "keys": [agent.key for agent in differing],
            "assistant_ids": [agent.assistant_id for agent in differing],
        }
        try:
            written = await self._database.write(load_sql(statement), parameters)
        except SourceAwayError as error:
            if error.reason != self._told:
                logger.warning("assistant ids not written back", extra={"reason": error.reason})
            self._told = error.reason
            return
        self._told = None
        ids = {agent.key: agent.assistant_id for agent in differing}
        for row in written:
            self._found[str(row["key"])] = ids[str(row["key"])]
        if written:
            logger.info("assistant ids written back", extra={"count": len(written)})
