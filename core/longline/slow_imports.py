"""LangGraph is imported once, by one thread at a time: its modules import each other in circles, and two threads that
enter such a circle at different places can each see a half-made module."""

import importlib
import importlib.util
import sys
from threading import RLock
from typing import Final

_importing = RLock()  # a module may ask for others while it is imported
_imported: Final[set[str]] = set()


def import_langgraph() -> None:
    """Import what everything else of LangGraph needs. Takes over a second the first time: call it on a worker thread,
    before importing any other part of LangGraph or LangChain there."""
    import_alone("langgraph.graph", "langgraph.prebuilt")


def import_alone(*modules: str) -> None:
    """Import modules that bring parts of LangGraph or LangChain along, while no other thread does such a thing. What
    was imported here before is not waited for. Raises what importing them raises, ImportError where that is
    SystemExit: no package ends the server."""
    if _imported.issuperset(modules) and sys.modules.keys() >= {*modules}:
        return
    with _importing:
        for module in modules:
            try:
                importlib.import_module(module)
            except SystemExit as error:
                raise ImportError(f"importing {module} ends the process", name=module) from error  # noqa: TRY003  # Python's class
            _imported.add(module)


def require_installed(*modules: str) -> None:
    """Fail as importing them would where one of these packages is not installed, and import none: for a plugin that
    does so later, when it is needed. Raises ModuleNotFoundError."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)  # noqa: TRY003  # Python's words
