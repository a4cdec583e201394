"""The agents of a Supabase project as a source of assistants: what there is. Core knows when to ask."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from time import monotonic
from typing import Final

from longline.errors import BrokenAgentError, SourceAwayError
from longline.ids import parse_uuid
from longline.models.json import JsonObject
from longline.services.sources import Listing, SourcedAssistant, SourceFault, SyncTimes
from longline.settings import ServerSettings
from longline_supabase_sync.changes import Changes
from longline_supabase_sync.columns import OBLIGATORY, Schema, read_schema
from longline_supabase_sync.database import Database, Parameters, Query, Row, load_query, load_sql
from longline_supabase_sync.mapping import Defaults, Mapped, group_rows, map_agent
from longline_supabase_sync.names import AGENT_KEY, ORGANIZATION_KEY, SOURCE
from longline_supabase_sync.places import Place
from longline_supabase_sync.settings import SyncSettings
from longline_supabase_sync.writeback import WriteBack

logger = logging.getLogger(__name__)

_COLUMNS: Final = load_sql("columns")
_BREATH: Final = 50  # agents after which others have their turn
_RESULT: Final = ("agent_id", "organization_id", "name", "system_prompt", "model_name", "tool_name", "endpoint_url")


class MissingPartsError(SourceAwayError):
    """The project's schema is not one that agents can be read from."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(SOURCE, f"missing, or not for this user to read: {', '.join(missing)}")


class SupabaseSource:
    """See AssistantSource."""

    name = SOURCE
    fixed: Final = frozenset({ORGANIZATION_KEY})

    def __init__(self, settings: SyncSettings, server: ServerSettings) -> None:
        """Raises SettingsError for a URL or a file that cannot be read."""
        self.scope: Final = settings.parsed_scope
        self.is_listed: Final = not self.scope.is_empty
        self.times: Final = SyncTimes(
            start_seconds=settings.start_seconds,
            fresh_seconds=settings.fresh_seconds,
            reconcile_seconds=settings.reconcile_seconds,
        )
        self._settings = settings
        self._is_certain = settings.is_asked_for
        setting = "supabase_sync.database" if settings.database.get_secret_value() else "server.database"
        place = Place(settings.database_url(server), setting, settings.connect_seconds)
        direct_url = settings.direct_url.get_secret_value()
        direct = Place(direct_url, "supabase_sync.direct_url", settings.connect_seconds) if direct_url else place
        self._database = Database(place, size=settings.pool_size, statement_seconds=settings.statement_seconds)
        self._query = load_query(settings.query_file) if settings.query_file else load_sql("agents")
        self._defaults = Defaults(graph_id=settings.graph_id, model=settings.model)
        self._changes = Changes(self._database, direct, poll_seconds=settings.poll_seconds)
        self._write_back = WriteBack(self._database)
        self._schema: Schema | None = None
        self._filtered: Sequence[str] = ()
        self._lacks_engines = False
        self._plain_until = float("-inf")
        self._told_missing: Sequence[str] = ()
        self._global: set[str] = set()
        self._complaints: dict[str, Sequence[str]] = {}

    def open(self) -> AbstractAsyncContextManager[None]:
        """See AssistantSource."""
        return self._database.open()

    def reference(self, metadata: JsonObject) -> str | None:
        """See AssistantSource."""
        found = metadata.get(AGENT_KEY)
        return parse_uuid(found) if isinstance(found, str) and not self._is_plain else None

    def key_of(self, assistant_id: str) -> str | None:
        """See AssistantSource."""
        return None if self._is_plain else parse_uuid(assistant_id)

    def id_of(self, key: str) -> str:
        """See AssistantSource."""
        return key

    def lists(self, agent: SourcedAssistant) -> bool:
        """See AssistantSource."""
        if agent.key in self._global:
            return self.is_listed and self._settings.include_global
        organizations = self.scope.organizations
        return organizations is None or agent.metadata.get(ORGANIZATION_KEY) in organizations

    async def list(self) -> Listing:
        """See AssistantSource."""
        await self._look()
        return await self._listing(await self._rows(agents=None))

    async def get(self, key: str) -> SourcedAssistant | None:
        """See AssistantSource."""
        if parse_uuid(key) is None or not await self._has_agents():
            return None
        rows = await self._rows(agents=[key])
        return self._mapped(rows) if rows else None

    async def some(self, keys: Collection[str]) -> Listing:
        """See AssistantSource."""
        wanted = [key for key in keys if parse_uuid(key) is not None]
        if not wanted:
            return Listing(agents=())
        await self._look()
        return await self._listing(await self._rows(agents=wanted))

    async def changes(self) -> AsyncIterator[Collection[str]]:
        """See AssistantSource."""
        while not await self._may_have_agents():  # noqa: ASYNC110  # tables say nothing when they are made
            await asyncio.sleep(self.times.reconcile_seconds)
        async with aclosing(self._changes.keys()) as news:
            async for keys in news:
                yield keys

    async def mirrored(self, agents: Sequence[SourcedAssistant]) -> None:
        """See AssistantSource."""
        await self._write_back.write(await self._look(), agents)

    # -- asking -----------------------------------------------------------------------------------------------------

    async def _has_agents(self) -> bool:
        """False for a database in which nobody said that there are agents, and there are none. Raises
        SourceAwayError."""
        try:
            await self._look()
        except MissingPartsError:
            if self._is_certain:
                raise
            return False
        return True

    async def _may_have_agents(self) -> bool:
        """As `_has_agents`, and whether it may turn out to once it is back."""
        try:
            return await self._has_agents()
        except SourceAwayError:
            return True

    @property
    def _is_plain(self) -> bool:
        """Whether it was seen a moment ago that the server's own database has no agents: nobody is asked then."""
        return monotonic() < self._plain_until

    async def _look(self) -> Schema:
        """What the schema has: kept until a question fails. Raises SourceAwayError."""
        if self._schema is None:
            rows = await self._database.fetch(_COLUMNS, {"tables": [*OBLIGATORY]})
            schema = read_schema(rows)
            self._changes.outbox.begin(schema.seen)
            if schema.missing and not self._settings.query_file:
                self._note_missing(schema)
                raise MissingPartsError(schema.missing)
            self._plain_until = float("-inf")
            self._tell_schema(schema)
            self._schema = schema
        return self._schema

    def _note_missing(self, schema: Schema) -> None:
        """Where nobody spoke of a project there is none, until the next comparison. Tables that are there in part may
        be somebody's who expects it: they are told, once."""
        if self._is_certain:
            return
        self._plain_until = monotonic() + self.times.reconcile_seconds
        if schema.kinds and schema.missing != self._told_missing:
            place, missing = self._database.place.name, ", ".join(schema.missing)
            logger.info("this database's agents are not read", extra={"place": place, "missing": missing})
        self._told_missing = schema.missing

    async def _rows(self, agents: Sequence[str] | None) -> Sequence[Row]:
        rows = await self._fetch(self._query, self._parameters(agents))
        missing = [name for name in _RESULT if rows and name not in rows[0]]
        if missing:
            raise MissingPartsError([f"result column {name}" for name in missing])
        return rows

    async def _fetch(self, query: Query, parameters: Parameters) -> Sequence[Row]:
        try:
            return await self._database.fetch(query, parameters)
        except SourceAwayError:
            self._schema = None
            raise

    def _parameters(self, agents: Sequence[str] | None) -> Parameters:
        organizations = self.scope.organizations
        return {
            "agents": None if agents is None else [*agents],
            "organizations": None if organizations is None else [*organizations],
            "is_batch": agents is None,
            "include_global": self._settings.include_global,
        }

    # -- what was answered ------------------------------------------------------------------------------------------

    async def _listing(self, rows: Sequence[Row]) -> Listing:
        agents: list[SourcedAssistant] = []
        faults: list[SourceFault] = []
        for number, (key, group) in enumerate(group_rows(rows).items()):
            if number % _BREATH == 0:
                await asyncio.sleep(0)
            try:
                agents.append(self._mapped(group))
            except BrokenAgentError as error:
                faults.append(SourceFault(key, error.reason))
        return Listing(agents=agents, faults=faults)

    def _mapped(self, rows: Sequence[Row]) -> SourcedAssistant:
        mapped = map_agent(rows, self._defaults)
        agent = mapped.assistant
        self._write_back.note(agent.key, rows[0].get("langgraph_assistant_id"))
        (self._global.add if mapped.is_global else self._global.discard)(agent.key)
        self._tell_complaints(mapped)
        return agent

    def _tell_complaints(self, mapped: Mapped) -> None:
        """Once, and again when they change."""
        key = mapped.assistant.key
        if mapped.complaints and self._complaints.get(key) != mapped.complaints:
            logger.warning("agent mirrored in part", extra={"agent": key, "left_out": "; ".join(mapped.complaints)})
        self._complaints[key] = mapped.complaints

    def _tell_schema(self, schema: Schema) -> None:
        """What a schema that will do has that its operator may not know; once, and again when it changes."""
        if schema.filtered and schema.filtered != self._filtered:
            logger.warning(
                "row level security hides agents from this user unless a policy shows them",
                extra={"place": self._database.place.name, "tables": ", ".join(schema.filtered)},
            )
        if schema.lacks_engines and not self._lacks_engines and not self._settings.query_file:
            logger.warning(
                "public.agents.engine_id is missing: every agent gets the default model",
                extra={"place": self._database.place.name, "model": self._settings.model},
            )
        self._filtered, self._lacks_engines = schema.filtered, schema.lacks_engines
