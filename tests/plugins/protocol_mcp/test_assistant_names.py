"""What assistants are called as tools, for any names."""

import re
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.ids import graph_assistant_id
from longline.models.assistants import Assistant
from longline_protocol_mcp.assistant_names import (
    LONGEST,
    by_right,
    fit,
    has_part,
    named,
    taken_names,
    traces,
    with_part,
)

FIT = re.compile(r"[A-Za-z0-9_-]{1,64}")
NOBODY = taken_names([], [])
START = datetime(2026, 1, 1, tzinfo=UTC)


def assistant(name: str, number: int = 0, *, assistant_id: str | None = None, graph_id: str = "g") -> Assistant:
    """One that was made so many seconds after the first."""
    made = START + timedelta(seconds=number)
    return Assistant(
        assistant_id=assistant_id or str(UUID(int=(number + 1) * 0x1_0000_0001)),
        graph_id=graph_id,
        name=name,
        description=None,
        config={},
        context={},
        metadata={},
        version=1,
        created_at=made,
        updated_at=made,
    )


def names_of(*assistants: Assistant) -> list[str]:
    found = named(assistants, NOBODY)
    return [found[one.assistant_id] for one in assistants]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Rechts-Assistent", "Rechts-Assistent"),
        ("Übersetzer", "Uebersetzer"),
        ("U\u0308bersetzer", "Uebersetzer"),
        ("Große Straße", "Grosse_Strasse"),
        ("Café à la crème", "Cafe_a_la_creme"),
        ("  Research / Web (v2.1)  ", "Research_Web_v2_1"),
        ("Łódź", "Lodz"),
        ("snake_case", "snake_case"),
        ("_x_", "_x_"),
        ("日本語", ""),
        ("GPT 日本", "GPT"),
        ("fi\ufb01", "fifi"),
        ("a\x00b", "a_b"),
        ("x" * 100, "x" * 64),
    ],
)
def test_names_are_made_fit_without_losing_more_than_must_be(name: str, expected: str) -> None:
    assert fit(name) == expected


def test_a_name_with_nothing_to_keep_is_told_by_its_id() -> None:
    one = assistant("日本語")
    assert names_of(one) == [f"assistant_{one.assistant_id[-8:]}"]


def test_the_oldest_keeps_its_name_and_later_ones_have_a_part_of_their_id() -> None:
    one, two, three = (assistant("Helper", number) for number in range(3))
    names = names_of(three, one, two)
    assert names == [f"Helper_{three.assistant_id[-8:]}", "Helper", f"Helper_{two.assistant_id[-8:]}"]


def test_who_is_called_just_so_comes_before_who_is_made_fit() -> None:
    older, newer = assistant("Résumé", 0), assistant("Resume", 1)
    assert names_of(older, newer) == [f"Resume_{older.assistant_id[-8:]}", "Resume"]


def test_whose_name_changed_least_comes_first() -> None:
    names = ["Reséarch Ügent", "Research-Ügent", "Research  Uegent", "Research Uegent"]
    ranked = by_right(assistant(name, number) for number, name in enumerate(names))
    assert [one.name for one in ranked] == ["Research Uegent", "Research-Ügent", "Research  Uegent", "Reséarch Ügent"]
    assert traces("Research_Uegent") == ("Research_Uegent", "Research Uegent", "Research", "")


def test_nobody_poses_as_one_of_several() -> None:
    one, two = assistant("Helper", 0), assistant("Helper", 1)
    poser = assistant(f"Helper_{two.assistant_id[-8:]}", -1)
    assert names_of(one, two)[1] == poser.name
    assert names_of(poser, one, two)[0] not in (poser.name, "Helper")


def test_ids_that_end_alike_are_told_whole() -> None:
    ids = ["11111111-0000-4000-8000-00000000aaaa", "22222222-0000-4000-8000-00000000aaaa"]
    one, two = (assistant("日", number, assistant_id=ids[number]) for number in range(2))
    assert names_of(two, one) == [f"assistant_{ids[1].replace('-', '')}", "assistant_0000aaaa"]


def test_graphs_keep_their_ids_unless_a_tool_has_it() -> None:
    taken = taken_names(["search"], ["agent", "search", "web agent", "web_agent"])
    own = {graph_id: graph_assistant_id(graph_id) for graph_id in ("agent", "search", "web agent", "web_agent")}
    assert taken.own == {
        own["agent"]: "agent",
        own["search"]: f"search_{own['search'][-8:]}",
        own["web_agent"]: "web_agent",
        own["web agent"]: f"web_agent_{own['web agent'][-8:]}",
    }
    mine = [assistant("agent", 1), assistant("search", 2), assistant("renamed", 3, assistant_id=own["agent"])]
    found = named(mine, taken)
    assert found[own["agent"]] == "agent"
    assert all(found[one.assistant_id] == with_part(one.name, one.assistant_id) for one in mine[:2])


ODD = st.sampled_from(["agent", "Agent", "ä", "ae", "a e", "a_e", "é", "", "日", "x" * 70, "x" * 64, "tool"])
NAMES = ODD | st.text(max_size=80) | ODD.map(lambda name: f"{name}_0123abcd")
ENTRIES = st.lists(st.tuples(NAMES, st.uuids(), st.integers(0, 3)), max_size=12, unique_by=lambda entry: entry[1])


@given(entries=ENTRIES, order=st.randoms(use_true_random=False))
def test_names_are_fit_unique_and_independent_of_the_order(entries: list[tuple[str, UUID, int]], order: Random) -> None:
    taken = taken_names(["tool"], ["agent", "a e"])
    all_of_them = [assistant(name, number, assistant_id=str(key)) for name, key, number in entries]
    names = named(all_of_them, taken)
    assert all(FIT.fullmatch(name) for name in names.values())
    assert len(set(names.values())) == len(all_of_them)
    assert not {"tool", "agent"} & set(names.values())
    shuffled = list(all_of_them)
    order.shuffle(shuffled)
    assert named(shuffled, taken) == names


@given(entries=ENTRIES, name=NAMES)
def test_a_new_assistant_takes_no_name_that_was_its_owners_own(entries: list[tuple[str, UUID, int]], name: str) -> None:
    before = [assistant(each, number, assistant_id=str(key)) for each, key, number in entries]
    names = named(before, NOBODY)
    after = named([*before, assistant(name, 100)], NOBODY)
    kept = [one for one in before if fit(one.name) == one.name]
    assert {one.assistant_id: after[one.assistant_id] for one in kept} == {
        one.assistant_id: names[one.assistant_id] for one in kept
    }


@given(name=st.text(max_size=200), key=st.uuids())
def test_names_with_parts_of_ids_are_known_as_such(name: str, key: UUID) -> None:
    for is_whole in (False, True):
        found = with_part(name, str(key), is_whole=is_whole)
        assert has_part(found)
        assert len(found) <= LONGEST
