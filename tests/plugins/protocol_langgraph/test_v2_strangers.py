"""Who may not see a thread learns nothing from following it."""

import asyncio
from pathlib import Path

import pytest
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.test_custom_auth import client, settings

from longline.auth.principal import Principal
from longline_protocol_langgraph.protocol_v2.recent import RecentStarts
from longline_protocol_langgraph.protocol_v2.source import EventSource
from longline_protocol_langgraph.protocol_v2.subscription import parse_subscription

pytestmark = pytest.mark.anyio


async def test_what_happens_on_anothers_thread_does_not_move_a_heartbeat(serve: Serve, tmp_path: Path) -> None:
    subscription = parse_subscription({"channels": ["values", "lifecycle"]})
    async with serve({"count": counting()}, settings(tmp_path)) as served, client(served, "ann") as ann:
        thread_id = (await ann.threads.create(graph_id="count"))["thread_id"]
        source = EventSource(served.server.thread_streams, RecentStarts(served.server), thread_id, subscription)

        async def keep_changing() -> None:
            while True:
                await ann.threads.update_state(thread_id, {"x": 1})

        with await source.open(Principal(identity="bob")):
            changing = asyncio.create_task(keep_changing())
            try:
                async with asyncio.timeout(20):
                    assert await source.read(0.3) is None
            finally:
                changing.cancel()
                await asyncio.gather(changing, return_exceptions=True)
