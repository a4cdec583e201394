"""A project's agents over A2A and MCP, as plain HTTP shows them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.supabase.model import GREETING

SECONDS: Final = 60
CARD: Final = "/.well-known/agent-card.json"
_HEADERS: Final = {"a2a-version": "1.0", "accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request about an agent."""

    method: str
    path: str
    body: object = None

    def send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        """The answer."""
        whole = {**_HEADERS, **headers}
        return httpx.request(self.method, f"{url}{self.path}", json=self.body, headers=whole, timeout=SECONDS)


def message(text: str = GREETING, **more: object) -> dict[str, object]:
    """A message of A2A 1.0."""
    return {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}], **more}


def rpc(method: str, params: object = None) -> dict[str, object]:
    """A request of JSON-RPC."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {} if params is None else params}


def on_agent(agent_id: str, method: str, params: object = None) -> Call:
    """A2A over JSON-RPC."""
    return Call("POST", f"/a2a/{agent_id}", rpc(method, params))


def of_tools(method: str, params: object = None) -> Call:
    """MCP, without a session."""
    return Call("POST", "/mcp", rpc(method, params))


def use(name: str, **arguments: object) -> Call:
    """A tool is called."""
    return of_tools("tools/call", {"name": name, "arguments": arguments})


ABOUT_AGENTS: Final[Mapping[str, Callable[[str], Call]]] = {
    "card": lambda agent: Call("GET", f"/a2a/{agent}{CARD}"),
    "old card": lambda agent: Call("GET", f"/a2a/{agent}/.well-known/agent.json"),
    "card of the path": lambda agent: Call("GET", f"/a2a/{agent}"),
    "card of the server": lambda agent: Call("GET", f"{CARD}?assistant_id={agent}"),
    "extended card": lambda agent: Call("GET", f"/a2a/{agent}/extendedAgentCard"),
    "send": lambda agent: Call("POST", f"/a2a/{agent}/message:send", {"message": message()}),
    "stream": lambda agent: Call("POST", f"/a2a/{agent}/message:stream", {"message": message()}),
    "tasks": lambda agent: Call("GET", f"/a2a/{agent}/tasks"),
    "send in 0.3": lambda agent: Call("POST", f"/a2a/{agent}/v1/message:send", {"message": message()}),
    "rpc send": lambda agent: on_agent(agent, "SendMessage", {"message": message()}),
    "rpc stream": lambda agent: on_agent(agent, "SendStreamingMessage", {"message": message()}),
    "rpc tasks": lambda agent: on_agent(agent, "ListTasks"),
    "rpc extended card": lambda agent: on_agent(agent, "GetExtendedAgentCard"),
}
"""What can be asked of an agent over A2A."""
ABOUT_TASKS: Final[Mapping[str, Callable[[str, str], Call]]] = {
    "get": lambda agent, task: on_agent(agent, "GetTask", {"id": task}),
    "cancel": lambda agent, task: on_agent(agent, "CancelTask", {"id": task}),
    "subscribe": lambda agent, task: on_agent(agent, "SubscribeToTask", {"id": task}),
    "go on": lambda agent, task: on_agent(agent, "SendMessage", {"message": message(taskId=task)}),
    "list configs": lambda agent, task: on_agent(agent, "ListTaskPushNotificationConfigs", {"taskId": task}),
    "over http": lambda agent, task: Call("GET", f"/a2a/{agent}/tasks/{task}"),
}
"""What can be asked of a task."""


def tasks_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The tasks that an answer lists."""
    tasks: list[dict[str, Any]] = answer.json()["result"]["tasks"]
    return tasks
