"""What is taken from a body, what is refused, and how the refusal reads."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from longline.services.run_requests import RunRequest
from longline_protocol_langgraph.bodies import assistants, runs, threads
from longline_protocol_langgraph.errors import InvalidBodyError, InvalidJsonError
from longline_protocol_langgraph.parsing import MAX_DEPTH, parse_json, validate


def request_of(**fields: Any) -> RunRequest:
    body = validate({"assistant_id": "agent", **fields}, runs.RUN)
    return body.to_request(thread_id="t1", request_id="q1")


def test_a_run_that_says_nothing_has_the_documented_defaults() -> None:
    assert request_of() == RunRequest(
        assistant="agent", thread_id="t1", stream_modes=("values",), multitask_strategy="enqueue",
        if_not_exists="reject", durability="async", request_id="q1",
    )  # fmt: skip


def test_null_means_the_same_as_nothing() -> None:
    fields = dict.fromkeys(set(runs.RunBody.model_fields) - {"assistant_id"})
    assert request_of(**fields) == request_of()


def test_unknown_fields_are_ignored() -> None:
    assert request_of(zzz=1, langsmith_tracer={"project_name": "x"}) == request_of()


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"input": {"a": [1, None]}}, "input", {"a": [1, None]}),
        ({"input": "text"}, "input", "text"),
        ({"command": {"resume": {"ok": True}}}, "command", {"resume": {"ok": True}}),
        ({"command": {"goto": [{"node": "n", "input": 1}]}}, "command", {"goto": [{"node": "n", "input": 1}]}),
        ({"command": {"goto": "n"}}, "command", {"goto": "n"}),
        ({"command": {}}, "command", None),
        ({"command": {"resume": None, "zzz": 1}}, "command", None),
        ({"stream_mode": "updates"}, "stream_modes", ("updates",)),
        ({"stream_mode": ["updates", "values", "updates"]}, "stream_modes", ("updates", "values")),
        ({"stream_mode": []}, "stream_modes", ("values",)),
        ({"stream_subgraphs": True}, "subgraphs", True),
        ({"stream_resumable": True}, "resumable", True),
        ({"checkpoint": {"checkpoint_id": "c", "thread_id": "t"}}, "checkpoint", {"checkpoint_id": "c"}),
        ({"checkpoint_id": "c"}, "checkpoint", {"checkpoint_id": "c"}),
        ({"checkpoint_id": "old", "checkpoint": {"checkpoint_id": "c"}}, "checkpoint", {"checkpoint_id": "c"}),
        ({"checkpoint": {"checkpoint_ns": "", "checkpoint_map": {"": "c"}}}, "checkpoint",
         {"checkpoint_ns": "", "checkpoint_map": {"": "c"}}),
        ({"interrupt_before": "*"}, "interrupt_before", "*"),
        ({"interrupt_after": ["a"]}, "interrupt_after", ["a"]),
        ({"checkpoint_during": False}, "durability", "exit"),
        ({"checkpoint_during": True}, "durability", "async"),
        ({"checkpoint_during": False, "durability": "sync"}, "durability", "sync"),
        ({"after_seconds": 3}, "after_seconds", 3),
        ({"feedback_keys": ["k"]}, "feedback_keys", ("k",)),
        ({"config": {"tags": ["a"], "recursion_limit": 5, "configurable": {"k": 1}, "metadata": {"m": 1}}}, "config",
         {"tags": ["a"], "recursion_limit": 5, "configurable": {"k": 1}, "metadata": {"m": 1}}),
    ],
)  # fmt: skip
def test_a_field_reaches_the_request(fields: dict[str, Any], name: str, value: object) -> None:
    assert getattr(request_of(**fields), name) == value


def test_a_thread_is_kept_only_where_it_is_the_runs_own() -> None:
    kept = {"assistant_id": "a", "on_completion": "keep"}
    assert validate(kept, runs.STATELESS_RUN).to_request(thread_id=None, request_id="").keep_thread
    assert not validate(kept, runs.RUN).to_request(thread_id="t", request_id="").keep_thread
    assert not validate({"assistant_id": "a"}, runs.STATELESS_RUN).to_request(thread_id=None, request_id="").keep_thread


@pytest.mark.parametrize(
    ("adapter", "body", "path"),
    [
        (runs.RUN, {}, ()),
        (runs.RUN, [], ()),
        (runs.RUN, None, ()),
        (runs.RUN, {"assistant_id": 5}, ("assistant_id",)),
        (runs.RUN, {"assistant_id": "a", "stream_mode": "foo"}, ("stream_mode",)),
        (runs.RUN, {"assistant_id": "a", "stream_mode": ["values", "foo"]}, ("stream_mode",)),
        (runs.RUN, {"assistant_id": "a", "multitask_strategy": "x"}, ("multitask_strategy",)),
        (runs.RUN, {"assistant_id": "a", "metadata": []}, ("metadata",)),
        (runs.RUN, {"assistant_id": "a", "config": {"recursion_limit": "5"}}, ("config", "recursion_limit")),
        (runs.RUN, {"assistant_id": "a", "config": {"configurable": 1}}, ("config", "configurable")),
        (runs.RUN, {"assistant_id": "a", "after_seconds": -1}, ("after_seconds",)),
        (runs.RUN, {"assistant_id": "a", "after_seconds": 1e300}, ("after_seconds",)),
        (runs.RUN, {"assistant_id": "a", "after_seconds": True}, ("after_seconds",)),
        (runs.RUN, {"assistant_id": "a", "stream_resumable": "yes"}, ("stream_resumable",)),
        (runs.RUN, {"assistant_id": "a", "webhook": ""}, ("webhook",)),
        (runs.RUN, {"assistant_id": "a", "command": {"goto": 5}}, ("command", "goto")),
        (runs.BATCH, [], ()),
        (runs.BATCH, [{"assistant_id": "a"}, {}], (1,)),
        (runs.CANCEL, {}, ()),
        (runs.CANCEL, {"thread_id": "x", "run_ids": []}, None),
        (runs.CANCEL, {"status": "zzz"}, None),
        (assistants.CREATE, {"name": "n"}, ()),
        (assistants.CREATE, {"graph_id": "g", "assistant_id": "nope"}, ("assistant_id",)),
        (assistants.SEARCH, {"limit": 0}, ("limit",)),
        (assistants.SEARCH, {"limit": 1001}, ("limit",)),
        (assistants.SEARCH, {"offset": -1}, ("offset",)),
        (assistants.SEARCH, {"select": ["assistant_id", "zz"]}, ("select", 1)),
        (assistants.SEARCH, {"sort_by": "zz"}, ("sort_by",)),
        (assistants.LATEST, {"version": "1"}, ("version",)),
        (assistants.LATEST, {"version": 2**40}, ("version",)),
        (threads.CREATE, {"ttl": 5}, ("ttl",)),
        (threads.CREATE, {"supersteps": [{"updates": [{"values": {}}]}]}, ("supersteps", 0, "updates", 0)),
        (threads.SEARCH, {"ids": ["x"]}, ("ids", 0)),
        (threads.SEARCH, {"status": "sleeping"}, ("status",)),
        (threads.PRUNE, {}, ()),
        (threads.HISTORY, {"limit": 0}, ("limit",)),
        (threads.HISTORY, {"metadata": {"a b": 1}}, None),
        (threads.STATE_AT, {}, ()),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(
    adapter: TypeAdapter[Any], body: Any, path: tuple[str | int, ...] | None
) -> None:
    with pytest.raises(InvalidBodyError) as caught:
        validate(body, adapter)
    if path is not None:
        assert caught.value.path == path
    assert "\n\nOn instance" in str(caught.value)


def test_a_refusal_names_the_value_and_what_would_fit() -> None:
    with pytest.raises(InvalidBodyError, match=r'"x" is not one of .*enqueue'):
        request_of(multitask_strategy="x")
    with pytest.raises(InvalidBodyError, match='"assistant_id" is a required property'):
        validate({}, runs.RUN)


def test_a_refusal_repeats_no_long_or_nested_value() -> None:
    with pytest.raises(InvalidBodyError) as caught:
        request_of(multitask_strategy="s" * 10_000)
    assert len(str(caught.value)) < 500
    with pytest.raises(InvalidBodyError) as caught:
        request_of(metadata=[{"password": "hunter2"}])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"{bad", b"\xff", b"nan", b'"\\ud800"', b"[" * 100_000 + b"]" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        parse_json(data)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 254, 1000])
def test_json_that_is_too_deep_to_be_passed_on_is_refused(levels: int) -> None:
    with pytest.raises(InvalidJsonError):
        parse_json(b"[" * levels + b"]" * levels)
    with pytest.raises(InvalidJsonError):
        parse_json(b'{"a":' * levels + b"1" + b"}" * levels)


def test_json_that_is_wide_or_just_deep_enough_is_taken() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    assert parse_json(b"[" + b",".join([b"{}"] * 10_000) + b"]") == [{}] * 10_000


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_input_reaches_the_run_as_it_was_sent(value: Any) -> None:
    body = validate(parse_json(orjson.dumps({"assistant_id": "a", "input": value})), runs.RUN)
    assert orjson.dumps(body.to_request(thread_id=None, request_id="").input) == orjson.dumps(value)


@pytest.mark.parametrize(
    ("before", "found"),
    [
        (None, None),
        ("c1", {"checkpoint_id": "c1"}),
        ({"checkpoint_id": "c1"}, {"checkpoint_id": "c1"}),
        ({"checkpoint_id": "c1", "thread_id": "t", "checkpoint_ns": ""}, {"checkpoint_id": "c1", "checkpoint_ns": ""}),
        ({"configurable": {"checkpoint_id": "c1", "thread_id": "t"}}, {"checkpoint_id": "c1"}),
        ({"configurable": 5}, None),
    ],
)
def test_before_may_be_an_id_a_checkpoint_or_a_config(before: Any, found: object) -> None:
    assert validate({"before": before}, threads.HISTORY).to_query().before == found


def test_a_graph_may_be_named_beside_the_metadata() -> None:
    body = validate({"graph_id": "g", "metadata": {"a": 1}}, threads.CREATE)
    assert body.all_metadata() == {"graph_id": "g", "a": 1}
