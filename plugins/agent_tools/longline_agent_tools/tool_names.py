"""Which name each tool has for the model, where several servers call theirs alike."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_LONGEST: Final = 64
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]+")


def fit_name(name: str) -> str:
    """The name as every model's interface takes it (`^[a-zA-Z0-9_-]{1,64}$`): runs of other characters become `_`, and
    what is too long is cut."""
    return _UNFIT.sub("_", name)[:_LONGEST] or "tool"


def assign_names(taken: Iterable[str], servers: Sequence[tuple[str, Sequence[str]]]) -> list[list[str]]:
    """A name for each tool of each server (its name, the names of its tools), in their order.

    The first who comes keeps the plain name; a later one is called `<server>_<tool>`, and where that is taken as well
    `<server>_<tool>_2`, `_3` and so on. The names are all different, none is among `taken`, and they depend on nothing
    but what is given here, in this order: a server that is added at the end changes no name.
    """
    known = set(taken)
    assigned: list[list[str]] = []
    for server, tools in servers:
        names = []
        for tool in tools:
            name = next(name for name in _candidates(server, tool) if name not in known)
            known.add(name)
            names.append(name)
        assigned.append(names)
    return assigned


def _candidates(server: str, tool: str) -> Iterator[str]:
    yield fit_name(tool)
    owner = fit_name(server)[: _LONGEST // 2].strip("_") or "server"
    name = fit_name(f"{owner}_{tool}")
    yield name
    number = 2
    while True:
        suffix = f"_{number}"
        yield name[: _LONGEST - len(suffix)] + suffix
        number += 1
