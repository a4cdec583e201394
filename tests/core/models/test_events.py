"""The ids of events order a run's events across attempts, and garbage is no id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.models.events import BEGINNING, EventId, RunEvent, parse_event_id

PLACES = st.builds(EventId, st.integers(0, 2**40), st.integers(0, 2**40))


@given(PLACES)
def test_what_an_id_is_written_as_is_read_back(event_id: EventId) -> None:
    assert parse_event_id(str(event_id)) == event_id


@given(PLACES, PLACES)
def test_a_later_attempt_comes_after_everything_of_an_earlier_one(one: EventId, two: EventId) -> None:
    assert (one < two) == (one.attempt < two.attempt or (one.attempt == two.attempt and one.seq < two.seq))


def test_every_event_comes_after_the_beginning() -> None:
    assert RunEvent("r", 1, 1, "values", (), b"{}").event_id == EventId(1, 1) > BEGINNING


@pytest.mark.parametrize(
    "text",
    ["", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1--2", " 1-2", "1-2 ", "1_0-2", "a-b", "1.0-2", "٣-٤", "²-1", "0x1-2",
     "1-2\n", "9" * 20 + "-" + "9" * 20, "1" * 5_000 + "-1"],
)  # fmt: skip
def test_garbage_is_no_id(text: str) -> None:
    assert parse_event_id(text) is None


@given(st.text(max_size=50))
def test_any_text_is_an_id_or_none_and_never_an_error(text: str) -> None:
    found = parse_event_id(text)
    assert found is None or (found.attempt >= 0 and found.seq >= 0)


def test_leading_zeros_and_places_that_no_event_has_are_read() -> None:
    assert parse_event_id("0-0") == BEGINNING
    assert parse_event_id("007-010") == EventId(7, 10)
