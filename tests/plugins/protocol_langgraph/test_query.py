"""Lists in the query, as each SDK writes them."""

import pytest
from starlette.requests import Request

from longline_protocol_langgraph.errors import InvalidParameterError
from longline_protocol_langgraph.query import choices

OPTIONS = {"values", "updates"}


def asked(query: str) -> list[str]:
    return choices(Request({"type": "http", "query_string": query.encode(), "headers": []}), "mode", OPTIONS)


@pytest.mark.parametrize(
    "query",
    [
        "mode=values&mode=updates",
        "mode=values,updates",
        "mode=values,%20updates",
        'mode=["values","updates"]',
        "mode=%5B%22values%22%2C%22updates%22%5D",
        'mode=["values"]&mode=updates',
    ],
)
def test_a_list_comes_repeated_with_commas_or_as_a_json_array(query: str) -> None:
    assert asked(query) == ["values", "updates"]


@pytest.mark.parametrize("query", ["", "mode=", "mode=[]", "mode=,"])
def test_an_empty_list_names_nothing(query: str) -> None:
    assert asked(query) == []


@pytest.mark.parametrize("query", ["mode=[", "mode=[1]", 'mode=["values"', 'mode=["nothing"]', "mode=[null]"])
def test_what_is_no_list_of_options_is_refused(query: str) -> None:
    with pytest.raises(InvalidParameterError):
        asked(query)
