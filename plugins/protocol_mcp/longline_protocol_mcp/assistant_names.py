"""What an assistant is called as a tool: its own name, made fit for every model's interface, and nobody else's."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from longline.ids import graph_assistant_id
from longline.models.assistants import Assistant

LONGEST: Final = 64
"""Models' interfaces take no longer names, whatever MCP allows."""
_SHORT_PART: Final = 8
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]+")
_WITH_PART: Final = re.compile(r"(?P<base>.*)_(?:[0-9a-f]{8}|[0-9a-f]{32})", re.DOTALL)
_CHANGED: Final = re.compile(r"_|[AOUaou]e|[Aa]a|ss|SS|[Tt]h")
"""Where a fit name may have been another one, if that was German."""
_SPELLED: Final = str.maketrans({
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae",
    "ø": "oe", "Ø": "Oe", "œ": "oe", "Œ": "Oe", "å": "aa", "Å": "Aa", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i",
})  # fmt: skip
"""Letters that are spelled in another way without their marks, or that have no mark to take away."""


def fit(name: str) -> str:
    """The name in letters, digits, `_` and `-`: umlauts spelled out, accents left out, everything else an underscore.
    A fit name stays as it is, but for its length; nothing is left of one without any Latin letter or digit."""
    if not _UNFIT.search(name):
        return name[:LONGEST]
    spelled = unicodedata.normalize("NFC", name).translate(_SPELLED)
    bare = "".join(char for char in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(char))
    return _UNFIT.sub("_", bare).strip("_-")[:LONGEST]


def has_part(tool_name: str) -> bool:
    """Whether it ends as names do that hold a part of an id."""
    return _WITH_PART.fullmatch(tool_name) is not None


def base_of(tool_name: str) -> str:
    """The name without the part of an id at its end."""
    found = _WITH_PART.fullmatch(tool_name)
    return tool_name if found is None else found["base"]


def with_part(name: str, assistant_id: str, *, is_whole: bool = False) -> str:
    """A name that says which of several it is, by the end of its id: the end of a UUID is random, its beginning need
    not be."""
    digits = assistant_id.replace("-", "")
    part = digits if is_whole else digits[-_SHORT_PART:]
    return f"{(fit(name) or 'assistant')[: LONGEST - len(part) - 1]}_{part}"


@dataclass(frozen=True, slots=True)
class TakenNames:
    """Names that no caller's assistant gets: those of registered tools, and of the graphs' own assistants."""

    tools: frozenset[str]
    own: Mapping[str, str]
    """By assistant id."""
    ids: Mapping[str, str]
    """The same, the other way round."""

    def __contains__(self, name: object) -> bool:
        return name in self.tools or name in self.ids


def taken_names(tools: Iterable[str], graph_ids: Iterable[str]) -> TakenNames:
    """A graph's own assistant has the graph's id for a name, unless a tool has it."""
    names, ids = frozenset(tools), dict[str, str]()
    for graph_id in sorted(graph_ids, key=lambda one: (fit(one) != one, one)):
        assistant_id = graph_assistant_id(graph_id)
        plain = fit(graph_id)
        free = [plain] if plain and plain not in names and plain not in ids else []
        ids[(free or [with_part(graph_id, assistant_id)])[0]] = assistant_id
    return TakenNames(names, {assistant_id: name for name, assistant_id in ids.items()}, ids)


def named(assistants: Collection[Assistant], taken: TakenNames) -> dict[str, str]:
    """The name of each assistant's tool, by its id; no two alike, and whatever order they come in.

    The plain name belongs to whom it fits with the least change, the oldest first; who comes later has a part of its id
    in its name, so that a new assistant renames no old one. What looks like such a name is nobody's plain name."""
    names: dict[str, str] = {}
    held = {*taken.tools, *taken.ids}
    for assistant in by_right(assistants):
        own = taken.own.get(assistant.assistant_id)
        plain = fit(assistant.name)
        if own is not None:
            names[assistant.assistant_id] = own
        elif plain and plain not in held and not has_part(plain):
            names[assistant.assistant_id] = plain
            held.add(plain)
    owners = dict[str, str]()
    for assistant in by_age(assistants):
        owners.setdefault(with_part(assistant.name, assistant.assistant_id), assistant.assistant_id)
    for assistant in assistants:
        if assistant.assistant_id not in names:
            names[assistant.assistant_id] = _long_name(assistant, owners, taken)
    return names


def _long_name(assistant: Assistant, owners: Mapping[str, str], taken: TakenNames) -> str:
    short = with_part(assistant.name, assistant.assistant_id)
    if owners[short] == assistant.assistant_id and short not in taken:
        return short
    return with_part(assistant.name, assistant.assistant_id, is_whole=True)


def by_age(assistants: Iterable[Assistant]) -> Sequence[Assistant]:
    """The oldest first."""
    return sorted(assistants, key=_age)


def by_right(assistants: Iterable[Assistant]) -> Sequence[Assistant]:
    """Who comes first has the first right to a plain name: whose own name is least far from it."""
    return sorted(assistants, key=lambda one: (_distance(one.name), *_age(one)))


def traces(tool_name: str) -> Sequence[str]:
    """What to look for in the names of assistants to find whose plain name this is: each finds everybody at that
    distance, and the last one is in every name."""
    return (tool_name, tool_name.replace("_", " "), max(_CHANGED.split(tool_name), key=len), "")


def _distance(name: str) -> int:
    """Which of the traces of its plain name is the first one to lead to a name."""
    plain = fit(name)
    same, spaced, piece, _ = traces(plain)
    return 0 if name == same else 1 if name == spaced else 2 if piece and piece in name else 3


def _age(assistant: Assistant) -> tuple[object, str]:
    return assistant.created_at, assistant.assistant_id
