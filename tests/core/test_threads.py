"""Nodes that block their threads do not hold up the server's own work."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from longline.runtime import _node_executor
from longline.threads import in_thread

pytestmark = pytest.mark.anyio


async def test_work_goes_on_while_every_node_thread_is_blocked():
    let_go = threading.Event()
    loop = asyncio.get_running_loop()
    with _node_executor(runs=1):
        nodes = [loop.run_in_executor(None, let_go.wait) for _ in range(32)]
        try:
            async with asyncio.timeout(10):
                assert await in_thread(lambda: "done") == "done"
        finally:
            let_go.set()
            await asyncio.gather(*nodes)


async def test_errors_and_context_go_through():
    name: ContextVar[str] = ContextVar("name")
    name.set("here")
    assert await in_thread(name.get) == "here"
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
