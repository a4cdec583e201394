"""Ids sort by age, graphs have known assistants, and only real UUIDs are taken."""

import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline import ids
from longline.ids import graph_assistant_id, new_id, parse_uuid, tick_run_id


def test_new_ids_are_version_7_of_the_rfc_variant() -> None:
    for _ in range(200):
        made = uuid.UUID(new_id())
        assert made.version == 7
        assert made.variant == uuid.RFC_4122


def test_new_ids_are_all_different() -> None:
    assert len({new_id() for _ in range(20_000)}) == 20_000


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=20, unique=True))
def test_ids_sort_by_the_millisecond_they_were_made_in(milliseconds: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made = []
        for millisecond in milliseconds:
            patch.setattr(ids.time, "time_ns", lambda millisecond=millisecond: millisecond * 1_000_000 + 999_999)
            made.append((new_id(), millisecond))
    assert [millisecond for _, millisecond in sorted(made)] == sorted(milliseconds)


def test_an_id_tells_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0x0123456789AB * 1_000_000)
    assert new_id().startswith("01234567-89ab-7")


@pytest.mark.parametrize(
    ("graph_id", "assistant_id"),
    [
        ("agent", "fe096781-5601-53d2-b2f6-0d3403f7e9ca"),
        ("longstream", "c7babd5f-5215-5b4f-a3ce-d626442868ee"),
        ("noop", "eebd3bcb-8579-5ef5-b1b7-af92d94a8a11"),
    ],
)
def test_the_assistant_of_a_graph_has_the_id_that_it_has_everywhere(graph_id: str, assistant_id: str) -> None:
    assert graph_assistant_id(graph_id) == assistant_id


@given(st.uuids())
def test_every_spelling_in_36_characters_becomes_the_canonical_one(value: uuid.UUID) -> None:
    assert parse_uuid(str(value)) == str(value)
    assert parse_uuid(str(value).upper()) == str(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "agent",
        "fe096781560153d2b2f60d3403f7e9ca",
        "{fe096781-5601-53d2-b2f6-0d3403f7e9ca}",
        "urn:uuid:fe096781-5601-53d2-b2f6-0d3403f7e9ca",
        "ge096781-5601-53d2-b2f6-0d3403f7e9ca",
        "fe096781-5601-53d2-b2f6-0d3403f7e9c",
        "fe096781-5601-53d2-b2f6-0d3403f7e9ca ",
        "----fe096781560153d2b2f60d3403f7e9ca",
        "{--fe096781560153d2b2f60d3403f7e9ca}",
        "fe0967815-601-53d2-b2f6-0d3403f7e9ca",
        "fe096781-5601-53d2-b2f6-0d3403f7e9c\n",
        "fe096781-5601-53d2-b2f6-0d3403f7e9٣a",
    ],
)
def test_what_is_no_uuid_in_its_usual_form_is_none(text: str) -> None:
    assert parse_uuid(text) is None


@given(st.text(alphabet="0123456789abcdefABCDEF-{}", min_size=36, max_size=36))
def test_only_the_usual_form_is_ever_taken(text: str) -> None:
    assert parse_uuid(text) in (None, text.lower())


def test_the_run_of_a_tick_has_the_same_id_whoever_makes_it_and_another_for_every_tick() -> None:
    tick = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    one = tick_run_id("cron-1", tick)
    assert one == tick_run_id("cron-1", tick.astimezone(ZoneInfo("Asia/Tokyo")))
    assert len({one, tick_run_id("cron-2", tick), tick_run_id("cron-1", tick + timedelta(seconds=1))}) == 3
    assert (uuid.UUID(one).version, uuid.UUID(one).variant) == (7, uuid.RFC_4122)
    assert int(one.replace("-", "")[:12], 16) == int(tick.timestamp() * 1000)
