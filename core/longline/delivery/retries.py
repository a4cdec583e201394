"""When a call that failed is made again, if at all."""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from longline.delivery.settings import DeliverySettings

_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def is_delivered(status: int) -> bool:
    """Whether the receiver took it."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def is_passing(status: int) -> bool:
    """Whether the receiver may take the same call later: it is overloaded or broken. A redirect is not followed."""
    return status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def retry_seconds(
    settings: DeliverySettings, attempt: int, *, asked: str | None, now: datetime, chance: Callable[[], float]
) -> float:
    """How long to wait after this attempt (1: the first). `asked` is the receiver's Retry-After, `chance` gives 0 to 1:
    receivers that came back are not met by all calls at once."""
    doubled = settings.first_retry_seconds * 2.0 ** min(attempt - 1, 60)
    pause = min(doubled, settings.longest_retry_seconds) * (0.5 + 0.5 * chance())
    wanted = _asked_seconds(asked, now)
    return min(max(pause, wanted), settings.longest_retry_seconds)


def _asked_seconds(asked: str | None, now: datetime) -> float:
    """Retry-After (RFC 9110 section 10.2.3): seconds or a date. What cannot be read asks for nothing."""
    if asked is None:
        return 0.0
    text = asked.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    return max((moment - now).total_seconds(), 0.0) if moment.tzinfo is not None else 0.0
