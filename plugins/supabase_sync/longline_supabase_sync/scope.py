"""Whose agents are mirrored without being asked for: the grammar of AGENT_SYNC_SCOPE."""

from dataclasses import dataclass
from typing import Final

from longline.ids import parse_uuid

GRAMMAR: Final = "none, all, or org:<uuid>[,org:<uuid>…]"
_ORGANIZATION: Final = "org:"


@dataclass(frozen=True, slots=True)
class Scope:
    """`organizations` are canonical ids in order; None stands for all of them."""

    organizations: tuple[str, ...] | None

    @property
    def is_empty(self) -> bool:
        """Whether nobody's agents are in it."""
        return self.organizations == ()

    def __str__(self) -> str:
        if self.organizations is None:
            return "all"
        return ",".join(f"{_ORGANIZATION}{organization}" for organization in self.organizations) or "none"


class BadScopeError(ValueError):
    """A text that is no scope; the message says what one looks like."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:100]!r} is no scope; write {GRAMMAR}")


def parse_scope(text: str) -> Scope:
    """The scope that a text means; spaces and duplicates are forgiven. Raises BadScopeError."""
    match text.strip():
        case "none":
            return Scope(())
        case "all":
            return Scope(None)
        case named:
            return Scope(tuple(sorted({_organization(part.strip(), text) for part in named.split(",")})))


def _organization(part: str, text: str) -> str:
    found = parse_uuid(part.removeprefix(_ORGANIZATION).strip()) if part.startswith(_ORGANIZATION) else None
    if found is None:
        raise BadScopeError(text)
    return found
