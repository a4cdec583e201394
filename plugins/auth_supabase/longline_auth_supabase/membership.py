"""Which organisations a user belongs to: as the token says, or as a table of the project says."""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from longline.models.json import JsonObject, JsonValue
from longline_auth_supabase.errors import MembersAwayError
from longline_auth_supabase.remembered import Remembered

logger = logging.getLogger(__name__)

_AWAY_SECONDS: Final = 2.0
"""After a failure nothing is asked for so long, and then by one request alone: the others would only wait as well."""


class QueryAwayError(Exception):
    """The database cannot be asked now. The text holds no password."""


class QueryBrokenError(Exception):
    """The database understands the query, or its user, in a way that waiting will not mend."""


class MemberSource(Protocol):
    """A table of members."""

    async def organizations_of(self, user_id: str) -> tuple[str, ...]:
        """The ids of the user's organisations. Raises QueryAwayError, QueryBrokenError."""
        ...

    async def check(self) -> None:
        """Ask for nobody's organisations. Raises as `organizations_of`."""
        ...

    async def close(self) -> None:
        """End its connections. It may be asked again after that."""
        ...


class Membership:
    """Looks at the claim first, if there is a path to one: a token that has it decides. Then the table is asked, if
    there is one; answers are kept for `seconds`, and for `grace` more while it cannot be asked. Where nobody can tell,
    the user belongs to no organisation."""

    def __init__(
        self,
        claim: Sequence[str],
        source: MemberSource | None,
        *,
        is_claim_certain: bool,
        seconds: float,
        grace: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._claim = tuple(claim)
        self._source = source
        self._is_claim_certain = is_claim_certain
        self._grace = grace
        self._clock = clock
        self._known = Remembered[tuple[str, ...]](seconds, clock=clock)
        self._failed_at = float("-inf")
        self._asking = 0
        self._is_away = False
        self._is_broken = False

    @property
    def is_known(self) -> bool:
        """Whether anybody can tell: tokens, of which the operator said so, or a table whose query was not seen to
        fail."""
        return self._is_claim_certain or (self._source is not None and not self._is_broken)

    async def organizations_of(self, claims: JsonObject) -> tuple[str, ...]:
        """The ids of the organisations of the user whom these verified claims are about. Does not fail."""
        said = _at(claims, self._claim) if self._claim else None
        if said is not None:
            return _ids(said)
        if self._source is None:
            return ()
        return await self._ask(self._source, str(claims["sub"]).lower()) or ()

    async def renewed(self, user_id: str) -> tuple[str, ...] | None:
        """The organisations of a user who is not there, as the table lists them now; None if only tokens can tell.
        Raises IdentityAwayError."""
        if self._source is None or self._is_claim_certain:
            return None
        found = await self._ask(self._source, user_id)
        if found is None and self._is_away:
            raise MembersAwayError
        return () if found is None and not self._claim else found

    async def check(self) -> None:
        """Ask once, at the start, so that a query that cannot work is found before somebody misses an agent."""
        if self._source is None:
            return
        try:
            await self._source.check()
        except QueryBrokenError as error:
            self._note_broken(error)
        except QueryAwayError as error:
            self._note_away(error)

    async def close(self) -> None:
        """Ask for nothing any more."""
        await self._known.close()
        if self._source is not None:
            await self._source.close()

    async def _ask(self, source: MemberSource, user_id: str) -> tuple[str, ...] | None:
        """What the table lists or has listed lately; None if nobody knows."""
        is_failing = self._is_away or self._is_broken
        if is_failing and (self._asking or self._clock() - self._failed_at < _AWAY_SECONDS):
            return self._last(user_id)
        self._asking += 1
        try:
            found = await self._known.get(user_id, lambda: _load(source, user_id))
        except QueryBrokenError as error:
            self._note_broken(error)
        except QueryAwayError as error:
            self._note_away(error)
        else:
            self._is_away = self._is_broken = False
            return found
        finally:
            self._asking -= 1
        return self._last(user_id)

    def _last(self, user_id: str) -> tuple[str, ...] | None:
        return self._known.last(user_id, self._grace)

    def _note_away(self, error: QueryAwayError) -> None:
        self._failed_at = self._clock()
        if not self._is_away:
            facts = {
                "reason": str(error),
                "consequence": "users whose organisations are not known see none of their agents",
            }
            logger.warning("organisations of users not known", extra=facts)
        self._is_away = True

    def _note_broken(self, error: QueryBrokenError) -> None:
        self._failed_at = self._clock()
        if not self._is_broken:
            mend = (
                "set auth_supabase.organizations_query to one that fits, or auth_supabase.organizations_claim to the"
                " path of the claim that lists them"
            )
            logger.error("query for organisations does not work", extra={"reason": str(error), "mend": mend})
        self._is_broken = True


async def _load(source: MemberSource, user_id: str) -> tuple[str, ...]:
    return _ids(list(await source.organizations_of(user_id)))


def _at(claims: JsonObject, path: Sequence[str]) -> JsonValue:
    found: JsonValue = claims
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _ids(said: JsonValue) -> tuple[str, ...]:
    """Ids as texts, each once, UUIDs in their usual spelling. Whatever else stands there names no organisation."""
    listed = said if isinstance(said, list) else [said]
    return tuple(dict.fromkeys(_plain(item) for item in listed if isinstance(item, str) and item.strip()))


def _plain(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return text
