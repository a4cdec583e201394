"""Deletes what plugins kept and has expired, a little at a time, so that nobody who writes has to wait for it."""

import asyncio
from typing import Final

from longline.services.collections import Collections

_SECONDS: Final = 60.0
_MOST_AT_ONCE: Final = 500


async def delete_expired(
    collections: Collections, *, seconds: float = _SECONDS, most_at_once: int = _MOST_AT_ONCE
) -> None:
    """Look every so many seconds, for ever. Raises StorageError."""
    while True:
        if await collections.delete_expired(limit=most_at_once) < most_at_once:
            await asyncio.sleep(seconds)
