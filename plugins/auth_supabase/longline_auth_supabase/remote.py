"""Asks the Auth server whose token this is: it knows of sessions that have ended."""

import hashlib
import logging
import time
from typing import Final

import orjson

from longline.models.json import JsonObject
from longline_auth_supabase.auth_server import Answer, AuthServer
from longline_auth_supabase.errors import ApiKeyRefusedError, BadAnswerError, TokenRefusedError
from longline_auth_supabase.remembered import Remembered

logger = logging.getLogger(__name__)

_PATH: Final = "/user"
_OK: Final = 200
_REFUSALS: Final = frozenset({400, 401, 403, 404})


class RemoteUsers:
    """See Users. Answers are kept by the hash of the token, refusals too."""

    def __init__(self, server: AuthServer, *, cache_seconds: float) -> None:
        self._server = server
        self._known = Remembered[JsonObject | None](cache_seconds)

    async def find(self, token: str, claims: JsonObject) -> JsonObject:
        """See Users."""
        key = hashlib.sha256(token.encode()).hexdigest()
        user = await self._known.get(key, lambda: self._ask(token))
        if user is None or user.get("id") != claims["sub"]:
            raise TokenRefusedError("revoked")
        return user

    async def close(self) -> None:
        """Ask nobody any more."""
        await self._known.close()

    async def _ask(self, token: str) -> JsonObject | None:
        started = time.perf_counter()
        answer = await self._server.get(_PATH, {"authorization": f"Bearer {token}"})
        logger.debug("session looked up", extra={"status": answer.status, "seconds": time.perf_counter() - started})
        said = _object_in(answer)
        if said is None or answer.status not in (_OK, *_REFUSALS):
            raise BadAnswerError(_PATH, str(answer.status))
        if answer.status == _OK:
            return said
        if "api key" in str(said.get("message", "")).lower():  # so speaks the gateway; the server itself says `msg`
            mend = "set auth_supabase.key (SUPABASE_KEY) to a key of the project"
            logger.error("API key refused", extra={"mend": mend})
            raise ApiKeyRefusedError
        return None


def _object_in(answer: Answer) -> JsonObject | None:
    try:
        found = orjson.loads(answer.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
