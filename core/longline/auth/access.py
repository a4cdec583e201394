"""May this principal do this? Every rule is asked; all must agree, and their filters are joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

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


@runtime_checkable
class DefaultRule(AccessRule, Protocol):
    """A rule for where nobody knows better: it is not asked about actions that another rule overrides."""

    @property
    def is_default(self) -> bool:
        """Whether it is one."""
        ...


@runtime_checkable
class OverridingRule(AccessRule, Protocol):
    """A rule that stands in the place of the default rules for the actions it names. All other rules must still agree
    with it."""

    def overrides(self, action: Action) -> bool:
        """Whether it decides this action without the default rules. The same answer at any time."""
        ...


class Access:
    """The rules of this server, asked as one."""

    def __init__(self, rules: Sequence[AccessRule]) -> None:
        self._rules = tuple(rules)
        self._overriding = tuple(rule for rule in rules if isinstance(rule, OverridingRule))
        self._others = tuple(rule for rule in rules if not (isinstance(rule, DefaultRule) and rule.is_default))

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        """The joint filter of all rules that speak about the action, asked in order. The server itself may do
        everything. Raises ForbiddenError."""
        if principal is SYSTEM or not self._rules:
            return EVERYTHING
        rules = self._others if self.overrides(action) else self._rules
        return all_of(*[await rule.decide(principal, action, value) for rule in rules])

    def overrides(self, action: Action) -> bool:
        """Whether a rule decides this action in the place of the default rules. Items are then where it puts them:
        nothing moves them below their owner."""
        return any(rule.overrides(action) for rule in self._overriding)
