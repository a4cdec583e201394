"""What it costs to know who shows a token of a Supabase project, and what is refused how often.

    uv run python bench/supabase_auth.py [--requests 5000] [--serve]

Prints milliseconds: the raw check of PyJWT with a key in hand, which is the limit for a token that was never seen, and
beside it the whole authenticator with the keys it has fetched (claims, organisations, principal), for each algorithm,
in turns so that all see the same machine. Then the same through a served server, and the kinds of refused tokens.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import jwt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.plugins.auth_supabase.asking import authenticator_for, credentials, refusal
from tests.plugins.auth_supabase.test_refusals import CLAIMED, FORGED
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import PLUGINS, serve_graphs
from tests.supabase.identity import ALGORITHMS, JWT_SECRET, KEY, Identity, serve_identity
from tests.supabase.project import User

ANNA = User("7a1f0d2e-94d5-4c2e-9a43-3a4d9c1f5b10", "anna@kanzlei.example")
ORGANIZATIONS = ["0b7e4a52-7f0c-4c5e-8d6a-2f1f5b1c9a01", "0b7e4a52-7f0c-4c5e-8d6a-2f1f5b1c9a02"]
_ROUNDS = 10


def shown(name: str, samples: list[float]) -> None:
    samples = sorted(samples)
    p95 = samples[int(len(samples) * 0.95)]
    print(f"{name:<44} p50 {statistics.median(samples) * 1000:7.3f}   p95 {p95 * 1000:7.3f}")


def decoded(tokens: list[str], key: Any, algorithm: str, issuer: str) -> list[float]:
    samples = []
    for token in tokens:
        started = time.perf_counter()
        jwt.decode(token, key, [algorithm], audience="authenticated", issuer=issuer)
        samples.append(time.perf_counter() - started)
    return samples


async def asked(authenticator: Any, tokens: list[str]) -> list[float]:
    samples = []
    for token in tokens:
        request = credentials(token)
        started = time.perf_counter()
        principal = await authenticator.authenticate(request)
        samples.append(time.perf_counter() - started)
        assert principal is not None
    return samples


async def compare(identity: Identity, count: int) -> None:
    for algorithm in (*ALGORITHMS, "HS256"):
        if algorithm == "HS256":
            tokens = [identity.issue_legacy(ANNA, organizations=ORGANIZATIONS) for _ in range(count // _ROUNDS)]
            key: Any = JWT_SECRET
        else:
            identity.rotate(algorithm)
            tokens = [identity.issue(ANNA, organizations=ORGANIZATIONS) for _ in range(count // _ROUNDS)]
            key = jwt.PyJWK.from_dict(identity.keys[0].public_jwk())
        forgetful = authenticator_for(identity, jwt_secret=JWT_SECRET, verified_seconds=0)
        authenticator = authenticator_for(identity, jwt_secret=JWT_SECRET)
        await asked(forgetful, tokens[:1])
        await asked(authenticator, tokens)
        raw, first, again = [], [], []
        for _ in range(_ROUNDS):
            raw += decoded(tokens, key, algorithm, identity.issuer)
            first += await asked(forgetful, tokens)
            again += await asked(authenticator, tokens)
        shown(f"{algorithm}: PyJWT alone, key in hand", raw)
        shown(f"{algorithm}: a token never seen, key cached", first)
        shown(f"{algorithm}: a token seen in the last minute", again)
        await forgetful.close()
        await authenticator.close()


async def through_http(identity: Identity, count: int) -> None:
    token = identity.issue(ANNA, organizations=ORGANIZATIONS)
    for name, section, headers in (
        ("GET a thread, no authentication", {}, {}),
        ("GET a thread, static token", {"static_tokens": {"tokens": {ANNA.id: "static"}}},
         {"authorization": "Bearer static"}),
        ("GET a thread, Supabase token (ES256)", {"auth_supabase": {"url": identity.url, "key": KEY}},
         {"authorization": f"Bearer {token}"}),
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            plugins = (*PLUGINS, "auth_supabase")
            async with (
                serve_graphs(Path(folder), {"count": counting()}, section, plugins=plugins) as served,
                httpx.AsyncClient(base_url=served.url, headers=headers) as http,
            ):
                thread_id = (await http.post("/threads", json={})).json()["thread_id"]
                samples = []
                for _ in range(count):
                    started = time.perf_counter()
                    (await http.get(f"/threads/{thread_id}")).raise_for_status()
                    samples.append(time.perf_counter() - started)
                shown(name, samples)


async def refuse(identity: Identity) -> None:
    identity.rotate("ES256")
    authenticator = authenticator_for(identity, jwt_secret=JWT_SECRET)
    tokens = [forge(identity) for forge, _ in FORGED.values()]
    tokens += [identity.issue(ANNA, **claims) for claims, _ in CLAIMED.values()]
    tokens += [identity.issue(ANNA, app_metadata={"note": "x" * 1_000_000}), "sb_secret_x", KEY]
    kinds = [await refusal(authenticator, token) for token in tokens]
    assert "accepted" not in kinds
    print(f"refused: {len(tokens)} of {len(tokens)}; {json.dumps(dict(sorted(authenticator.refusals.counts.items())))}")
    await authenticator.close()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--serve", action="store_true", help="measure through HTTP too")
    given = parser.parse_args()
    with serve_identity() as identity:
        await compare(identity, given.requests)
        if given.serve:
            await through_http(identity, given.requests // 10)
        await refuse(identity)


if __name__ == "__main__":
    asyncio.run(main())
