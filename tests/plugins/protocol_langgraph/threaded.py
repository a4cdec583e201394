"""A server of a test's own in a thread, for tools that are not asynchronous."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.plugins.protocol_langgraph.served import serve_graphs


@contextmanager
def serve_in_thread(
    folder: Path, graphs: Mapping[str, object], settings: Mapping[str, Mapping[str, object]] | None = None
) -> Iterator[str]:
    """The URL of a server with these graphs, on a database in the folder."""
    urls: list[str] = []
    is_up, failures = threading.Event(), list[Exception]()
    loop = asyncio.new_event_loop()
    may_end = asyncio.Event()

    async def serve() -> None:
        async with serve_graphs(folder, graphs, settings) as served:
            urls.append(served.url)
            is_up.set()
            await may_end.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except Exception as error:  # noqa: BLE001  # the test raises it
            failures.append(error)
        finally:
            is_up.set()
            loop.close()

    thread = threading.Thread(target=run, name="served")
    thread.start()
    try:
        assert is_up.wait(60), "the server did not start"
        if failures:
            raise failures[0]
        yield urls[0]
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(may_end.set)
        thread.join(60)
