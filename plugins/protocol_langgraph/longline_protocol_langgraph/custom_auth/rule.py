"""The `@auth.on` handlers as one access rule."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from longline.auth.access import Action
from longline.auth.principal import ANONYMOUS, Principal
from longline.errors import ForbiddenError, LonglineError
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline_protocol_langgraph.custom_auth.errors import HandlerFailedError, forbidden, http_exceptions
from longline_protocol_langgraph.custom_auth.filters import filter_from
from longline_protocol_langgraph.custom_auth.users import handler_user
from longline_protocol_langgraph.custom_auth.values import for_handler, write_back

if TYPE_CHECKING:
    from langgraph_sdk import Auth

logger = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[object]]


class CustomAccessRule:
    """Asks the most specific handler for an action, and no other; see AccessRule and OverridingRule."""

    name = "langgraph_auth"

    def __init__(self, auth: "Auth") -> None:
        self._handlers: Mapping[tuple[str, str], Sequence[Handler]] = auth._handlers  # noqa: SLF001  # what the SDK keeps for servers
        self._global: Sequence[Handler] = auth._global_handlers  # noqa: SLF001  # the same
        self._refusals = http_exceptions()

    def overrides(self, action: Action) -> bool:
        """Where there is a handler, it decides alone. Filters say nothing about items of the store: only a handler that
        is for the store itself takes the owner's place there, for only such a one puts namespaces right."""
        if action.resource == "store":
            return self._named(action.resource, action.verb) is not None
        return self._find(action) is not None

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        """See AccessRule."""
        if principal is ANONYMOUS or not principal.is_authenticated:
            raise ForbiddenError
        handler = self._find(action)
        if handler is None:
            return EVERYTHING
        name = f"{getattr(handler, '__name__', 'on')} ({action.resource}.{action.verb})"
        try:
            shown = for_handler(value)
            answer = await handler(ctx=_context(principal, action), value=shown)
            write_back(shown, value)
            return _filter(answer)
        except self._refusals as error:
            raise forbidden(error, name) from error
        except LonglineError:
            raise
        except Exception as error:
            logger.exception("auth handler failed", extra={"handler": name})
            raise HandlerFailedError(name, type(error).__name__) from error

    def _find(self, action: Action) -> Handler | None:
        named = self._named(action.resource, action.verb) or self._one(("*", action.verb))
        return named or (self._global[-1] if self._global else None)

    def _named(self, resource: str, verb: str) -> Handler | None:
        return self._one((resource, verb)) or self._one((resource, "*"))

    def _one(self, key: tuple[str, str]) -> Handler | None:
        found = self._handlers.get(key)
        return found[-1] if found else None


def _context(principal: Principal, action: Action) -> object:
    from langgraph_sdk.auth.types import AuthContext  # noqa: PLC0415  # slow, and only where there is an Auth

    user: Any = handler_user(principal)  # a BaseUser, or the SDK's StudioUser
    verb: Any = action.verb  # the SDK lists the verbs
    return AuthContext(permissions=list(principal.permissions), user=user, resource=action.resource, action=verb)


def _filter(answer: object) -> Filter:
    """Raises ForbiddenError, ValueError, TypeError."""
    if answer is None or answer is True:
        return EVERYTHING
    if answer is False:
        raise ForbiddenError
    if isinstance(answer, Mapping):
        return filter_from(answer)
    raise TypeError(f"a handler returns None, True, False or a filter, not a {type(answer).__name__}")  # noqa: TRY003  # for the log
