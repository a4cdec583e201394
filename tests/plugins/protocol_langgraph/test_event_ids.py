"""Ids on the wire: strictly increasing, read back exactly, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.ids import new_id
from longline.models.events import BEGINNING, EventId
from longline_protocol_langgraph.event_ids import EventIds

IDS = st.builds(EventId, st.integers(1, 1000), st.integers(1, 10**9))


@given(IDS)
def test_an_id_is_read_back_as_it_was_spelled(event_id: EventId) -> None:
    ids = EventIds(new_id())
    assert ids.parse(ids.spell(event_id).decode()) == event_id


@given(IDS, IDS)
def test_ids_grow_as_their_numbers_do(one: EventId, other: EventId) -> None:
    ids = EventIds(new_id())

    def numbers(event_id: EventId) -> tuple[int, ...]:
        return tuple(int(part) for part in ids.spell(event_id).split(b"-"))

    assert (numbers(one) < numbers(other)) == (one < other)


def test_an_id_begins_with_milliseconds() -> None:
    ms, dash, seq = EventIds("01a1fc70-dfc7-76a6-9eb1-7b8414d7d71d").spell(EventId(1, 7)).partition(b"-")
    assert (len(ms), dash, seq) == (13, b"-", b"7")


def test_the_short_spelling_is_read_too() -> None:
    assert EventIds(new_id()).parse("2-5") == EventId(2, 5)


@pytest.mark.parametrize("text", ["-1", "0", "0-0"])
def test_the_beginning_has_names_of_its_own(text: str) -> None:
    assert EventIds(new_id()).parse(text) == BEGINNING


@pytest.mark.parametrize(
    "text", [None, "", "zzz", "-", "1", "1-", "-1-1", "1-2-3", "1.5-1", "9" * 30 + "-1", "1-" + "9" * 30, "1\u00b2-1"]
)
def test_anything_else_is_no_id(text: str | None) -> None:
    assert EventIds(new_id()).parse(text) is None


def test_an_id_of_a_younger_run_is_no_id_of_this_one() -> None:
    older, younger = EventIds("01a1fc70-dfc7-76a6-9eb1-7b8414d7d71d"), EventIds("02a1fc70-dfc7-76a6-9eb1-7b8414d7d71d")
    assert older.parse(younger.spell(EventId(1, 1)).decode()) is None
