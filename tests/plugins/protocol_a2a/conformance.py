"""The agent of the conformance suite, served by `longline dev` in a process of its own, and its two bindings."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from tests.plugins.protocol_a2a.wires import JsonRpc, Rest, client
from tests.processes import ServerProcess, running

PROJECT = Path(__file__).with_name("tck")
CARD_PATH = "/.well-known/agent-card.json"
CHOSEN = {"LONGLINE_PROTOCOL_A2A__ASSISTANT": "tck"}
"""Whose card the server's own is."""


@dataclass(frozen=True)
class Agent:
    """The served agent. `card` is what its own well-known address says; `clients` are there as long as the agent."""

    process: ServerProcess
    card_url: str
    card: dict[str, Any]
    clients: Callable[[str | None], httpx.Client]

    @property
    def url(self) -> str:
        """Where its JSON-RPC is."""
        return self.address("JSONRPC")

    def address(self, binding: str) -> str:
        """The first interface of the card with this binding and version 1.0, as a client chooses it."""
        offered = [i for i in self.card["supportedInterfaces"] if i["protocolBinding"] == binding]
        return str(next(i["url"] for i in offered if i["protocolVersion"] == "1.0"))

    def jsonrpc(self, token: str | None = None) -> JsonRpc:
        return JsonRpc(self.address("JSONRPC"), self.clients(token))

    def rest(self, token: str | None = None) -> Rest:
        return Rest(self.address("HTTP+JSON"), self.clients(token))


@contextmanager
def served_agent(folder: Path, config: str = "langgraph.json", token: str | None = None) -> Iterator[Agent]:
    """The project, copied into the folder and served from there."""
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    with running(folder, "--config", config, env=CHOSEN) as process, ExitStack() as stack:

        @cache
        def clients(token: str | None) -> httpx.Client:
            return stack.enter_context(client(token))

        first = card_of(process.url, clients(token))
        card_url = first["supportedInterfaces"][0]["url"].rstrip("/") + CARD_PATH
        card = clients(token).get(card_url).raise_for_status().json()
        yield Agent(process, card_url, card, clients)


def card_of(url: str, client: httpx.Client) -> dict[str, Any]:
    """The card of a server."""
    card: dict[str, Any] = client.get(f"{url}{CARD_PATH}").raise_for_status().json()
    return card
