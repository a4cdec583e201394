"""Errors of graphs, rid of the run's secrets before anybody is told: LangGraph's checkpoints and streams, traces."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler

Scrub = Callable[[str], str]
"""Takes the secrets of a run out of a text."""


def scrub_error(error: BaseException, scrub: Scrub) -> None:
    """Take secrets out of the error, and of all that led to it, where their texts are arguments or notes: that is what
    the error says of itself, unless its class has ways of its own."""
    for each in _chain(error):
        args = tuple(scrub(arg) if isinstance(arg, str) else arg for arg in each.args)
        if args != each.args:
            each.args = args
        notes = getattr(each, "__notes__", None)
        if notes:
            each.__notes__ = [scrub(note) if isinstance(note, str) else note for note in notes]


def error_scrubber(scrub: Scrub) -> "BaseCallbackHandler":
    """The LangChain callback that does so. It must come before those that send traces. Imports LangChain."""
    return _handler_class()(scrub)


def _chain(error: BaseException) -> Iterator[BaseException]:
    pending, seen = [error], set[int]()
    while pending:
        each = pending.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            pending += [found for found in (each.__cause__, each.__context__) if found is not None]
            pending += each.exceptions if isinstance(each, BaseExceptionGroup) else []


@cache
def _handler_class() -> "Callable[[Scrub], BaseCallbackHandler]":
    from langchain_core.callbacks import BaseCallbackHandler  # noqa: PLC0415  # LangChain is slow to import

    class ErrorScrubber(BaseCallbackHandler):
        """Is told of every error where it is raised, before the graph hears of it."""

        run_inline = True  # in the order of the callbacks, and without a thread for each event

        def __init__(self, scrub: Scrub) -> None:
            self._scrub = scrub

        def on_llm_error(self, error: BaseException, **_: object) -> None:
            """See LangChain."""
            scrub_error(error, self._scrub)

        def on_chain_error(self, error: BaseException, **_: object) -> None:
            """See LangChain."""
            scrub_error(error, self._scrub)

        def on_tool_error(self, error: BaseException, **_: object) -> None:
            """See LangChain."""
            scrub_error(error, self._scrub)

        def on_retriever_error(self, error: BaseException, **_: object) -> None:
            """See LangChain."""
            scrub_error(error, self._scrub)

    return ErrorScrubber
