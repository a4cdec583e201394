"""Media types that agents take. Knows no SDK."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

DEFAULT_INPUT_MODES: Final = ("text/plain", "application/json", "*/*")
"""What an agent takes whose assistant does not say (metadata `{"a2a": {"input_modes": [...]}}`): whatever it is, the
server cannot know what a graph makes of a file."""
TEXT: Final = "text/plain"
JSON: Final = "application/json"


def is_accepted(media_type: str, modes: Sequence[str]) -> bool:
    """Whether one of the modes, which may have asterisks, covers the type; its parameters do not count."""
    plain = media_type.partition(";")[0].strip().lower()
    return any(fnmatchcase(plain, mode.lower()) for mode in modes)
