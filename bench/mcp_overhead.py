"""What a call of an assistant's MCP tool costs over the run that it is, against a server that runs already.

    uv run python bench/mcp_overhead.py --url http://127.0.0.1:2024 --assistant noop

Rounds of each kind take turns on kept connections, so that whatever else the machine does meets all of them alike:

    runs/wait        a run that leaves nothing behind
    runs/wait, kept  a run on a new thread that stays, which is what a tool call leaves
    tools/call       the same run as a tool call without a session
    … in a session   the same in an MCP session
    … with progress  the same with a progress token: the answer is a stream of events
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

ACCEPT = {"accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:2024")
    parser.add_argument("--path", default="/mcp")
    parser.add_argument("--assistant", default="noop")
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    async with httpx.AsyncClient(base_url=arguments.url, timeout=60) as http:
        kinds = await kinds_of(http, arguments.path, arguments.assistant)
        for call in kinds.values():
            for _ in range(20):
                await call()
        took: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(arguments.rounds):
            for name, call in kinds.items():
                started = time.perf_counter()
                await call()
                took[name].append((time.perf_counter() - started) * 1000)
    direct = statistics.median(took["runs/wait"])
    for name, each in took.items():
        median, worst = statistics.median(each), sorted(each)[int(len(each) * 0.95)]
        print(f"{name:16}  p50 {median:6.2f} ms  p95 {worst:6.2f} ms  over runs/wait {median - direct:+6.2f} ms")


async def kinds_of(http: httpx.AsyncClient, path: str, assistant: str) -> dict[str, Callable[[], Awaitable[None]]]:
    """What is measured, by name."""
    session = await begin(http, path)

    async def wait(**more: object) -> None:
        body = {"assistant_id": assistant, "input": {"x": 1}, **more}
        check(await http.post("/runs/wait", json=body))

    async def call(headers: dict[str, str], meta: dict[str, Any] | None = None) -> None:
        params = {"name": assistant, "arguments": {"x": 1}, **({"_meta": meta} if meta else {})}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = check(await http.post(path, json=body, headers={**ACCEPT, **headers}))
        if '"isError":true' in answer.text or '"error"' in answer.text:
            raise RuntimeError(answer.text[:300])

    return {
        "runs/wait": wait,
        "runs/wait, kept": lambda: wait(on_completion="keep"),
        "tools/call": lambda: call({}),
        **({"… in a session": lambda: call(session)} if session else {}),
        "… with progress": lambda: call({}, {"progressToken": "1"}),
    }


async def begin(http: httpx.AsyncClient, path: str) -> dict[str, str]:
    """The header of a new session; none where the server has no sessions."""
    answer = check(await http.post(path, json=INITIALIZE, headers=ACCEPT))
    session_id = answer.headers.get("mcp-session-id")
    if session_id is None:
        return {}
    headers = {"mcp-session-id": session_id, "mcp-protocol-version": "2025-11-25"}
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    check(await http.post(path, json=note, headers={**ACCEPT, **headers}))
    return headers


def check(answer: httpx.Response) -> httpx.Response:
    answer.raise_for_status()
    return answer


if __name__ == "__main__":
    asyncio.run(main())
