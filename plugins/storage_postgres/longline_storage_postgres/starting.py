"""Starting beside a database that starts too: wait for it, for a while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from longline.errors import StorageAwayError
from longline_storage_postgres.connections import place_of
from longline_storage_postgres.settings import PostgresSettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.25


async def patiently(attempt: Callable[[], Awaitable[T]], url: str, settings: PostgresSettings) -> T:
    """Do it, again and again while the server is not there yet, for `start_wait_seconds`. Raises what the last attempt
    raised; a fault that waiting does not mend at once."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.start_wait_seconds
    is_told = False
    while True:
        try:
            return await attempt()
        except StorageAwayError as error:
            if loop.time() + _PAUSE_SECONDS > deadline:
                raise
            if not is_told:
                logger.warning(
                    "waiting for the database",
                    extra={"place": place_of(url), "reason": error.reason, "seconds": settings.start_wait_seconds},
                )
            is_told = True
        await asyncio.sleep(_PAUSE_SECONDS)
