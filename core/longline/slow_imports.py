"""LangGraph is imported once, by one thread at a time: its modules import each other in circles, and two threads that
enter such a circle at different places can each see a half-made module."""

from threading import Lock

_importing = Lock()


def import_langgraph() -> None:
    """Import what everything else of LangGraph needs. Takes over a second the first time: call it on a worker thread,
    before importing any other part of LangGraph or LangChain there."""
    with _importing:
        import langgraph.graph
        import langgraph.prebuilt  # noqa: F401
