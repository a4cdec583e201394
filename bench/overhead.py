"""What Longline adds to a run: raw LangGraph in this process against the same graph over HTTP, in one go.

    uv run python bench/overhead.py [--runs 300]

Prints medians in milliseconds and their ratios. Starts a server of its own in a temporary folder.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

GRAPH = """
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    x: int

builder = StateGraph(State)
builder.add_node("add", lambda state: {"x": (state.get("x") or 0) + 1})
builder.add_edge(START, "add")
graph = builder.compile()
"""


async def raw(folder: Path, runs: int) -> float:
    sys.path.insert(0, str(folder))
    from noop import graph

    await graph.ainvoke({"x": 1})
    samples = []
    for _ in range(runs):
        started = time.perf_counter()
        await graph.ainvoke({"x": 1})
        samples.append(time.perf_counter() - started)
    return statistics.median(samples) * 1000


async def served(url: str, runs: int) -> dict[str, float]:
    body = {"assistant_id": "noop", "input": {"x": 1}}
    waits, firsts = [], []
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        (await client.post("/runs/wait", json=body)).raise_for_status()
        for _ in range(runs):
            started = time.perf_counter()
            (await client.post("/runs/wait", json=body)).raise_for_status()
            waits.append(time.perf_counter() - started)
        for _ in range(runs):
            started = time.perf_counter()
            async with client.stream("POST", "/runs/stream", json=body) as stream:
                async for _ in stream.aiter_lines():
                    firsts.append(time.perf_counter() - started)
                    break
        started, done = time.perf_counter(), 0

        async def closed_loop() -> None:
            nonlocal done
            while done < runs * 4:
                done += 1
                (await client.post("/runs/wait", json=body)).raise_for_status()

        await asyncio.gather(*[closed_loop() for _ in range(16)])
        rate = done / (time.perf_counter() - started)
    return {"wait": statistics.median(waits) * 1000, "first": statistics.median(firsts) * 1000, "rate16": rate}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--port", type=int, default=20_249)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "noop.py").write_text(GRAPH)
        (folder / "langgraph.json").write_text(json.dumps({"graphs": {"noop": "./noop.py:graph"}}))
        limit = asyncio.run(raw(folder, arguments.runs))
        longline = Path(sys.executable).with_name("longline")
        command = [longline, "dev", "--no-reload", "--port", str(arguments.port), "--log-level", "warning"]
        started = time.perf_counter()
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{arguments.port}"
            while True:
                try:
                    httpx.get(f"{url}/ok")
                    break
                except httpx.TransportError:
                    time.sleep(0.005)
            boot = time.perf_counter() - started
            found = asyncio.run(served(url, arguments.runs))
            pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) if Path("/proc").exists() else 0
        finally:
            server.terminate()
            server.wait(20)
    print(f"raw LangGraph ainvoke     {limit:8.2f} ms")
    print(f"runs/wait over HTTP       {found['wait']:8.2f} ms   {found['wait'] / limit:5.1f} x raw")
    print(f"first event over HTTP     {found['first']:8.2f} ms   {found['first'] / limit:5.1f} x raw")
    print(f"runs/wait, 16 at once     {found['rate16']:8.0f} /s   {found['rate16'] * limit / 1000:5.2f} x one raw core")
    print(f"boot to /ok               {boot:8.2f} s")
    print(f"resident after the runs   {pages * os.sysconf('SC_PAGE_SIZE') / 2**20:8.0f} MiB")


if __name__ == "__main__":
    main()
