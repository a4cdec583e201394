"""What is known of a JSON text from its bytes is what a parser would find."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.asgi.json_shape import count_texts, count_values, is_deeper, structure_of
from longline_protocol_langgraph.errors import TooManyValuesError
from longline_protocol_langgraph.parsing import MAX_VALUES, parse_json

TEXTS = st.text(alphabet='[]{},:"\\/ab\n', max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=25,
)


def depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max((depth(child) for child in (value.values() if isinstance(value, dict) else value)), default=0)


def count(value: Any) -> int:
    """Values, with one place kept in every empty container."""
    if not isinstance(value, dict | list):
        return 1
    return 1 + max(sum(count(child) for child in (value.values() if isinstance(value, dict) else value)), 0)


def texts(value: Any) -> int:
    """Strings, keys among them."""
    if isinstance(value, dict):
        return len(value) + sum(texts(child) for child in value.values())
    return sum(texts(child) for child in value) if isinstance(value, list) else int(isinstance(value, str))


@given(VALUES, st.booleans())
def test_depth_and_number_are_those_of_the_value(value: Any, is_ascii: bool) -> None:
    data = json.dumps(value, ensure_ascii=is_ascii).encode()
    structure = structure_of(data)
    assert count_texts(data) <= texts(value)
    deep = depth(value)
    assert not is_deeper(structure, deep)
    assert deep == 0 or is_deeper(structure, deep - 1)
    assert count(value) <= count_values(structure) <= 2 * count(value)


@given(st.binary(max_size=60) | st.text(alphabet='[]{},:"\\ a', max_size=60).map(str.encode))
def test_bytes_that_are_no_json_do_no_harm(data: bytes) -> None:
    structure = structure_of(data)
    assert count_values(structure) >= 1
    assert is_deeper(structure, len(structure)) in (True, False)


@pytest.mark.parametrize("value", ["{}", '{"a":1}', "1", '""', "[]", '{"a":"b"}'])
def test_a_body_of_too_many_values_is_refused_before_they_are_made(value: str) -> None:
    with pytest.raises(TooManyValuesError):
        parse_json(f"[{','.join([value] * (MAX_VALUES + 1))}]".encode())


def test_a_long_text_is_one_value_whatever_is_in_it() -> None:
    text = '[{,"\\' * MAX_VALUES
    assert parse_json(orjson.dumps({"input": text})) == {"input": text}
