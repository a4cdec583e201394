"""An agent's rows become one assistant, the same in whatever order they come, and what is wrong costs only itself."""

import json
import random
import uuid
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.errors import BrokenAgentError
from longline_supabase_sync.mapping import RESERVED, Defaults, group_rows, is_endpoint, map_agent

_DEFAULTS = Defaults(graph_id="agent", model="openai:gpt-4o")
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_NAMES = st.sampled_from(["gesetz_suchen", "urteil_lesen", "fristen", "größe", "a", "b"])
_GOOD = st.sampled_from(["http://a/mcp", "https://b.example/mcp?key=1", "http://127.0.0.1:9/mcp/", "https://[::1]:8/"])
_BAD = st.sampled_from(["", "nope", "ftp://a/b", "http://", "http://[kaputt/mcp", "http://a:x/", "http://a b/", None])
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=4,
)
_SAMPLING = st.dictionaries(
    st.sampled_from(["temperature", "top_p", "seed", "max_tokens", "stop", *sorted(RESERVED), "__token__"]), _JSON
)

Row = dict[str, Any]


def row(**columns: object) -> Row:
    """A row of an agent without a tool."""
    return {"agent_id": _ID, "organization_id": _ORG, "name": "Rechts-Assistent", "system_prompt": None,
            "graph_id": None, "model_name": None, "temperature": None, "max_tokens": None, "sampling_params": None,
            "is_global": False, "tool_name": None, "endpoint_url": None, "is_builtin": False, "auth_required": False,
            **columns}  # fmt: skip


_ID, _ORG = "0190a0a0-0000-7000-8000-00000000aaaa", "0190a0a0-0000-7000-8000-00000000bbbb"
_TOOLS = st.fixed_dictionaries(
    {"tool_name": _NAMES | st.sampled_from([None, "", " "]), "endpoint_url": _GOOD | _BAD,
     "is_builtin": st.booleans(), "auth_required": st.booleans()}
)  # fmt: skip
_AGENTS = st.fixed_dictionaries(
    {"agent_id": st.uuids().map(str), "organization_id": st.uuids().map(str), "name": _TEXTS | st.none(),
     "system_prompt": _TEXTS | st.none(), "graph_id": st.none() | st.sampled_from(["agent", "graph-2"]),
     "model_name": st.none() | st.sampled_from(["openai:gpt-4o-mini", "nirgendwo:gibt-es-nicht", ""]),
     "sampling_params": st.none() | _SAMPLING.map(json.dumps)}
)  # fmt: skip


@st.composite
def _rows(draw: st.DrawFn) -> list[Row]:
    agent, tools = draw(_AGENTS), draw(st.lists(_TOOLS, max_size=8))
    return [row(**agent, **tool) for tool in tools] or [row(**agent)]


def configurable(rows: list[Row]) -> Row:
    found = map_agent(rows, _DEFAULTS).assistant.config["configurable"]
    assert isinstance(found, dict)
    return found


@given(_rows(), st.randoms())
def test_the_order_of_rows_says_nothing(rows: list[Row], chance: random.Random) -> None:
    shuffled = [*rows, *rows]
    chance.shuffle(shuffled)
    assert map_agent(shuffled, _DEFAULTS).assistant == map_agent(rows, _DEFAULTS).assistant


@given(_rows())
def test_every_tool_that_can_be_reached_is_there_once_and_no_other(rows: list[Row]) -> None:
    found = configurable(rows)
    named = [one for one in rows if one["tool_name"] and one["tool_name"].strip()]
    assert found["agent_tools"] == sorted({one["tool_name"] for one in named if one["is_builtin"]})
    remote = [
        one for one in named if not one["is_builtin"] and one["endpoint_url"] and is_endpoint(one["endpoint_url"])
    ]
    servers = found["mcp_config"]["servers"]
    assert [server["url"] for server in servers] == sorted({one["endpoint_url"] for one in remote})
    for server in servers:
        here = [one for one in remote if one["endpoint_url"] == server["url"]]
        assert server == {
            "name": min(one["tool_name"] for one in here),
            "url": server["url"],
            "tools": sorted({one["tool_name"] for one in here}),
            "auth_required": any(one["auth_required"] for one in here),
        }


@given(_rows())
def test_what_is_mapped_can_be_stored_and_says_whose_it_is(rows: list[Row]) -> None:
    agent = map_agent(rows, _DEFAULTS).assistant
    assert orjson.loads(orjson.dumps(agent.config)) == agent.config
    assert (agent.key, agent.assistant_id) == (rows[0]["agent_id"],) * 2
    organization = rows[0]["organization_id"]
    assert agent.metadata == {"supabase_agent_id": agent.key, "supabase_organization_id": organization}
    found = configurable(rows)
    assert found["supabase_organization_id"] == organization
    assert found["model_name"] == (rows[0]["model_name"] or "openai:gpt-4o")
    assert ("system_prompt" in found) == (rows[0]["system_prompt"] is not None)
    assert found.get("system_prompt") == rows[0]["system_prompt"]


@given(_SAMPLING)
def test_every_sampling_parameter_that_is_not_null_is_carried(sampling: dict[str, Any]) -> None:
    found = configurable([row(sampling_params=json.dumps(sampling))])
    carried = {
        key: value for key, value in sampling.items() if value is not None and key not in {*RESERVED, "__token__"}
    }
    mine = {"model_name", "agent_tools", "mcp_config", "supabase_organization_id"}
    assert {key: value for key, value in found.items() if key not in mine} == carried


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"temperature": "0.20", "max_tokens": "800"}, {"temperature": 0.2, "max_tokens": 800}),
        ({"temperature": Decimal("0.20"), "max_tokens": 800}, {"temperature": 0.2, "max_tokens": 800}),
        ({"temperature": "0", "max_tokens": None}, {"temperature": 0}),
        ({"temperature": "0.2", "sampling_params": '{"temperature": 0.9, "max_tokens": null}'}, {"temperature": 0.9}),
        ({"max_tokens": "5", "sampling_params": '{"max_tokens": null}'}, {"max_tokens": 5}),
        ({"sampling_params": {"top_p": 0.5}}, {"top_p": 0.5}),
    ],
)
def test_parameters_of_older_and_newer_schemas(columns: Row, expected: Row) -> None:
    found = configurable([row(**columns)])
    assert {key: found[key] for key in ("temperature", "max_tokens", "top_p") if key in found} == expected


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"temperature": "warm"}, "temperature is no number"),
        ({"temperature": "NaN"}, "temperature is no number"),
        ({"max_tokens": True}, "max_tokens is no number"),
        ({"sampling_params": "[1]"}, "sampling_params is no object"),
        ({"sampling_params": "{"}, "sampling_params is no object"),
        ({"sampling_params": '{"system_prompt": "x"}'}, "sampling_params may not set system_prompt"),
        ({"tool_name": "suchen", "endpoint_url": "http://[kaputt/mcp"}, "tool 'suchen' has no endpoint that is a URL"),
        ({"tool_name": "suchen"}, "tool 'suchen' has no endpoint that is a URL"),
        ({"endpoint_url": "http://a/mcp"}, "a tool without a name"),
        ({"engine_id": "7"}, "engine_id is no UUID"),
        ({"is_global": "maybe"}, "is_global is neither true nor false"),
        ({"is_global": 7}, "is_global is neither true nor false"),
    ],
)
def test_what_is_wrong_is_left_out_and_told(columns: Row, complaint: str) -> None:
    mapped = map_agent([row(**columns)], _DEFAULTS)
    assert list(mapped.complaints) == [complaint]
    assert mapped.assistant == map_agent([row()], _DEFAULTS).assistant


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("true", True),
        ("1", True),
        (1, True),
        (" Yes ", True),
        (False, False),
        ("f", False),
        (None, False),
    ],
)
def test_what_is_true_however_a_schema_says_it(value: object, expected: bool) -> None:
    mapped = map_agent([row(is_global=value)], _DEFAULTS)
    assert (mapped.is_global, mapped.complaints) == (expected, [])


def test_three_hundred_tools_of_one_server() -> None:
    rows = [row(tool_name=f"werkzeug_{number:03}", endpoint_url="http://a/mcp") for number in range(300)]
    (server,) = configurable(rows)["mcp_config"]["servers"]
    assert len(server["tools"]) == 300
    assert server["name"] == "werkzeug_000"


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"agent_id": "7"}, "no UUID"),
        ({"agent_id": None}, "no UUID"),
        ({"organization_id": None}, "no organisation"),
        ({"organization_id": "x"}, "no organisation"),
        ({"organization_id": "x", "is_global": True}, "no organisation"),
    ],
)
def test_an_agent_that_could_be_shown_to_the_wrong_people_is_broken(columns: Row, reason: str) -> None:
    with pytest.raises(BrokenAgentError, match=reason):
        map_agent([row(**columns)], _DEFAULTS)


def test_a_global_agent_of_no_organization_is_everybodys() -> None:
    mapped = map_agent([row(organization_id=None, is_global=True)], _DEFAULTS)
    assert mapped.assistant.metadata == {"supabase_agent_id": _ID}
    assert mapped.is_global


def test_ids_and_names_are_written_in_one_way() -> None:
    agent = map_agent([row(agent_id=uuid.UUID(_ID), organization_id=_ORG.upper(), name="  ")], _DEFAULTS).assistant
    assert (agent.key, agent.metadata["supabase_organization_id"], agent.name) == (_ID, _ORG, "Untitled")


def test_rows_are_grouped_in_the_order_of_agents() -> None:
    rows = [row(agent_id=one) for one in ("b", "a", "b", "c", "a")]
    assert {key: len(group) for key, group in group_rows(rows).items()} == {"b": 2, "a": 2, "c": 1}
    assert list(group_rows(rows)) == ["b", "a", "c"]
