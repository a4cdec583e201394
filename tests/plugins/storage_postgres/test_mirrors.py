"""Many servers mirror one agent at once: one assistant is left, as the agent is, and nothing is written twice."""

import asyncio
from dataclasses import replace

import pytest
from tests.core.agent_source import Shelf, agent, id_of
from tests.core.sample_graphs import steps

from longline.auth.secrets import Vault
from longline.clock import now
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.services.mirror_store import MirrorStore
from longline.storage.protocols import Storage
from longline.testing.storage_shared import Reopen

SERVERS = 20
SHELF = Shelf()


def mirrors(storage: Storage) -> MirrorStore:
    definition = GraphDefinition(graph_id="steps", origin="a test", load=lambda: steps("one"))
    graphs = GraphRegistry({"steps": definition})
    return MirrorStore(store=storage.assistants, graphs=graphs, vault=Vault(None), clock=now)


@pytest.mark.anyio
async def test_one_assistant_and_one_version_a_change(reopen: Reopen) -> None:
    async with reopen() as one, reopen() as other:
        await play([mirrors(storage) for storage in (one, other) for _ in range(SERVERS // 2)])


async def play(stores: list[MirrorStore]) -> None:
    clerk = agent("clerk")
    actions = await asyncio.gather(*(store.put(SHELF, clerk, None) for store in stores))
    assert sorted(actions) == ["created"] + ["skipped"] * (SERVERS - 1)
    old = await stores[0].find(id_of("clerk"))
    changed = replace(clerk, name="Clerk the second")
    actions = await asyncio.gather(*(store.put(SHELF, changed, old) for store in stores))
    assert sorted(actions) == ["skipped"] * (SERVERS - 1) + ["updated"]
    stored = await stores[0].find(id_of("clerk"))
    assert stored is not None
    assert (stored.name, stored.version) == ("Clerk the second", 2)
    assert sum(await asyncio.gather(*(store.withdraw(stored) for store in stores))) == 1
