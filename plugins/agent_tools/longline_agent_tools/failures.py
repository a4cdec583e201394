"""What vendors raise → errors of this house, at the one place where every model is called."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core import exceptions as vendor
from langgraph.errors import GraphBubbleUp
from pydantic import SecretStr

from longline.errors import LonglineError
from longline_agent_tools.errors import (
    ModelBusyError,
    ModelError,
    ModelKeyRefusedError,
    ModelTimeoutError,
    ModelUnreachableError,
)
from longline_agent_tools.model_choice import ModelChoice

_LONGEST_REASON: Final = 300
_SHORTEST_KEY: Final = 4
# What keys look like, whole or as vendors shorten them in their errors.
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|gsk|xai|key|AIza)[-_*][\w*.\-]{6,}|(?<=Bearer )\S+", re.IGNORECASE)
_REFUSED: Final = (401, 403)
_BUSY: Final = 429


class ModelFailures(AgentMiddleware[Any, Any, Any]):
    """Translates the failures of one model."""

    def __init__(self, choice: ModelChoice) -> None:
        super().__init__()
        self._choice = choice

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Call the model; a failure that is its vendor's leaves as ours."""
        try:
            return await handler(request)
        except Exception as error:
            translated = translate(error, self._choice)
            if translated is None:
                raise
        # Not chained: vendors' errors quote keys and requests, and a chain ends up in logs.
        raise translated


def translate(error: Exception, choice: ModelChoice) -> ModelError | None:
    """Our error for a vendor's; None for what is not a vendor's and may be shown as it is."""
    if isinstance(error, LonglineError | GraphBubbleUp):
        return None
    model, endpoint, kind = choice.name, choice.endpoint, _kind(error)
    if kind is ModelKeyRefusedError:
        return ModelKeyRefusedError(model, endpoint, _status(error) or _REFUSED[0])
    if kind is ModelTimeoutError or kind is ModelUnreachableError:
        return kind(model, endpoint)
    reason = scrub(str(error), choice.key)
    if kind is None and reason == _shortened(str(error)):
        return None
    return (kind or ModelError)(model, endpoint, f"{type(error).__name__}: {reason}")


def _kind(error: Exception) -> type[ModelError] | None:
    """By LangChain's classes where a package uses them, else by status or name."""
    status, name = _status(error), type(error).__name__
    if status in _REFUSED or isinstance(error, vendor.ModelAuthenticationError | vendor.ModelPermissionDeniedError):
        return ModelKeyRefusedError
    if isinstance(error, vendor.ModelTimeoutError | TimeoutError) or "Timeout" in name:
        return ModelTimeoutError
    if isinstance(error, vendor.ModelConnectionError | ConnectionError) or "Connect" in name:
        return ModelUnreachableError
    if status == _BUSY or isinstance(error, vendor.ModelRateLimitError):
        return ModelBusyError
    return ModelError if status is not None or isinstance(error, vendor.ModelError) else None


def scrub(text: str, key: SecretStr | None) -> str:
    """The text in one short line, with `***` for the key and for whatever looks like one."""
    secret = key.get_secret_value() if key is not None else ""
    if len(secret) >= _SHORTEST_KEY:
        text = text.replace(secret, "***")
    return _shortened(_KEY_LIKE.sub("***", text))


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_REASON]


def _status(error: Exception) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    return None
