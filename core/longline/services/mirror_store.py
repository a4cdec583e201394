"""Mirrors of agents as they are stored: assistants that belong to the server and change only when their agent does."""

import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.encoding import encode
from longline.errors import (
    AlreadyExistsError,
    BrokenAgentError,
    ContextAndConfigurableError,
    NotFoundError,
    UnknownGraphError,
)
from longline.graphs.registry import GraphRegistry
from longline.models.assistants import Assistant, AssistantChange, AssistantQuery
from longline.models.filters import EVERYTHING, AnyOf, Equals, Filter, Missing, all_of
from longline.models.json import JsonObject
from longline.services.pairing import paired
from longline.services.sources import AssistantSource, SourcedAssistant
from longline.storage.protocols import AssistantStore

logger = logging.getLogger(__name__)

MirrorAction = Literal["created", "updated", "skipped", "withdrawn"]

OWNER: Final = "owner"
MAKER: Final = "created_by"
SERVER: Final = "system"
SYNCED_AT: Final = "synced_at"
MIRRORED_FROM: Final = "mirrored_from"
"""The name of the source whose agent a mirror stands for. Callers cannot write it."""
WITHDRAWN_AT: Final = "withdrawn_at"
SYNC_ERROR: Final = "sync_error"
"""Marks an assistant that a caller made in the place of a mirror, while the source was away."""

_TRIES: Final = 20
_PAGE: Final = 500
_BY_SERVER: Final = Equals(MAKER, SERVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What storing an agent would do: its `mirror` is what is stored where nothing is yet. `changes` are the names of
    what differs, dotted below `config`."""

    agent: SourcedAssistant
    mirror: Assistant
    action: MirrorAction
    changes: Sequence[str] = ()


class MirrorStore:
    """Stores mirrors. Several servers may store the same one at once: one assistant is left, as its agent is."""

    def __init__(self, *, store: AssistantStore, graphs: GraphRegistry, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._graphs = graphs
        self._vault = vault
        self._clock = clock

    async def find(self, assistant_id: str) -> Assistant | None:
        """The assistant of this id, a mirror or not."""
        try:
            return await self._store.get(assistant_id)
        except NotFoundError:
            return None

    async def all(self, source: AssistantSource) -> Mapping[str, Assistant]:
        """Every mirror of a source by its id, those of agents that are gone too."""
        return {one.assistant_id: one async for one in self._made_by_server() if is_mirror_of(source, one)}

    async def _made_by_server(self) -> AsyncIterator[Assistant]:
        offset = 0
        while True:
            query = AssistantQuery(visible=_BY_SERVER, limit=_PAGE, offset=offset, sort_by="assistant_id")
            page = await self._store.search(query)
            for assistant in page.items:
                yield assistant
            offset += _PAGE
            if offset >= page.total:
                return

    def plan(self, source: AssistantSource, agent: SourcedAssistant, old: Assistant | None) -> Planned:
        """What storing it would do. Raises BrokenAgentError for a graph that this server does not have, and for the id
        of a graph's own assistant, which everybody runs, for a configuration that contradicts itself, and for one that
        no storage keeps."""
        graph_ids = self._graphs.graph_ids
        if agent.graph_id not in graph_ids:
            raise broken(source, agent, str(UnknownGraphError(agent.graph_id, graph_ids)))
        if agent.assistant_id in self._graphs.own_assistant_ids:
            raise broken(source, agent, "its id is that of a graph's own assistant")
        _require_storable(source, agent)
        try:
            mirror = self._mirror(source, agent)
        except ContextAndConfigurableError as error:
            raise broken(source, agent, str(error)) from error
        if old is None:
            return Planned(agent=agent, mirror=mirror, action="created")
        changes = self._changes(mirror, old)
        return Planned(agent=agent, mirror=mirror, action="updated" if changes else "skipped", changes=changes)

    async def put(self, source: AssistantSource, agent: SourcedAssistant, old: Assistant | None) -> MirrorAction:
        """Store it over `old`, which is what `find` found. Raises BrokenAgentError."""
        for _ in range(_TRIES):
            planned = self.plan(source, agent, old)
            try:
                if old is None:
                    await self._store.create(planned.mirror)
                elif planned.action == "updated":
                    await self._update(planned.mirror, old)
            except (AlreadyExistsError, NotFoundError):  # another server was quicker: look at what it left
                old = await self.find(agent.assistant_id)
            else:
                return planned.action
        raise broken(source, agent, "its mirror changes all the time")

    async def withdraw(self, old: Assistant) -> bool:
        """Hide the mirror of an agent that is gone; whether it was there to be seen."""
        if old.metadata.get(WITHDRAWN_AT) is not None:
            return False
        now = self._clock()
        change = AssistantChange(metadata={WITHDRAWN_AT: now.isoformat()})
        try:
            await self._store.update(old.assistant_id, change, at=now, visible=Missing(WITHDRAWN_AT))
        except NotFoundError:  # hidden by another server
            return False
        return True

    def _mirror(self, source: AssistantSource, agent: SourcedAssistant) -> Assistant:
        config, context = paired(agent.config, agent.context)
        now = self._clock()
        return Assistant(
            assistant_id=agent.assistant_id,
            graph_id=agent.graph_id,
            name=agent.name,
            description=agent.description,
            config=self._vault.seal(config),
            context=self._vault.seal(context),
            metadata={**_marks(source, agent), SYNCED_AT: now.isoformat()},
            version=1,
            created_at=now,
            updated_at=now,
        )

    async def _update(self, mirror: Assistant, old: Assistant) -> None:
        if old.metadata.get(MAKER) != SERVER:
            logger.warning("assistant of an agent belonged to a caller", extra={"assistant_id": old.assistant_id})
        change = AssistantChange(
            graph_id=mirror.graph_id,
            name=mirror.name,
            description=mirror.description,
            config=mirror.config,
            context=mirror.context,
            metadata={**dict.fromkeys(old.metadata), **mirror.metadata},
        )
        synced_at = old.metadata.get(SYNCED_AT)  # of a caller's assistant it may be anything
        unchanged = Equals(SYNCED_AT, synced_at) if isinstance(synced_at, str) else EVERYTHING
        await self._store.update(old.assistant_id, change, at=mirror.updated_at, visible=unchanged)

    def _changes(self, mirror: Assistant, old: Assistant) -> list[str]:
        opened = self._vault.open_in_clear
        found = [
            *(["graph_id"] if mirror.graph_id != old.graph_id else []),
            *(["name"] if mirror.name != old.name else []),
            *(["description"] if mirror.description not in (None, old.description) else []),
            *_differing("config", opened(mirror.config), opened(old.config)),
            *_differing("context", opened(mirror.context), opened(old.context)),
            *_differing("metadata", _timeless(mirror.metadata), _timeless(old.metadata)),
        ]
        if SYNCED_AT not in old.metadata and not found:
            return [f"metadata.{SYNCED_AT}"]
        return found


def is_mirror_of(source: AssistantSource, assistant: Assistant) -> bool:
    """Whether the server made this assistant for an agent of the source."""
    marks = assistant.metadata.get(MAKER), assistant.metadata.get(MIRRORED_FROM)
    return marks == (SERVER, source.name)


def present(sources: Collection[str]) -> Filter:
    """The condition that leaves out mirrors of agents that are gone, and of sources that this server does not have: who
    may see those, nobody here knows."""
    known = AnyOf((Missing(MIRRORED_FROM), *(Equals(MIRRORED_FROM, name) for name in sources)))
    return all_of(known, Missing(WITHDRAWN_AT)) if sources else Missing(MIRRORED_FROM)


def broken(source: AssistantSource, agent: SourcedAssistant, reason: str) -> BrokenAgentError:
    """The error of an agent that is told to those who would see its mirror."""
    return BrokenAgentError(agent.key, reason, _marks(source, agent))


def _require_storable(source: AssistantSource, agent: SourcedAssistant) -> None:
    try:
        encode(agent)
    except TypeError as error:  # half a character, a number of more than 64 bits
        raise broken(source, agent, f"it cannot be stored: {error}") from error


def _marks(source: AssistantSource, agent: SourcedAssistant) -> JsonObject:
    return {**agent.metadata, OWNER: SERVER, MAKER: SERVER, MIRRORED_FROM: source.name}


def _timeless(metadata: JsonObject) -> JsonObject:
    return {key: value for key, value in metadata.items() if value is not None and key != SYNCED_AT}


def _differing(prefix: str, new: Mapping[str, object], old: Mapping[str, object]) -> list[str]:
    """The dotted names under which two objects differ, down to the values of `configurable`."""
    found: list[str] = []
    for key in sorted({*new, *old}):
        mine, theirs = new.get(key), old.get(key)
        if key in new and key in old and mine == theirs:
            continue
        if key == "configurable" and isinstance(mine, dict) and isinstance(theirs, dict):
            found += _differing(f"{prefix}.{key}", mine, theirs)
        else:
            found.append(f"{prefix}.{key}")
    return found
