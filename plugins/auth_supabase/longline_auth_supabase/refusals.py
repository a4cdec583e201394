"""How many tokens were refused, and why."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 60.0


class Refusals:
    """Counts by kind. Each is a line for who debugs; operators get a sum, once a minute at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at = float("-inf")
        self._untold: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Mapping[str, int]:
        """All so far, by kind."""
        return dict(self._counts)

    def note(self, kind: str) -> None:
        """One more."""
        self._counts[kind] += 1
        self._untold[kind] += 1
        logger.debug("token refused", extra={"kind": kind})
        if self._clock() - self._told_at >= _PAUSE_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Say what was not said yet."""
        if self._untold:
            logger.info("tokens refused", extra={"kinds": dict(sorted(self._untold.items()))})
            self._untold.clear()
            self._told_at = self._clock()
