"""A WebSocket outlives the token that it was opened with, and what its user was a member of then."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.processes import wait_for
from tests.supabase.model import GREETING
from tests.supabase.stack import Server, Stack, said, serving


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for members each time."""
    now = {"LONGLINE_AUTH_SUPABASE__ORGANIZATIONS_SECONDS": "0"}
    with serving(stack, tmp_path_factory.mktemp("server"), **now) as server:
        server.sync_counts()
        yield server


@contextmanager
def opened(server: Server, headers: dict[str, str]) -> Iterator[ClientConnection]:
    url = f"{server.url.replace('http', 'ws', 1)}/threads/{uuid4()}/stream/events"
    with connect(url, additional_headers=headers) as socket:
        yield socket


def start(socket: ClientConnection, agent: str) -> dict[str, Any]:
    """What is answered to the command that runs the agent."""
    params = {"assistant_id": agent, "input": said(GREETING), "multitask_strategy": "enqueue"}
    socket.send(json.dumps({"id": 1, "method": "run.start", "params": params}))
    answer: dict[str, Any] = json.loads(socket.recv(timeout=30))
    return answer


def test_who_is_no_member_any_more_runs_nothing_more(stack: Stack, server: Server) -> None:
    user = stack.project.add_user("emil@kanzlei.example", stack.seed.kanzlei)
    with opened(server, stack.headers(user, organizations=None)) as socket:
        assert start(socket, stack.seed.without_prompt)["type"] == "success"
        stack.project.remove_member(user.id, stack.seed.kanzlei)
        refused = start(socket, stack.seed.without_prompt)
    assert refused["type"] == "error"
    assert "not found" in refused["message"].lower()


def test_a_token_that_has_expired_ends_its_connection(stack: Stack, server: Server) -> None:
    leeway = 30  # of the server
    headers = stack.headers(stack.seed.anna, exp=int(time.time()) - leeway + 4)
    with opened(server, headers) as socket:
        assert start(socket, stack.seed.without_prompt)["type"] == "success"
        refused = wait_for(lambda: _unless("success", start(socket, stack.seed.without_prompt)), "the token's end")
        assert refused["error"] == "permission_denied"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def _unless(kind: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    return None if answer["type"] == kind else answer
