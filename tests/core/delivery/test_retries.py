"""When a call is made again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.delivery.retries import is_delivered, is_passing, retry_seconds
from longline.delivery.settings import DeliverySettings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SETTINGS = DeliverySettings(first_retry_seconds=1, longest_retry_seconds=100)


def after(attempt: int, asked: str | None = None, chance: float = 1.0) -> float:
    return retry_seconds(SETTINGS, attempt, asked=asked, now=NOW, chance=lambda: chance)


def test_pauses_double_up_to_the_longest_and_half_of_each_is_left_to_chance() -> None:
    assert [after(attempt) for attempt in (1, 2, 3, 7, 8, 9, 5000)] == [1, 2, 4, 64, 100, 100, 100]
    assert [after(attempt, chance=0.0) for attempt in (1, 2, 3, 9)] == [0.5, 1, 2, 50]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7.0), ("0", 1.0), (" 9 ", 9.0), ("99999999999999", 100.0), ("-5", 1.0), ("x", 1.0), ("", 1.0),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30.0), ("Fri, 02 Jan 2026 03:00:00 GMT", 1.0),
        ("Fri, 02 Jan 2099 03:00:00 GMT", 100.0), ("Fri, 02 Jan 2026 03:04:35", 1.0), ("²", 1.0),
        ("Fri, 02 Jan 99999999999 03:04:35 GMT", 1.0), ("Fri, 02 Jan 2026 03:04:35 +99999999999999", 1.0),
    ],
)  # fmt: skip
def test_a_receiver_that_says_when_is_asked_then_within_bounds(asked: str, seconds: float) -> None:
    assert after(1, asked) == seconds


@given(st.text(max_size=40), st.integers(1, 200), st.floats(0, 1))
def test_no_answer_makes_a_pause_too_short_or_too_long(asked: str, attempt: int, chance: float) -> None:
    assert 0.5 <= after(attempt, asked, chance) <= 100


@pytest.mark.parametrize(
    ("status", "delivered", "passing"),
    [
        (200, True, False), (204, True, False), (299, True, False), (301, False, False), (308, False, False),
        (400, False, False), (404, False, False), (408, False, True), (410, False, False), (425, False, True),
        (429, False, True), (500, False, True), (503, False, True), (599, False, True),
    ],
)  # fmt: skip
def test_a_status_says_whether_it_is_delivered_and_worth_another_call(
    status: int, delivered: bool, passing: bool
) -> None:
    assert (is_delivered(status), is_passing(status)) == (delivered, passing)
