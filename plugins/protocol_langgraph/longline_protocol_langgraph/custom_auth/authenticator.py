"""The `@auth.authenticate` handler as an authenticator."""

import hmac
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from traceback import extract_tb, format_exception
from typing import Final

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.errors import LonglineError
from longline.threads import in_thread
from longline_protocol_langgraph.custom_auth.arguments import arguments_for, wanted_by
from longline_protocol_langgraph.custom_auth.cache import PrincipalCache
from longline_protocol_langgraph.custom_auth.errors import HandlerFailedError, http_exceptions, unauthenticated
from longline_protocol_langgraph.custom_auth.settings import CustomAuthSettings
from longline_protocol_langgraph.custom_auth.users import STUDIO, principal_from

logger = logging.getLogger(__name__)


_SHORTEST_SECRET: Final = 6
_NAMES: Final = Vault(None)
"""Tells by the name of a header whether it holds a secret."""


class CustomAuthenticator:
    """Asks the handler who the caller is; see Authenticator."""

    name = "langgraph_auth"

    def __init__(self, handler: Callable[..., object], settings: CustomAuthSettings) -> None:
        """Raises ValueError for a handler with a parameter that nobody gives."""
        self._handler = handler
        self._wanted = wanted_by(handler)
        self._is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
            getattr(handler, "__call__", None)  # noqa: B004  # an object whose call is a coroutine function
        )
        self._refusals = http_exceptions()
        self._cache = PrincipalCache(settings.cache) if settings.cache is not None else None
        studio_key = "" if settings.disable_studio_auth else settings.studio_key.get_secret_value()
        self._studio_key = studio_key.encode()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """See Authenticator. Raises UnauthenticatedError, and HandlerFailedError if the handler cannot tell."""
        if self._is_studio(credentials):
            return STUDIO
        key = self._cache.key_of(credentials.headers) if self._cache is not None else None
        if self._cache is None or key is None:
            return await self._ask(credentials)
        known = self._cache.find(key)
        if known is None:
            known = await self._ask(credentials)
            if known is not None:
                self._cache.keep(key, known)
            return known
        return replace(known, token=credentials.bearer)  # a token that is no part of the key may be a newer one

    async def _ask(self, credentials: Credentials) -> Principal | None:
        try:
            user = await self._call(await arguments_for(self._wanted, credentials))
            return principal_from(user, token=credentials.bearer)
        except self._refusals as error:
            raise unauthenticated(error) from error
        except HandlerFailedError as error:
            logger.error("auth handler failed", extra={"handler": "authenticate", "cause": str(error)})  # noqa: TRY400  # the sentence says it
            raise
        except LonglineError:
            raise
        except Exception as error:
            _report(error, credentials)
            raise HandlerFailedError("authenticate", type(error).__name__) from error

    async def _call(self, arguments: dict[str, object]) -> object:
        """A plain function runs on a worker thread: it may ask an identity provider and block."""
        if self._is_async:
            found = self._handler(**arguments)
        else:
            found = await in_thread(self._handler, **arguments)
        return await found if isinstance(found, Awaitable) else found

    def _is_studio(self, credentials: Credentials) -> bool:
        if not self._studio_key or credentials.headers.get("x-auth-scheme", "").lower() != "langsmith":
            return False
        return hmac.compare_digest(self._studio_key, credentials.headers.get("x-api-key", "").encode())


def _report(error: Exception, credentials: Credentials) -> None:
    """Into the log, with its stack, unless that shows what the caller has shown: `USERS[token]` says the token."""
    facts = {"handler": "authenticate"}
    if not _shows(error, credentials):
        logger.error("auth handler failed", extra=facts, exc_info=error)
        return
    last = extract_tb(error.__traceback__)[-1]
    cause = f"{type(error).__name__} in {last.name}, line {last.lineno} (its text holds credentials)"
    logger.error("auth handler failed", extra={**facts, "cause": cause})


def _shows(error: Exception, credentials: Credentials) -> bool:
    told = "".join(format_exception(error))
    secrets = [value for name, value in credentials.headers.items() if _NAMES.is_secret(name)]
    return any(part in told for value in secrets for part in value.split() if len(part) >= _SHORTEST_SECRET)
