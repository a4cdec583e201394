"""Small decisions: which paths are followed into a thread, what a query parameter means."""

import pytest
from starlette.requests import Request

from longline.models.json import JsonValue
from longline_protocol_langgraph.errors import InvalidParameterError, InvalidPathError
from longline_protocol_langgraph.extract import follow, parse_path
from longline_protocol_langgraph.query import choices, flag, flag_or_number, number


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("values.n", 3),
        ("values.log[-1]", "b"),
        ("values.log[0]", "a"),
        ("values.log[5]", None),
        ("values.log[-9]", None),
        ("values.rows[1].name", "second"),
        ("values.n.deeper", None),
        ("values.log.name", None),
        ("values.missing", None),
        ("metadata.owner", "ann"),
        ("metadata", {"owner": "ann"}),
    ],
)
def test_a_path_is_followed(path: str, found: JsonValue) -> None:
    thread: JsonValue = {
        "values": {"n": 3, "log": ["a", "b"], "rows": [{"name": "first"}, {"name": "second"}]},
        "metadata": {"owner": "ann"},
    }
    assert follow(thread, parse_path("x", path)) == found


@pytest.mark.parametrize(
    "path", ["", "thread_id", "values.", "values..n", "values[", "values[x]", ".values", "[0]", "values[1"]
)
def test_a_path_that_starts_elsewhere_or_is_none_is_refused(path: str) -> None:
    with pytest.raises(InvalidPathError):
        parse_path("x", path)


def asked(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": [], "path": "/", "method": "GET"})


@pytest.mark.parametrize(
    ("query", "meaning"),
    [("x=1", True), ("x=true", True), ("x=True", True), ("x=0", False), ("x=no", False), ("", False)],
)
def test_a_flag_has_several_spellings(query: str, meaning: bool) -> None:
    assert flag(asked(query), "x") is meaning


def test_a_flag_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="must be true or false"):
        flag(asked("x=perhaps"), "x")


@pytest.mark.parametrize(("query", "meaning"), [("x=2", 2), ("x=1", True), ("x=true", True), ("", False)])
def test_a_depth_may_be_a_flag(query: str, meaning: bool | int) -> None:
    assert flag_or_number(asked(query), "x") == meaning


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "", "101", "9" * 40, "\u00b2"])
def test_a_number_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameterError, match="a whole number from 0 to 100"):
        number(asked(f"x={text}"), "x", default=5, most=100)


def test_choices_may_be_repeated_or_joined() -> None:
    assert choices(asked("x=a&x=b,c"), "x", {"a", "b", "c"}) == ["a", "b", "c"]
    with pytest.raises(InvalidParameterError, match="one of a, b"):
        choices(asked("x=z"), "x", {"a", "b"})
