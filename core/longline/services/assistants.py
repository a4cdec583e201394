"""Assistants, as a principal may see and change them. Secrets in their configuration are sealed in and hidden out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from longline.auth.access import Access, Action
from longline.auth.principal import SYSTEM, Principal
from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.errors import (
    AlreadyExistsError,
    BrokenAgentError,
    ForbiddenError,
    LonglineError,
    MirrorError,
    NotFoundError,
    ProtectedError,
    SourceAwayError,
    UnknownAssistantNameError,
)
from longline.graphs.binding import look_config
from longline.graphs.registry import GraphRegistry
from longline.ids import graph_assistant_id, new_id, parse_uuid
from longline.models.assistants import Assistant, AssistantChange, AssistantQuery
from longline.models.filters import EVERYTHING, Filter, all_of, pairs_in
from longline.models.json import JsonObject, JsonValue, as_object
from longline.models.pages import Page
from longline.runs.execution import GraphRunner, GraphUse
from longline.services.graph_assistants import ensure_graph_assistants, is_by_server
from longline.services.mirror_store import MAKER, MIRRORED_FROM, SERVER, SYNC_ERROR
from longline.services.mirroring import Mirrors
from longline.services.narrowing import narrowing
from longline.services.pairing import paired
from longline.storage.protocols import AssistantStore

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from langgraph.pregel import Pregel

    OpenGraph = AbstractAsyncContextManager[tuple[Pregel[Any, Any, Any, Any], Any, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAssistant:
    """What a caller says about an assistant to create."""

    graph_id: str
    assistant_id: str | None = None
    name: str | None = None
    description: str | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None
    if_exists: Literal["raise", "do_nothing"] = "raise"


class AssistantService:
    """Create, read, change and describe assistants."""

    def __init__(
        self,
        *,
        store: AssistantStore,
        graphs: GraphRegistry,
        runner: GraphRunner,
        access: Access,
        mirrors: Mirrors,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._store = store
        self._graphs = graphs
        self._runner = runner
        self._access = access
        self._mirrors = mirrors
        self._vault = vault
        self._clock = clock

    async def ensure_graph_assistants(self) -> None:
        """See graph_assistants."""
        await ensure_graph_assistants(self._store, self._graphs, self._clock)

    async def create(self, principal: Principal, new: NewAssistant) -> Assistant:
        """Store a new assistant, or find the one that is there with `do_nothing`. Raises UnknownGraphError,
        GraphLoadError, AlreadyExistsError (for anybody's id), ContextAndConfigurableError, ForbiddenError."""
        self._graphs.require(new.graph_id)
        config, context = paired(new.config, new.context)
        assistant_id = new.assistant_id or new_id()
        value: JsonObject = {
            "assistant_id": assistant_id, "graph_id": new.graph_id, "config": config, "context": context,
            "metadata": dict(new.metadata or {}), "name": new.name or "Untitled",
            "if_exists": new.if_exists,
        }  # fmt: skip
        visible = await self._access.decide(principal, Action("assistants", "create"), value)
        mirror = await self._mirror_of(principal, value)
        if mirror is not None:
            return mirror
        now = self._clock()
        assistant = Assistant(
            assistant_id=assistant_id,
            graph_id=new.graph_id,
            name=new.name or "Untitled",
            description=new.description,
            config=self._vault.seal(config),
            context=self._vault.seal(context),
            metadata=_by_callers(principal, value.get("metadata")),
            version=1,
            created_at=now,
            updated_at=now,
        )
        try:
            return self._shown(await self._store.create(assistant))
        except AlreadyExistsError:
            if new.if_exists == "raise":
                raise
            return await self._existing(principal, assistant.assistant_id, visible)

    async def _mirror_of(self, principal: Principal, value: JsonObject) -> Assistant | None:
        """The mirror of the agent that a new assistant stands for, if it stands for one. While its source cannot be
        asked and there is no mirror, the assistant is marked instead, and the agent mirrored at its next use."""
        found = self._mirrors.reference(as_object(value.get("metadata")))
        if found is None:
            return None
        source, key = found
        visible = await self._may(principal, "read", source.id_of(key))
        away: LonglineError | None = None
        try:
            is_there = await self._mirrors.ask_for(visible, source, key) is not None
        except (SourceAwayError, BrokenAgentError) as error:
            is_there, away = True, error
        try:
            if is_there:
                return self._shown(await self._store.get(source.id_of(key), visible=visible))
        except NotFoundError:  # not mirrored yet, or another organisation's
            pass
        if away is None and self._mirrors.reference(as_object(value.get("metadata"))) is None:
            return None  # it turned out that the source has no agents at all
        if away is None:
            raise NotFoundError("agent", key)
        value["metadata"] = {**as_object(value.get("metadata")), SYNC_ERROR: str(away)}
        return None

    async def get(self, principal: Principal, assistant_id: str) -> Assistant:
        """The assistant. Raises NotFoundError, ForbiddenError."""
        visible = await self._may(principal, "read", assistant_id)
        return self._shown(await self._store.get(assistant_id, visible=visible))

    async def resolve(self, principal: Principal, name: str) -> Assistant:
        """The assistant to run, secrets still sealed: by its UUID, or by the id of a graph for the graph's own. Raises
        UnknownAssistantNameError, NotFoundError, ForbiddenError."""
        assistant_id = self.id_of(name)
        if assistant_id in self._graphs.own_assistant_ids:
            # whoever may run anything may run a graph: rules are asked about the run
            assistant = await self._store.get(assistant_id)
            if is_by_server(assistant):
                return assistant
        visible = await self._may(principal, "read", assistant_id)
        stored = await self._look(assistant_id, visible)
        mirrored = await self._mirrors.use(assistant_id, stored, visible)
        if mirrored is None and stored is not None:
            return stored
        if mirrored is not None and mirrored != assistant_id:
            return await self._find(principal, mirrored)
        return await self._store.get(assistant_id, visible=visible)

    def fixed_keys(self, assistant: Assistant) -> frozenset[str]:
        """See Mirrors."""
        return self._mirrors.fixed_keys(assistant)

    def id_of(self, name: str) -> str:
        """The id of an assistant, there or not: its UUID itself, or that of a graph's own. Raises
        UnknownAssistantNameError."""
        assistant_id = parse_uuid(name)
        if assistant_id is None:
            if name not in self._graphs.graph_ids:
                raise UnknownAssistantNameError(name, self._graphs.graph_ids)
            assistant_id = graph_assistant_id(name)
        return assistant_id

    async def search(self, principal: Principal, query: AssistantQuery) -> Page[Assistant]:
        """The matching assistants that the caller may see. Raises ForbiddenError."""
        value: JsonObject = {
            "graph_id": query.graph_id, "metadata": pairs_in(query.metadata), "limit": query.limit,
            "offset": query.offset,
        }  # fmt: skip
        visible = await self._access.decide(principal, Action("assistants", "search"), value)
        visible = all_of(query.visible, visible, narrowing(value, pairs_in(query.metadata)), self._mirrors.present)
        page = await self._store.search(replace(query, visible=visible))
        return Page([self._shown(assistant) for assistant in page.items], page.total)

    async def update(self, principal: Principal, assistant_id: str, change: AssistantChange) -> Assistant:
        """Write a new version. Raises NotFoundError, UnknownGraphError, ContextAndConfigurableError, ForbiddenError."""
        if change.graph_id is not None:
            self._graphs.require(change.graph_id)
        value: JsonObject = {"assistant_id": assistant_id, "graph_id": change.graph_id, "config": change.config,
                             "context": change.context, "metadata": dict(change.metadata or {}),
                             "name": change.name}  # fmt: skip
        visible = await self._access.decide(principal, Action("assistants", "update"), value)
        visible = all_of(visible, self._mirrors.present)
        await self._require_own(principal, assistant_id)
        if change.config is not None or change.context is not None:
            config, context = paired(change.config, change.context)
            old = await self._store.get(assistant_id, visible=visible)
            sealed = self._vault.seal(config, old.config), self._vault.seal(context, old.context)
            change = replace(change, config=sealed[0], context=sealed[1])
        metadata = _by_callers(principal, value.get("metadata"))
        change = replace(change, metadata=metadata if metadata or change.metadata is not None else None)
        return self._shown(await self._store.update(assistant_id, change, at=self._clock(), visible=visible))

    async def delete(self, principal: Principal, assistant_id: str) -> None:
        """Remove it with all versions. Raises NotFoundError, ProtectedError for a graph's own, ForbiddenError."""
        visible = await self._may(principal, "delete", assistant_id)
        await self._require_own(principal, assistant_id)
        if assistant_id in self._graphs.own_assistant_ids:
            raise ProtectedError("assistant", assistant_id)
        await self._store.delete(assistant_id, visible=visible)

    async def versions(
        self,
        principal: Principal,
        assistant_id: str,
        *,
        metadata: Filter = EVERYTHING,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[Assistant]:
        """Versions, newest first. Raises ForbiddenError."""
        visible = await self._may(principal, "read", assistant_id)
        if self._mirrors.sources:  # what it was while it was somebody else's is theirs
            metadata = all_of(metadata, visible)
        found = await self._store.versions(assistant_id, metadata=metadata, limit=limit, offset=offset, visible=visible)
        return [self._shown(version) for version in found]

    async def set_latest(self, principal: Principal, assistant_id: str, version: int) -> Assistant:
        """Make a version current. Raises NotFoundError, VersionNotFoundError, ForbiddenError."""
        visible = await self._may(principal, "update", assistant_id)
        await self._require_own(principal, assistant_id)
        return self._shown(await self._store.set_latest(assistant_id, version, at=self._clock(), visible=visible))

    async def open_graph(self, principal: Principal, name: str) -> "OpenGraph":
        """The assistant's graph, to be looked at: enter it to get (graph, config, context). Raises as `resolve`, and
        GraphLoadError."""
        assistant = await self._find(principal, self.id_of(name))
        config = look_config(assistant, principal)
        return self._runner.open(GraphUse(graph_id=assistant.graph_id, access="assistants.read", config=config))

    async def _look(self, assistant_id: str, visible: Filter) -> Assistant | None:
        try:
            return await self._store.get(assistant_id, visible=visible)
        except NotFoundError:
            return None

    async def _find(self, principal: Principal, assistant_id: str) -> Assistant:
        return await self._store.get(assistant_id, visible=await self._may(principal, "read", assistant_id))

    async def _existing(self, principal: Principal, assistant_id: str, visible: Filter) -> Assistant:
        """An assistant that was there. Who may create one may not therefore read it."""
        try:
            visible = all_of(visible, await self._may(principal, "read", assistant_id))
            return self._shown(await self._store.get(assistant_id, visible=visible))
        except (NotFoundError, ForbiddenError):
            raise AlreadyExistsError("assistant", assistant_id) from None

    async def _may(self, principal: Principal, verb: str, assistant_id: str) -> Filter:
        if principal is SYSTEM:
            return EVERYTHING
        visible = await self._access.decide(principal, Action("assistants", verb), {"assistant_id": assistant_id})
        return all_of(visible, self._mirrors.present)

    async def _require_own(self, principal: Principal, assistant_id: str) -> None:
        """A mirror that the caller sees is changed where its agent is. Raises ForbiddenError."""
        if not self._mirrors.sources or principal is SYSTEM:
            return
        try:
            assistant = await self._find(principal, assistant_id)
        except (NotFoundError, ForbiddenError):
            return  # whoever may not see it learns nothing
        if self._mirrors.is_mirror(assistant):
            raise MirrorError(assistant_id)

    def _shown(self, assistant: Assistant) -> Assistant:
        return replace(
            assistant, config=self._vault.hide(assistant.config), context=self._vault.hide(assistant.context)
        )


def _by_callers(principal: Principal, metadata: JsonValue) -> JsonObject:
    """Metadata as a caller may write it. Only the server makes assistants that are everybody's, or mirrors."""
    given = as_object(metadata)
    is_posing = principal.is_authenticated and given.get(MAKER) == SERVER
    hidden = {MIRRORED_FROM, MAKER} if is_posing else {MIRRORED_FROM}
    return {key: value for key, value in given.items() if key not in hidden}
