"""A source of agents that tests change as they like, and a runtime that mirrors them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TypeVar
from uuid import NAMESPACE_URL, uuid5

from tests.core.sample_graphs import steps

from longline.auth.access import Action
from longline.auth.principal import Principal
from longline.auth.secrets import new_key
from longline.errors import BrokenAgentError, SourceAwayError
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.models.filters import AnyOf, Equals, Filter, Missing, all_of
from longline.models.json import JsonObject
from longline.runtime import Runtime
from longline.services.server import Server
from longline.services.sources import Listing, SourcedAssistant, SourceFault, SyncTimes

NAME = "shelf"
KEY = new_key()
T = TypeVar("T")
PLUGIN = """
from longline import hookimpl

SOURCE = RULE = None

@hookimpl
def register_assistant_sources():
    return [SOURCE]

@hookimpl
def register_access_rules():
    return [RULE]
"""


def id_of(key: str) -> str:
    return str(uuid5(NAMESPACE_URL, key))


def agent(key: str, prompt: str = "Be kind.", *, graph: str = "steps", group: str = "a") -> SourcedAssistant:
    return SourcedAssistant(
        key=key,
        assistant_id=id_of(key),
        graph_id=graph,
        name=key.title(),
        config={"configurable": {"system_prompt": prompt}},
        metadata={"agent": key, "group": group},
    )


class Shelf:
    """Agents by key. What it was asked is counted."""

    name = NAME
    fixed = frozenset({"group"})

    def __init__(self, *agents: SourcedAssistant) -> None:
        self.agents = {one.key: one for one in agents}
        self.faults: list[SourceFault] = []
        self.is_listed = True
        self.times = SyncTimes(start_seconds=5, fresh_seconds=300, reconcile_seconds=300)
        self.away = ""
        self.gate: asyncio.Event | None = None
        self.late: asyncio.Event | None = None
        self.somes = 0
        self._is_read = False
        self.gets: list[str] = []
        self.lists_made = 0
        self.told: list[str] = []
        self.queue: asyncio.Queue[str] = asyncio.Queue()

    def open(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def reference(self, metadata: JsonObject) -> str | None:
        key = metadata.get("agent")
        return key if isinstance(key, str) else None

    def id_of(self, key: str) -> str:
        return id_of(key)

    def key_of(self, assistant_id: str) -> str | None:
        return next((key for key in (*self.agents, "gone") if id_of(key) == assistant_id), None)

    def lists(self, agent: SourcedAssistant) -> bool:
        return agent.metadata["group"] == "a"

    async def list(self) -> Listing:
        self.lists_made += 1
        await self._answer()
        return await self._read(
            Listing(agents=[one for one in self.agents.values() if self.lists(one)], faults=self.faults)
        )

    async def get(self, key: str) -> SourcedAssistant | None:
        self.gets.append(key)
        await self._answer()
        if any(fault.key == key for fault in self.faults):
            raise BrokenAgentError(key, "it is broken")
        return await self._read(self.agents.get(key))

    async def some(self, keys: Collection[str]) -> Listing:
        self.somes += 1
        await self._answer()
        broken = {fault.key for fault in self.faults}
        agents = [self.agents[key] for key in keys if key in self.agents and key not in broken]
        return await self._read(Listing(agents=agents, faults=[fault for fault in self.faults if fault.key in keys]))

    async def changes(self) -> AsyncIterator[Collection[str]]:
        while True:
            keys = [await self.queue.get()]
            while not self.queue.empty():
                keys.append(self.queue.get_nowait())
            try:
                yield keys
            except GeneratorExit:  # they were not dealt with: they are told again
                for key in keys:
                    self.queue.put_nowait(key)
                raise

    async def mirrored(self, agents: Sequence[SourcedAssistant]) -> None:
        self.told += [one.key for one in agents]

    def change(self, key: str, prompt: str) -> None:
        self.agents[key] = replace(self.agents[key], config={"configurable": {"system_prompt": prompt}})

    async def until_read(self) -> None:
        """Until an answer was read that waits for `late`."""
        while not self._is_read:
            await asyncio.sleep(0)

    async def _read(self, answer: T) -> T:
        """The answer as it was read, later."""
        if self.late is not None:
            self._is_read = True
            await self.late.wait()
        return answer

    async def _answer(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise SourceAwayError(self.name, self.away)


class GroupRule:
    """A mirror is seen by the members of its group."""

    name = "groups"

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        if action.resource != "assistants" or not principal.is_authenticated:
            return all_of()
        return AnyOf((Missing("group"), *(Equals("group", one) for one in principal.organizations)))


def runtime_of(module: ModuleType, shelf: Shelf, folder: Path, *, key: str = KEY) -> Runtime:
    """A runtime with the plugin, which offers this shelf from now on, and with the graph `steps`."""
    module.SOURCE, module.RULE = shelf, GroupRule()  # type: ignore[attr-defined]  # the plugin's own
    server = {"database": f"sqlite:///{folder}/server.db", "drain_seconds": 0}
    runtime = Runtime([NAME, "storage_sqlite"], {"server": server, "secrets": {"key": key}})
    definition = GraphDefinition(graph_id="steps", origin="a test", load=lambda: steps("one"))
    runtime.graphs = GraphRegistry({"steps": definition})
    return runtime


@asynccontextmanager
async def serving(module: ModuleType, shelf: Shelf, folder: Path, *, key: str = KEY) -> AsyncIterator[Server]:
    """An open server of it."""
    async with runtime_of(module, shelf, folder, key=key).open() as running:
        yield running.server
