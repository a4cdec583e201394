"""A server whose runs are tasks when they say so, without a client: what push notifications need, and nothing else."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from a2a.types import AuthenticationInfo, TaskPushNotificationConfig
from tests.plugins.protocol_langgraph import graphs

from longline.auth.principal import LOCAL, Principal
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.models.runs import Run
from longline.runtime import Runtime
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.names import MESSAGE_KEY
from longline_protocol_a2a.push_configs import PushConfigs
from longline_protocol_a2a.push_outbox import ending_document

KEY = base64.b64encode(b"k" * 32).decode()
QUICK = {"first_retry_seconds": 0.02, "poll_seconds": 0.05}


@asynccontextmanager
async def open_server(
    folder: Path,
    served: Mapping[str, object],
    *,
    key: str = KEY,
    database: str = "",
    loopback: bool = True,
    sections: Mapping[str, Mapping[str, Any]] | None = None,
    **push: object,
) -> AsyncIterator[Server]:
    """A server in the folder. Twice in turn is a restart; `push` are settings of push notifications."""
    backend = "storage_postgres" if database else "storage_sqlite"
    server = {"database": database or f"sqlite:///{folder}/push.db", "drain_seconds": 0, "runs": 4}
    values = {
        "server": server,
        "secrets": {"key": key},
        "protocol_a2a": {"push_loopback": loopback, "push": {**QUICK, **push}},
        **(sections or {}),
    }
    runtime = Runtime([backend, "protocol_a2a"], values)
    runtime.graphs = GraphRegistry(
        {
            name: GraphDefinition(graph_id=name, origin="the test", load=lambda g=graph: g)
            for name, graph in served.items()
        }
    )
    async with runtime.open() as opened:
        yield opened.server


def call(principal: Principal = LOCAL, version: str = "1.0") -> Call:
    """A call by somebody."""
    return Call(principal=principal, assistant_id="", version=version)


def config(
    url: str = "https://hook.example.com/x",
    *,
    name: str = "",
    token: str = "",
    bearer: str = "",
) -> TaskPushNotificationConfig:
    """A config as a client gives it."""
    made = TaskPushNotificationConfig(id=name, url=url, token=token)
    if bearer:
        made.authentication.CopyFrom(AuthenticationInfo(scheme="Bearer", credentials=bearer))
    return made


def configs(server: Server) -> PushConfigs:
    """The configs of a server."""
    return PushConfigs(server)


async def stored(server: Server, collection: str) -> list[dict[str, Any]]:
    """What a collection of push notifications holds."""
    page = await server.collections.documents(f"protocol_a2a.push_{collection}").search("", limit=100)
    return [dict(document.value) for document in page.items]


async def until(
    server: Server, collection: str, wanted: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """What a collection holds, as soon as it is as wanted."""
    async with asyncio.timeout(20):
        while not wanted(found := await stored(server, collection)):
            await asyncio.sleep(0.01)
    return found


def gated(gate: asyncio.Event) -> object:
    async def wait(state: graphs.Count) -> graphs.Count:
        await gate.wait()
        return {"x": 1}

    builder = graphs.StateGraph(graphs.Count)
    builder.add_node("wait", wait)
    builder.add_edge(graphs.START, "wait")
    return builder.compile()


def task_request(graph: str, run_id: str, **more: Any) -> RunRequest:
    """A run that is a task."""
    return RunRequest(
        assistant=graph, run_id=run_id, chain_id=run_id, keep_thread=True, metadata={MESSAGE_KEY: "m1"}, **more
    )


async def start(
    server: Server, graph: str, url: str, principal: Principal = LOCAL, *, version: str = "1.0", **given: str
) -> Run:
    """A task that tells the receiver."""
    run_id, thread_id = str(uuid4()), str(uuid4())
    asked = config(url, **given)
    await configs(server).create(call(principal, version), f"{thread_id}:{run_id}", asked)
    wanted = task_request(graph, run_id, thread_id=thread_id, if_not_exists="create", input={"x": 1, "topic": "t"})
    return await server.runs.create(principal, wanted)


async def make_due(server: Server) -> None:
    """Make every call due that waits for its next try."""
    calls = server.collections.documents("protocol_a2a.push_calls")
    for left in (await calls.search("")).items:
        await calls.put("", left.key, left.value, expected=left.version, due_at=left.created_at)


def ids(run: Run) -> tuple[str, str]:
    """Where a run is found."""
    return run.thread_id, run.run_id


async def tell_again(server: Server, run: Run) -> None:
    """As if what was done for the end of the run had been cut off."""
    endings = server.collections.documents("protocol_a2a.push_endings")
    news = ending_document(run, run.updated_at)
    await endings.put("", news.key, news.value, due_at=news.due_at)
