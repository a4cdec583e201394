"""How long the call of an MCP server's tool takes: in a session that is kept, and in one that is opened for it.

Run it with `python bench/mcp_tools.py [--calls 200]`; it prints the figures and their ratio. The server is one of the
`mcp` SDK's, in a process of its own on this machine, so that nothing of it is network.
"""

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import time
from typing import Any

import uvloop

from longline_agent_tools.callers import Caller
from longline_agent_tools.mcp_config import McpServer
from longline_agent_tools.mcp_connections import McpConnections
from longline_agent_tools.mcp_settings import McpSettings

CALLER = Caller(identity="bench")


def serve(port: int) -> None:
    """One tool, until this process is ended."""
    import uvicorn
    from mcp.server.fastmcp import FastMCP

    server = FastMCP("bench", log_level="CRITICAL")

    @server.tool()
    def lookup(term: str) -> str:
        """Look a term up."""
        return f"{term}: nothing was found."

    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=port, log_level="critical")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_it_listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def measure(connections: McpConnections, server: McpServer, calls: int) -> list[float]:
    """Seconds of each call, the first one not counted."""
    (tool,) = await connections.tools(server, CALLER)
    arguments: dict[str, Any] = {"term": "Größe"}
    await connections.call(server, CALLER, tool, arguments)
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        await connections.call(server, CALLER, tool, arguments)
        taken.append(time.perf_counter() - start)
    return taken


def show(what: str, taken: list[float]) -> float:
    median = statistics.median(taken) * 1e3
    p95 = statistics.quantiles(taken, n=20)[18] * 1e3
    print(f"{what:<16} p50 {median:7.2f} ms   p95 {p95:7.2f} ms   ({len(taken)} calls)")
    return median


async def main(port: int, calls: int) -> None:
    await until_it_listens(port)
    server = McpServer.model_validate({"url": f"http://127.0.0.1:{port}/mcp"})
    settings = McpSettings(mcp_loopback=True)
    connections = McpConnections(settings, keeps=True)
    keeper = asyncio.create_task(connections.pool.keep())
    kept = show("kept session", await measure(connections, server, calls))
    keeper.cancel()
    await asyncio.wait({keeper})
    fresh = show("fresh session", await measure(McpConnections(settings, keeps=False), server, calls))
    print(f"ratio            {fresh / kept:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=200)
    options = parser.parse_args()
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    process.start()
    try:
        uvloop.run(main(port, options.calls))
    finally:
        process.terminate()
        process.join(10)
