"""May this principal do this? Every rule is asked; all must agree, and their filters are joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from longline.auth.principal import SYSTEM, Principal
from longline.models.filters import EVERYTHING, Filter, all_of
from longline.models.json import JsonObject

Resource = Literal["assistants", "threads", "runs", "crons", "store"]


@dataclass(frozen=True, slots=True)
class Action:
    """What is about to happen, e.g. `threads.create_run`. Verbs: create, read, update, delete, search, create_run,
    and for the store put, get, search, delete, list_namespaces."""

    resource: Resource
    verb: str


class AccessRule(Protocol):
    """One rule. It may look at `value` (what is about to be read or written) and stamp it, e.g. with an owner."""

    @property
    def name(self) -> str:
        """Its name, for messages and settings."""
        ...

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        """The condition on metadata under which the action may touch a thing. Raises ForbiddenError to refuse it."""
        ...


class Access:
    """The rules of this server, asked as one."""

    def __init__(self, rules: Sequence[AccessRule]) -> None:
        self._rules = tuple(rules)

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        """The joint filter of all rules, asked in order. The server itself may do everything. Raises ForbiddenError."""
        if principal is SYSTEM or not self._rules:
            return EVERYTHING
        return all_of(*[await rule.decide(principal, action, value) for rule in self._rules])
