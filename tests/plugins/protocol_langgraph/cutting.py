"""A TCP proxy that cuts a stream in the middle, as networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_STREAMS = (b"text/event-stream", b"101 ")


@dataclass
class Cutter:
    """What passes through `url` goes to the server and back. The first stream that grows so long is broken off after
    `after_bytes`."""

    after_bytes: int
    url: str = ""
    cut_count: int = 0

    def allowed(self, seen: bytes, data: bytes) -> int | None:
        """How much of the data may still pass; None: all of it."""
        is_stream = any(mark in (seen + data)[:600] for mark in _STREAMS)
        if not is_stream or self.cut_count or len(seen) + len(data) < self.after_bytes:
            return None
        self.cut_count += 1
        return self.after_bytes - len(seen)


@asynccontextmanager
async def cutting(target: str, after_bytes: int) -> AsyncIterator[Cutter]:
    """A proxy in front of the server at `target`."""
    cutter, place = Cutter(after_bytes), urlsplit(target)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        upstream_reader, upstream_writer = await asyncio.open_connection(place.hostname, place.port)
        there = asyncio.create_task(_pass(reader, upstream_writer, None))
        back = asyncio.create_task(_pass(upstream_reader, writer, cutter))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            writer.transport.abort()  # at once: this task may be cancelled while it waits for the others
            upstream_writer.transport.abort()
            await asyncio.gather(there, back, return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    cutter.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield cutter
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cutter: Cutter | None) -> None:
    seen = b""
    while data := await reader.read(65536):
        allowed = None if cutter is None else cutter.allowed(seen, data)
        writer.write(data if allowed is None else data[:allowed])
        await writer.drain()
        if allowed is not None:
            return
        seen += data
