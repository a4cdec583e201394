"""Where a request goes, by its path below the mount: which agent, and what of it."""

from dataclasses import dataclass
from typing import Final

from longline.asgi.paths import path_below
from longline.asgi.types import Scope

CARD: Final = "/.well-known/agent-card.json"
CARD_0_3: Final = "/.well-known/agent.json"
"""Where clients before 0.3 looked, and some of 0.3 still do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path: the agent as the caller calls it, and what follows it, with the slash."""

    agent: str
    rest: str

    @property
    def is_agent(self) -> bool:
        """Whether it is the agent itself."""
        return bool(self.agent) and self.rest in ("", "/")

    @property
    def is_card(self) -> bool:
        """Whether it is the agent's card."""
        return bool(self.agent) and self.rest in (CARD, CARD_0_3)

    def is_rpc(self, verb: str) -> bool:
        """Whether a request with this method of HTTP is one of JSON-RPC."""
        return self.is_agent and verb == "POST"


def place_of(scope: Scope) -> Place:
    """Where a request goes."""
    agent, slash, rest = path_below(scope).removeprefix("/").partition("/")
    return Place(agent=agent, rest=slash + rest)
