"""How large and how deep a JSON text is, from its bytes: before a parser makes a thousand small objects of each
kilobyte. Every step is one pass of the interpreter over the bytes."""

from typing import Final, Literal

_TO_LISTS: Final = bytes.maketrans(b"{}", b"[]")
_KEPT: Final = b"[]{},"
_DROPPED: Final = bytes(byte for byte in range(256) if byte not in _KEPT)


def structure_of(data: bytes) -> bytes:
    """The brackets and commas of a JSON text that do not stand in its strings; objects look like lists."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(data.split(b'"')[::2]) if b'"' in data else data
    return outside.translate(_TO_LISTS, _DROPPED)


def count_texts(data: bytes) -> int:
    """How many strings there are at least, without a look at each."""
    return (data.count(b'"') - data.count(b'\\"')) // 2


def count_values(structure: bytes) -> int:
    """How many values there are at most: a comma or a bracket stands before each but the first."""
    return structure.count(b",") + structure.count(b"[") + 1


def is_deeper(structure: bytes, levels: int) -> bool:
    """Whether there are lists in so many others."""
    brackets = structure.replace(b",", b"")
    for _ in range(levels):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")  # the innermost of every nest
    return bool(brackets)


def fault_in(data: bytes, *, max_depth: int, max_values: int) -> Literal["many", "deep"] | None:
    """Whether a JSON text holds too many values or is nested too deep; None where it is worth parsing."""
    if data.count(b"[") + data.count(b"{") <= max_depth and len(data) <= max_values:
        return None
    if count_texts(data) > 2 * max_values:  # a key and a value each: not worth a look at what is between them
        return "many"
    structure = structure_of(data)
    if count_values(structure) > max_values:
        return "many"
    return "deep" if is_deeper(structure, max_depth) else None
