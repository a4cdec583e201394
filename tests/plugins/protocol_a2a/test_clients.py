"""The SDK's own clients, of both versions and both bindings, find an agent by its card and talk to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.helpers import get_message_text, new_text_message
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    GetExtendedAgentCardRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskState,
)
from a2a.utils.errors import A2AError
from tests.plugins.protocol_a2a.edge import GUARDED, bearing, serve_agents, tooled
from tests.plugins.protocol_langgraph.graphs import ANSWER, chat

pytestmark = pytest.mark.anyio
WAYS = [(binding, version) for binding in ("JSONRPC", "HTTP+JSON") for version in ("1.0", "0.3")]


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    chosen: tuple[str, str] = request.param
    return chosen


def only(card: AgentCard, way: tuple[str, str]) -> AgentCard:
    """The card as if there were one interface."""
    kept = [face for face in card.supported_interfaces if (face.protocol_binding, face.protocol_version) == way]
    assert len(kept) == 1
    chosen = AgentCard()
    chosen.CopyFrom(card)
    del chosen.supported_interfaces[:]
    chosen.supported_interfaces.extend(kept)
    return chosen


@asynccontextmanager
async def client_of(
    url: str, way: tuple[str, str], *, streaming: bool = True, headers: dict[str, str] | None = None
) -> AsyncIterator[Client]:
    """A client that found the agent by its card, and has one way to speak to it."""
    async with httpx.AsyncClient(timeout=30, headers=headers) as http:
        card = only(await A2ACardResolver(http, url).get_agent_card(), way)
        config = ClientConfig(httpx_client=http, streaming=streaming, supported_protocol_bindings=[way[0]])
        yield ClientFactory(config).create(card)


def said(text: str = "hi") -> SendMessageRequest:
    return SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))


async def told(client: Client, request: SendMessageRequest) -> list[StreamResponse]:
    return [event async for event in client.send_message(request)]


def text_of(task: Task) -> str:
    return "".join(part.text for artifact in task.artifacts for part in artifact.parts)


async def test_a_message_is_answered_with_a_task(tmp_path: Path, way: tuple[str, str]) -> None:
    async with (
        serve_agents(tmp_path) as (served, _),
        client_of(f"{served.url}/a2a/chat", way, streaming=False) as client,
    ):
        (event,) = await told(client, said())
        assert event.task.status.state == TaskState.TASK_STATE_COMPLETED
        assert text_of(event.task) == ANSWER
        found = await client.get_task(GetTaskRequest(id=event.task.id))
        assert (found.id, found.context_id, text_of(found)) == (event.task.id, event.task.context_id, ANSWER)
        assert get_message_text(found.history[0]) == "hi"


async def test_a_message_is_streamed(tmp_path: Path, way: tuple[str, str]) -> None:
    async with serve_agents(tmp_path) as (served, _), client_of(f"{served.url}/a2a/chat", way) as client:
        events = await told(client, said())
        assert events[0].HasField("task")
        states = [event.status_update.status.state for event in events if event.HasField("status_update")]
        assert states[-1] == TaskState.TASK_STATE_COMPLETED
        found = await client.get_task(GetTaskRequest(id=events[0].task.id))
        assert text_of(found) == ANSWER


async def test_what_is_not_there_is_told_as_such(tmp_path: Path, way: tuple[str, str]) -> None:
    async with serve_agents(tmp_path) as (served, _), client_of(f"{served.url}/a2a/chat", way) as client:
        for task_id in ("nope", "0" * 36, "a:b", "%2e%2e"):
            with pytest.raises((A2AError, A2AClientError)):
                await client.get_task(GetTaskRequest(id=task_id))
            with pytest.raises((A2AError, A2AClientError)):
                await client.cancel_task(CancelTaskRequest(id=task_id))
            with pytest.raises((A2AError, A2AClientError)):
                async for _ in client.subscribe(SubscribeToTaskRequest(id=task_id)):
                    pass


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_tasks_are_listed(tmp_path: Path, binding: str) -> None:
    async with serve_agents(tmp_path) as (served, _), client_of(f"{served.url}/a2a/chat", (binding, "1.0")) as client:
        ids = [(await told(client, said(text)))[0].task.id for text in ("one", "two")]
        found = await client.list_tasks(ListTasksRequest())
        assert [task.id for task in found.tasks] == ids[::-1]
        assert not any(task.artifacts for task in found.tasks)


async def test_callers_who_show_who_they_are_get_the_extended_card(tmp_path: Path, way: tuple[str, str]) -> None:
    graphs = {"tooled": tooled(), "chat": chat()}
    async with (
        serve_agents(tmp_path, graphs=graphs, others=GUARDED) as (served, _),
        client_of(f"{served.url}/a2a/tooled", way, headers=bearing("anna")) as client,
    ):
        card = await client.get_extended_agent_card(GetExtendedAgentCardRequest())
        assert [skill.id for skill in card.skills][1:] == ["look_up"]
        assert card.supported_interfaces[0].url.startswith(f"{served.url}/a2a/")


async def test_without_authentication_there_is_no_extended_card(tmp_path: Path) -> None:
    new = {"A2A-Version": "1.0"}
    async with serve_agents(tmp_path) as (_, http):
        rpc = {"jsonrpc": "2.0", "id": 1, "method": "GetExtendedAgentCard"}
        told = (await http.post("/a2a/chat", json=rpc, headers=new)).json()
        assert told["error"]["code"] == -32004
        rest = await http.get("/a2a/chat/extendedAgentCard", headers=new)
        assert (rest.status_code, rest.json()["error"]["status"]) == (400, "UNIMPLEMENTED")


async def test_somebody_elses_agent_cannot_be_spoken_to(tmp_path: Path, way: tuple[str, str]) -> None:
    async with serve_agents(tmp_path, others=GUARDED) as (served, http):
        made = await http.post("/assistants", json={"graph_id": "chat"}, headers=bearing("anna"))
        url = f"{served.url}/a2a/{made.json()['assistant_id']}"
        async with client_of(url, way, headers=bearing("anna")) as client:
            card = only(await A2ACardResolver(client_http(client), url).get_agent_card(), way)
            events = await told(client, said())
        async with httpx.AsyncClient(headers=bearing("bert")) as of_bert:
            stranger = ClientFactory(
                ClientConfig(httpx_client=of_bert, streaming=False, supported_protocol_bindings=[way[0]])
            ).create(card)
            with pytest.raises(Exception, match=r"not found|404") as caught:
                await told(stranger, said())
            assert "anna" not in str(caught.value)
            with pytest.raises(Exception, match=r"not found|404"):
                await stranger.get_task(GetTaskRequest(id=events[0].task.id))


def client_http(client: Client) -> httpx.AsyncClient:
    """The HTTP client below one of the SDK's."""
    http: httpx.AsyncClient = client._transport.httpx_client  # type: ignore[attr-defined]  # of every HTTP transport
    return http
