"""Which assistants a caller has as tools: all of them page by page, or the one of a name."""

import base64
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from longline.auth.principal import Principal
from longline.errors import ForbiddenError, NotFoundError
from longline.models.assistants import Assistant, AssistantQuery
from longline.services.assistants import AssistantService
from longline_protocol_mcp.assistant_errors import CursorError
from longline_protocol_mcp.assistant_names import (
    LONGEST,
    TakenNames,
    base_of,
    by_age,
    by_right,
    fit,
    has_part,
    named,
    traces,
    with_part,
)

PAGE: Final = 1_000
"""How many assistants a page of a list has at most."""
_AT_ONCE: Final = 1_000
_REMEMBERED: Final = 20_000
_REMEMBERED_SECONDS: Final = 60.0
_TURNING_SECONDS: Final = 30.0
_TURNING_CALLERS: Final = 4


Named = tuple[str, Assistant]
"""The name of a tool, and the assistant that it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A page of assistants, the oldest first, each with its tool's name. `cursor` is where the next one begins."""

    assistants: Sequence[Named]
    cursor: str | None


class AssistantDirectory:
    """Names of tools ↔ assistants, as each caller sees them."""

    def __init__(
        self, assistants: AssistantService, taken: TakenNames, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._assistants = assistants
        self._taken = taken
        self._monotonic = monotonic
        self._turning = _Turning(monotonic)
        self._remembered: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    async def all(self, principal: Principal) -> Sequence[Named]:
        """The assistants that the caller may see, the oldest first."""
        seen = await self._search(principal)
        names = named(seen, self._taken)
        listed = [(names[assistant.assistant_id], assistant) for assistant in by_age(seen)]
        for name, assistant in listed:
            self._remember(principal, name, assistant)
        return listed

    async def page(self, principal: Principal, cursor: str | None = None) -> Listed:
        """The same from the cursor on, so many as a page has. Who is made while somebody turns the pages may be missed,
        nobody else. Raises CursorError."""
        place = None if cursor is None else _read_cursor(cursor)
        known = self._turning.get(principal) if place is not None else None
        everybody = known or await self.all(principal)
        left = [one for one in everybody if place is None or _place(one[1]) > place]
        shown, rest = left[:PAGE], left[PAGE:]
        self._turning.keep(principal, everybody if rest else ())
        return Listed(assistants=shown, cursor=_cursor(shown[-1][1]) if rest else None)

    async def find(self, principal: Principal, name: str) -> Assistant | None:
        """The assistant whose tool has this name, or None. A name with a part of an id is right whether it was needed
        to tell two apart or not: it stays right when the other one goes."""
        if not 0 < len(name) <= LONGEST:
            return None
        if name in self._taken:
            own = self._taken.ids.get(name)
            return None if own is None else await self._get(principal, own)
        remembered = self._recall(principal, name)
        if remembered is not None:
            assistant = await self._get(principal, remembered)
            if assistant is not None and name in _names_of(assistant):
                return assistant
        found = await (self._by_part(principal, name) if has_part(name) else self._by_plain(principal, name))
        if found is not None:
            self._remember(principal, name, found)
        return found

    async def _by_plain(self, principal: Principal, name: str) -> Assistant | None:
        """Only where nobody is called so, or nearly so, all must be looked at."""
        for trace in dict.fromkeys(traces(name)):
            near = [one for one in await self._search(principal, trace or None) if fit(one.name) == name]
            found = by_right(one for one in near if one.assistant_id not in self._taken.own)
            if found:
                return found[0]
        return None

    async def _by_part(self, principal: Principal, name: str) -> Assistant | None:
        for trace in dict.fromkeys(traces(base_of(name))):
            found = [one for one in await self._search(principal, trace or None) if name in _names_of(one)[1:]]
            if found:
                return by_age(found)[0]
        return None

    async def _search(self, principal: Principal, near: str | None = None) -> Collection[Assistant]:
        """Every assistant that the caller may see, or those whose names have `near` in them."""
        found: dict[str, Assistant] = {}
        while True:  # who is made meanwhile is younger: that comes at the end
            query = AssistantQuery(name=near, limit=_AT_ONCE, offset=len(found), sort_order="asc")
            try:
                page = await self._assistants.search(principal, query)
            except ForbiddenError:  # who may not look sees none
                return ()
            before = len(found)
            found.update((one.assistant_id, one) for one in page.items)
            if len(found) >= page.total or len(found) == before:
                return found.values()

    async def _get(self, principal: Principal, assistant_id: str) -> Assistant | None:
        try:
            return await self._assistants.get(principal, assistant_id)
        except (NotFoundError, ForbiddenError):
            return None

    def _remember(self, principal: Principal, name: str, assistant: Assistant) -> None:
        """Only for a while, and looked at again when it is used: it saves the search, not the question who may."""
        key = (principal.identity, name)
        self._remembered[key] = (assistant.assistant_id, self._monotonic() + _REMEMBERED_SECONDS)
        self._remembered.move_to_end(key)
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def _recall(self, principal: Principal, name: str) -> str | None:
        assistant_id, until = self._remembered.get((principal.identity, name), (None, 0.0))
        return assistant_id if self._monotonic() < until else None


class _Turning:
    """What the callers who are turning pages right now see, for a moment each."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: list[tuple[Principal, float, Sequence[Named]]] = []

    def get(self, principal: Principal) -> Sequence[Named]:
        """What was kept for just this caller; nothing after a while."""
        now, known = self._monotonic(), _without_token(principal)
        return next((seen for who, until, seen in self._kept if who == known and now < until), ())

    def keep(self, principal: Principal, seen: Sequence[Named]) -> None:
        """Keep it in place of what was kept."""
        now, known = self._monotonic(), _without_token(principal)
        others = [one for one in self._kept if one[0] != known and now < one[1]]
        mine = [(known, now + _TURNING_SECONDS, seen)] if seen else []
        self._kept = [*others, *mine][-_TURNING_CALLERS:]


def _without_token(principal: Principal) -> Principal:
    return replace(principal, token=None, token_expires_at=None)


def _names_of(assistant: Assistant) -> tuple[str, str, str]:
    """The plain name, and those with parts of the id."""
    name, assistant_id = assistant.name, assistant.assistant_id
    return fit(name), with_part(name, assistant_id), with_part(name, assistant_id, is_whole=True)


def _place(assistant: Assistant) -> tuple[str, str]:
    return assistant.created_at.isoformat(), assistant.assistant_id


def _cursor(assistant: Assistant) -> str:
    return base64.urlsafe_b64encode(" ".join(_place(assistant)).encode()).decode()


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        created_at, _, assistant_id = base64.urlsafe_b64decode(cursor).decode("ascii").partition(" ")
    except ValueError:
        created_at = assistant_id = ""
    if not assistant_id:
        raise CursorError
    return created_at, assistant_id
