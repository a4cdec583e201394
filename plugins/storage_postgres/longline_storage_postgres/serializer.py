"""LangGraph's serializer as the operator wants it."""

from typing import TYPE_CHECKING

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from longline.settings import SerdeSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal


def make_serializer(settings: SerdeSettings | None) -> JsonPlusSerializer | None:
    """The serializer; None where nobody said anything, which is LangGraph's own choice."""
    if settings is None:
        return None
    json_modules = _allowed(settings.allowed_json_modules)
    if settings.allowed_msgpack_modules is None:
        return JsonPlusSerializer(pickle_fallback=settings.pickle_fallback, allowed_json_modules=json_modules)
    return JsonPlusSerializer(
        pickle_fallback=settings.pickle_fallback,
        allowed_json_modules=json_modules,
        allowed_msgpack_modules=_allowed(settings.allowed_msgpack_modules),
    )


def _allowed(modules: "list[list[str]] | bool | None") -> "Iterable[tuple[str, ...]] | Literal[True] | None":
    if isinstance(modules, list):
        return [tuple(path) for path in modules]
    return True if modules else None
