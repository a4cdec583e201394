"""What handlers answer means on any metadata what the SDK says it means."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from longline.models.filters import matches
from longline_protocol_langgraph.custom_auth.filters import filter_from

KEYS = st.sampled_from(["owner", "tags", "org"])
SCALARS: st.SearchStrategy[Any] = st.sampled_from(["ann", "bob", "", 0, 1, 1.5, True, False, None])
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(KEYS, SCALARS, max_size=2)
METADATA = st.dictionaries(KEYS, VALUES, max_size=3)
OPERATORS = st.fixed_dictionaries({}, optional={"$eq": SCALARS, "$contains": SCALARS | st.lists(SCALARS, max_size=3)})
FIELDS = st.dictionaries(KEYS, SCALARS | OPERATORS.filter(bool), max_size=2)
ANSWERS = st.recursive(
    FIELDS,
    lambda inner: st.tuples(
        FIELDS, st.fixed_dictionaries({}, optional={k: st.lists(inner, max_size=3) for k in ("$or", "$and")})
    ).map(lambda pair: {**pair[0], **pair[1]}),
    max_leaves=6,
)


def same(found: object, wanted: object) -> bool:
    """Equal as JSON values: true is not 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return type(found) in (list, dict) and found == wanted if isinstance(wanted, list | dict) else found == wanted


def fulfils(answer: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """The SDK's words: exact match, membership of one element, containment of several, all entries together."""
    return all(entry_holds(key, wanted, metadata) for key, wanted in answer.items())


def entry_holds(key: str, wanted: Any, metadata: Mapping[str, Any]) -> bool:
    if key == "$or":
        return any(fulfils(part, metadata) for part in wanted)
    if key == "$and":
        return all(fulfils(part, metadata) for part in wanted)
    operators = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    return key in metadata and all(operator_holds(name, value, metadata[key]) for name, value in operators.items())


def operator_holds(operator: str, operand: Any, found: Any) -> bool:
    if operator == "$eq":
        return same(found, operand)
    elements = operand if isinstance(operand, list) else [operand]
    return isinstance(found, list) and all(any(same(item, element) for item in found) for element in elements)


@given(ANSWERS, METADATA)
def test_a_translated_filter_agrees_with_the_sdks_language(answer: dict[str, Any], metadata: dict[str, Any]) -> None:
    assert matches(filter_from(answer), metadata) == fulfils(answer, metadata)


@given(ANSWERS)
def test_metadata_that_says_nothing_fulfils_only_what_asks_for_nothing(answer: dict[str, Any]) -> None:
    assert matches(filter_from(answer), {}) == fulfils(answer, {})
