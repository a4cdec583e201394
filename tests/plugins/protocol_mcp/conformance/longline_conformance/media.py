"""The smallest picture and the smallest recording that are whole files."""

import base64
from typing import Final

PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
"""One red pixel."""
WAV: Final = (
    b"RIFF" + (38).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")  # a header of PCM
    + (1).to_bytes(2, "little") + (1).to_bytes(2, "little")  # one channel
    + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little")  # samples and bytes a second
    + (2).to_bytes(2, "little") + (16).to_bytes(2, "little")  # bytes and bits a sample
    + b"data" + (2).to_bytes(4, "little") + bytes(2)
)  # fmt: skip
"""One silent sample."""
