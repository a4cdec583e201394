"""Paths into a thread's JSON, as a search may ask for them: `values.messages[-1].content`."""

import re
from typing import Final

from longline.models.json import JsonValue
from longline_protocol_langgraph.errors import InvalidPathError

_ROOTS: Final = ("values", "metadata", "config", "interrupts")
PATH_PATTERN: Final = rf"(?:{'|'.join(_ROOTS)})(?:\.[^.\[\]]+|\[-?[0-9]{{1,9}}\])*"
"""What a path is, as a regular expression."""
_PATH: Final = re.compile(PATH_PATTERN)
_STEP: Final = re.compile(r"\[(-?[0-9]{1,9})\]|([^.\[\]]+)")

Step = str | int


def parse_path(alias: str, path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises InvalidPathError."""
    if not _PATH.fullmatch(path):
        raise InvalidPathError(alias, path, _ROOTS)
    return tuple(int(index) if index else name for index, name in _STEP.findall(path))


def follow(value: JsonValue, steps: tuple[Step, ...]) -> JsonValue:
    """What is at the end of the path; None where it leads nowhere."""
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value
