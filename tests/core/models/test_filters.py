"""Conditions on metadata mean what they say, whatever the metadata."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.errors import FilterTooWideError
from longline.models import filters
from longline.models.filters import (
    EVERYTHING,
    NOTHING,
    AllOf,
    AnyOf,
    ContainsAll,
    Equals,
    Missing,
    all_of,
    contains,
    matches,
    metadata_filter,
)

KEYS = st.sampled_from(["a", "b", "owner", "it's", "ü"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5, "", "a", "1", "true", "é"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
CONDITIONS = st.recursive(
    st.builds(Equals, KEYS, VALUES)
    | st.builds(ContainsAll, KEYS, st.lists(VALUES, max_size=2).map(tuple))
    | st.builds(Missing, KEYS),
    lambda inner: (
        st.builds(AllOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
    ),
)


@given(VALUES)
def test_every_value_contains_itself(value) -> None:
    assert contains(value, copy.deepcopy(value))


@given(VALUES, VALUES, VALUES)
def test_containment_passes_on(large, middle, small) -> None:
    if contains(large, middle) and contains(middle, small):
        assert contains(large, small)


@given(OBJECTS, OBJECTS)
def test_an_object_contains_every_part_of_it(part, more) -> None:
    assert contains({**more, **part}, part)


@given(st.lists(VALUES, max_size=4), st.data())
def test_a_list_contains_any_of_its_items_in_any_order(items, data) -> None:
    chosen = data.draw(st.lists(st.sampled_from(items), max_size=3)) if items else []
    assert contains(items, chosen)


@given(SCALARS, SCALARS)
def test_scalars_contain_only_what_equals_them_as_json(found, wanted) -> None:
    is_alike = found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
    assert contains(found, wanted) == is_alike


def test_true_is_not_one_and_false_is_not_zero() -> None:
    for number, truth in ((1, True), (0, False), (1.0, True)):
        assert not contains(number, truth)
        assert not contains(truth, number)
    assert contains(1, 1.0)
    assert contains(1.0, 1)


@given(OBJECTS)
def test_a_missing_key_equals_nothing_not_even_null(metadata) -> None:
    metadata.pop("a", None)
    assert not matches(Equals("a", None), metadata)
    assert matches(Equals("a", None), {**metadata, "a": None})
    assert not matches(ContainsAll("a", ()), metadata)


@given(OBJECTS, KEYS, st.lists(VALUES, max_size=3).map(tuple))
def test_contains_all_asks_for_a_list_with_each_value(metadata, key, values) -> None:
    found = metadata.get(key)
    expected = isinstance(found, list) and all(any(contains(item, value) for item in found) for value in values)
    assert matches(ContainsAll(key, values), metadata) == expected
    assert matches(ContainsAll(key, values), {**metadata, key: [*values, "more"]})


@given(OBJECTS)
def test_everything_holds_always_and_nothing_never(metadata) -> None:
    assert matches(EVERYTHING, metadata)
    assert not matches(NOTHING, metadata)


@given(st.lists(CONDITIONS, max_size=3), OBJECTS)
def test_the_joint_condition_holds_where_every_part_holds(parts, metadata) -> None:
    joint = all_of(*parts)
    assert matches(joint, metadata) == all(matches(part, metadata) for part in parts)
    assert matches(AnyOf(tuple(parts)), metadata) == any(matches(part, metadata) for part in parts)


@given(CONDITIONS)
def test_joining_everything_to_a_condition_changes_and_costs_nothing(condition) -> None:
    joint = all_of(EVERYTHING, condition, EVERYTHING)
    assert joint == all_of(condition)
    if not isinstance(condition, AllOf):
        assert joint is condition


def test_nothing_joined_is_everything() -> None:
    assert all_of() == all_of(EVERYTHING, EVERYTHING) == EVERYTHING


@given(OBJECTS, OBJECTS)
def test_a_metadata_filter_asks_for_every_given_pair(wanted, metadata) -> None:
    assert matches(metadata_filter(wanted), metadata) == contains(metadata, wanted)
    assert matches(metadata_filter(wanted), {**metadata, **wanted})


@given(CONDITIONS, OBJECTS)
def test_asking_changes_nothing(condition, metadata) -> None:
    before = copy.deepcopy((condition, metadata))
    matches(condition, metadata)
    assert (condition, metadata) == before


def test_many_scalars_are_found_in_a_long_list() -> None:
    numbers = list(range(100_000))
    assert contains(numbers, numbers[::-1])
    assert not contains(numbers, [*numbers, "0"])


def test_a_filter_of_too_many_values_is_refused() -> None:
    metadata_filter({"a": list(range(999))})
    for wanted in (
        {"a": list(range(1001))},
        {"a": [{"b": [1] * 600}, [2] * 600]},
        dict.fromkeys(map(str, range(1001))),
    ):
        with pytest.raises(FilterTooWideError):
            metadata_filter(wanted)


def test_comparing_too_many_objects_is_refused_instead_of_done(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [{"n": number} for number in range(1_000)]
    assert matches(Equals("a", [{"n": 1}, {"n": 999}]), {"a": found})
    monkeypatch.setattr(filters, "_MOST_COMPARISONS", 1_000)
    assert not matches(Equals("a", [{"n": -1}]), {"a": found})
    with pytest.raises(FilterTooWideError):
        matches(Equals("a", [{"n": -1}]), {"a": [*found, {}]})


@given(KEYS, OBJECTS)
def test_what_is_missing_or_null_is_missing(key, metadata) -> None:
    rest = {name: value for name, value in metadata.items() if name != key}
    assert matches(Missing(key), rest)
    assert matches(Missing(key), {**rest, key: None})
    assert matches(Missing(key), metadata) == (metadata.get(key) is None)
