"""Agents that are defined elsewhere (a platform's tables, Git, a CMS), mirrored here as assistants.

A source says *what* there is: it queries, maps and is told what was stored. Core says *when* (at the start, when
somebody asks for one, when one changed) and stores; see `services/mirroring.py`.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from longline.models.json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedAssistant:
    """An agent that may be used, as the assistant that mirrors it. `key` is the source's own name for it.
    `assistant_id` is a UUID, the same on every server and at any time. `metadata` holds what the source's `reference`
    finds; core adds whose it is and `synced_at`."""

    key: str
    assistant_id: str
    graph_id: str
    name: str
    description: str | None = None
    config: JsonObject = field(default_factory=dict)
    context: JsonObject = field(default_factory=dict)
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceFault:
    """An agent that cannot be mirrored, and why, in words without its secrets."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a source has: agents that may be used, and those that are broken."""

    agents: Sequence[SourcedAssistant]
    faults: Sequence[SourceFault] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncTimes:
    """When core asks a source, in seconds."""

    start_seconds: float = 10.0
    """How long a start waits for the first listing; it goes on in the background after that."""
    fresh_seconds: float = 300.0
    """How long an agent that was asked for is not asked for again by its use."""
    reconcile_seconds: float = 300.0
    """The pause between listings."""


class AssistantSource(Protocol):
    """A place where agents are defined. Every method that asks somebody may raise SourceAwayError (longline.errors)."""

    @property
    def name(self) -> str:
        """Its name, for logs, commands and what the server tells about itself."""
        ...

    @property
    def is_listed(self) -> bool:
        """Whether all its agents (of a scope that it knows) are mirrored at the start and again from time to time. If
        not, each is mirrored when it is asked for."""
        ...

    @property
    def fixed(self) -> frozenset[str]:
        """The configurable keys of which only the source speaks, such as whose its agents are: no run of a mirror says
        them differently, nor says them where the agent does not."""
        ...

    @property
    def times(self) -> SyncTimes:
        """When it wants to be asked."""
        ...

    def open(self) -> AbstractAsyncContextManager[None]:
        """What it needs while the server runs. Entered before anything else is asked; a place that does not answer is
        no reason to fail."""
        ...

    def reference(self, metadata: JsonObject) -> str | None:
        """The key of the agent that an assistant with this metadata stands for; None if it is none of this source's.
        Nobody is asked. A source that turns out to have no agents at all may say None from then on: an assistant that
        names one is then stored as its caller sent it."""
        ...

    def key_of(self, assistant_id: str) -> str | None:
        """The key of the agent whose mirror would have this id; None if no agent could. Nobody is asked."""
        ...

    def id_of(self, key: str) -> str:
        """The id that the mirror of this agent has, whether there is one or not: the reverse of `key_of`."""
        ...

    def lists(self, agent: SourcedAssistant) -> bool:
        """Whether its listing would have this agent: it is in the scope."""
        ...

    async def list(self) -> Listing:
        """All agents of its scope that may be used."""
        ...

    async def get(self, key: str) -> SourcedAssistant | None:
        """One agent, in the scope or not; None if there is none or it may not be used. Raises BrokenAgentError."""
        ...

    async def some(self, keys: Collection[str]) -> Listing:
        """Those of the keys, in the scope or not, whose agents may be used, in one question."""
        ...

    def changes(self) -> AsyncIterator[Collection[str]]:
        """The keys of agents that changed, were made or were removed, all that are known at a time, for as long as it
        is read. One that cannot tell ends at once. It catches up with what happened while it could not hear, since it
        was first read, and who reads anew gets again what was not dealt with."""
        ...

    async def mirrored(self, agents: Sequence[SourcedAssistant]) -> None:
        """Be told whose mirrors are stored, to write that down where the agents are. May be told of one again."""
        ...
