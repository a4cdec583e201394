"""Imports what the first run of an agent needs before there is one: it takes seconds, behind the start."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from longline.slow_imports import import_alone, import_langgraph
from longline.threads import in_thread
from longline_agent_tools.mcp_servers import import_sdk
from longline_agent_tools.model_names import parse_model_name
from longline_agent_tools.settings import AgentToolsSettings

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 1.0
"""What the server gets first: to say that it is ready, and to answer whoever waited for that."""
_OPENAI: Final = frozenset({"openai", "custom"})


async def preload(settings: AgentToolsSettings) -> None:
    """Import it on a worker thread, one after the other, so that the server may end between two of them. What is not
    installed, or fails, is left to the run that needs it, which says what is wrong."""
    await asyncio.sleep(_PAUSE_SECONDS)
    started = time.monotonic()
    for work in _imports(settings):
        try:
            await in_thread(work)
        except ImportError as error:
            logger.debug("package not preloaded", extra={"reason": str(error)})
        except Exception:
            logger.warning("package not preloaded", exc_info=True)
    logger.info("agent preloaded", extra={"seconds": round(time.monotonic() - started, 1)})


def _imports(settings: AgentToolsSettings) -> Sequence[Callable[[], None]]:
    needed: list[Callable[[], None]] = [import_langgraph, _import_graph, import_sdk]
    return [*needed, _import_openai] if may_call_openai(settings) else needed


def _import_graph() -> None:
    import_alone("longline_agent_tools.graph")


def _import_openai() -> None:
    from longline_agent_tools.models import import_openai  # noqa: PLC0415  # imports LangChain

    import_openai()


def may_call_openai(settings: AgentToolsSettings) -> bool:
    """Whether runs without a key of their own may call OpenAI, or what is compatible."""
    if settings.openai_api_key.get_secret_value() or settings.openai_base_url:
        return True
    return bool(settings.model_name) and parse_model_name(settings.model_name).provider in _OPENAI
