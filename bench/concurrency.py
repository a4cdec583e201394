"""Many callers at once, with a client that costs almost nothing: raw sockets, keep-alive, one request at a time each.

    uv run python bench/concurrency.py --url http://127.0.0.1:2024 --assistant noop --callers 64

`httpx` spends more time on 64 connections than the server does on 64 runs, so it measures itself.
"""

import argparse
import asyncio
import json
import statistics
import time
from urllib.parse import urlsplit


async def load(url: str, body: bytes, callers: int, seconds: float) -> tuple[list[float], float]:
    """Each caller waits for its answer before it asks again; latencies in seconds, and the time it all took."""
    parts = urlsplit(url)
    head = f"POST /runs/wait HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    end, latencies = time.perf_counter() + seconds, []

    async def call() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(request)
            answer = await reader.readuntil(b"0\r\n\r\n")  # the answer is chunked
            if b" 200 " not in answer[:20]:
                raise RuntimeError(answer[:200])
            latencies.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*[call() for _ in range(callers)])
    return latencies, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:2024")
    parser.add_argument("--assistant", default="noop")
    parser.add_argument("--input", default='{"x": 1}')
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    body = json.dumps({"assistant_id": arguments.assistant, "input": json.loads(arguments.input)}).encode()
    for callers in arguments.callers:
        latencies, took = asyncio.run(load(arguments.url, body, callers, arguments.seconds))
        worst = sorted(latencies)[int(len(latencies) * 0.95)] * 1000
        median = statistics.median(latencies) * 1000
        print(f"{callers:4} callers  {len(latencies) / took:7.0f} runs/s  p50 {median:7.1f} ms  p95 {worst:7.1f} ms")


if __name__ == "__main__":
    main()
