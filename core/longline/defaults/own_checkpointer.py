"""The `checkpointer.path` of a langgraph.json: a saver of LangGraph's, or what gives one."""

import inspect
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from longline.defaults.project_objects import load_project_object
from longline.errors import SettingsError
from longline.graphs.loading import describe_cause
from longline.ids import new_id
from longline.settings import Settings, ThreadsSettings
from longline.storage.own_checkpoints import SaverSource

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

logger = logging.getLogger(__name__)

_NEEDED: Final = ("aget_tuple", "alist", "aput", "aput_writes", "adelete_thread")


def savers(settings: Settings) -> Sequence[SaverSource]:
    """The saver that the settings name, if they name one. It is loaded now and opened later. Raises SettingsError."""
    path = settings.section(ThreadsSettings).path
    if not path:
        return []
    found = load_project_object("threads.path", path, settings)
    if not callable(found) and not _is_saver(found) and not _is_context(found):
        raise _fault(path, f"a BaseCheckpointSaver or a function that gives one is expected, got {_kind(found)}")
    return [SaverSource(name=path, connect=partial(_open, path, found))]


@asynccontextmanager
async def _open(path: str, found: object) -> "AsyncIterator[BaseCheckpointSaver[Any]]":
    async with AsyncExitStack() as stack:
        try:
            saver = await _make(found, stack)
        except Exception as error:
            raise _fault(path, f"it cannot be opened: {describe_cause(error)}") from error
        if not _is_saver(saver):
            raise _fault(path, f"it must give a BaseCheckpointSaver, and gave {_kind(saver)}")
        if missing := _missing(saver):
            raise _fault(path, f"{_kind(saver)} does not implement {', '.join(missing)}: take its async sibling")
        try:
            await _set_up(saver)
            await saver.aget_tuple({"configurable": {"thread_id": new_id(), "checkpoint_ns": ""}})
        except Exception as error:
            raise _fault(path, f"it cannot be read: {describe_cause(error)}") from error
        logger.warning(
            "checkpoints are kept by a saver of the project's: a worker that loses its run in the middle of a write "
            "may still write",
            extra={"path": path, "saver": _kind(saver)},
        )
        yield saver


async def _make(found: Any, stack: AsyncExitStack) -> Any:
    """The saver, from an object of the project's: itself, or what a function or a context gives."""
    given = found
    if callable(found) and not _is_saver(found):
        if inspect.isasyncgenfunction(found):
            given = asynccontextmanager(found)()
        elif inspect.isgeneratorfunction(found):
            given = contextmanager(found)()
        else:
            given = found()
            if inspect.isawaitable(given):
                given = await given
    if hasattr(given, "__aenter__"):
        return await stack.enter_async_context(given)
    if hasattr(given, "__enter__"):
        return stack.enter_context(given)
    return given


async def _set_up(saver: Any) -> None:
    setup = getattr(saver, "setup", None)
    if setup is None:
        return
    done = setup()
    if inspect.isawaitable(done):
        await done


def _is_saver(found: object) -> bool:
    from langgraph.checkpoint.base import BaseCheckpointSaver  # noqa: PLC0415  # only where a project asks for it

    return isinstance(found, BaseCheckpointSaver)


def _is_context(found: object) -> bool:
    return hasattr(found, "__aenter__") or hasattr(found, "__enter__")


def _missing(saver: object) -> list[str]:
    from langgraph.checkpoint.base import BaseCheckpointSaver  # noqa: PLC0415  # only where a project asks for it

    return [name for name in _NEEDED if getattr(type(saver), name) is getattr(BaseCheckpointSaver, name)]


def _kind(found: object) -> str:
    return type(found).__name__


def _fault(path: str, what: str) -> SettingsError:
    return SettingsError([f"threads.path {path!r}: {what}"])
