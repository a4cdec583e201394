"""The layers of a run's configuration win in order, and nobody speaks for the server."""

import copy

from hypothesis import given
from tests.core.graphs.layers import (
    CASES,
    SERVERS,
    TOKENS,
    configurable_of,
    free_of,
    merge,
    redirecting,
    server_values,
    without_secrets,
)  # fmt: skip

from longline.auth.principal import Principal
from longline.graphs.binding import Injected


@given(CASES)
def test_what_the_server_says_stands_whatever_anybody_says(case) -> None:
    configurable = merge(case).config["configurable"]
    assert {name: configurable[name] for name in SERVERS} == server_values(case["injected"])


@given(CASES)
def test_no_other_name_of_the_servers_or_of_langgraph_gets_in(case) -> None:
    configurable = merge(case).config["configurable"]
    taken = {name for name in configurable if name.startswith(("__", "langgraph_auth_"))}
    assert taken <= set(SERVERS)


@given(CASES)
def test_of_the_layers_the_highest_that_names_a_value_wins(case) -> None:
    configurable = merge(case).config["configurable"]
    own, theirs = configurable_of(case["own"]), configurable_of(case["theirs"])
    is_redirected = bool(case["destinations"] & redirecting(case))
    is_elsewhere = is_redirected or bool(case["destinations"] & {*theirs, *case["theirs_context"]})
    defaults = without_secrets(case["defaults"]) if is_elsewhere else case["defaults"]
    theirs = without_secrets(theirs) if is_redirected else theirs
    for name in free_of(case):
        layers = [layer[name] for layer in (defaults, theirs, own, case["context"] or {}) if name in layer]
        assert (name in configurable) == bool(layers)
        assert configurable.get(name) == (layers[-1] if layers else None)


def test_a_header_that_sets_a_destination_gets_no_secret_of_the_assistant() -> None:
    case = {
        "defaults": {}, "theirs": {"configurable": {"api_key": "k", "model": "m"}}, "theirs_context": {"api_key": "k"},
        "theirs_metadata": {}, "own": {}, "context": None, "metadata": {}, "destinations": frozenset({"base_url"}),
        "injected": Injected(
            run_id="r", thread_id="t", principal=Principal(identity="bob"), request_id="q",
            headers={"base_url": "https://elsewhere.test"},
        ),
    }  # fmt: skip
    merged = merge(case)
    assert merged.config["configurable"]["base_url"] == "https://elsewhere.test"
    assert merged.config["configurable"]["model"] == "m"
    assert "api_key" not in {**merged.config["configurable"], **(merged.context or {})}


@given(CASES)
def test_only_headers_that_are_nobodys_names_reach_the_graph(case) -> None:
    headers = case["injected"].headers if case["injected"].principal.token_name != "x-foo" else {}
    assert merge(case).config["configurable"].get("x-foo") == headers.get("x-foo")


@given(CASES)
def test_nothing_is_left_where_graphs_expect_the_callers_token(case) -> None:
    merged = merge(case)
    for values in (merged.config["configurable"], merged.context or {}):
        assert case["injected"].principal.token_name not in values


def test_a_name_that_is_expected_of_no_caller_is_free() -> None:
    case = {
        "defaults": {}, "theirs": {}, "theirs_context": {}, "theirs_metadata": {}, "metadata": {},
        "own": {"configurable": {TOKENS: "mine"}}, "context": {TOKENS: "mine"}, "destinations": frozenset(),
        "injected": Injected(run_id="r", thread_id="t", principal=Principal(identity="bob"), request_id="q"),
    }  # fmt: skip
    merged = merge(case)
    assert merged.config["configurable"][TOKENS] == "mine"
    assert merged.context == {TOKENS: "mine"}


@given(CASES)
def test_the_point_to_start_from_is_all_that_a_checkpoint_says(case) -> None:
    configurable = merge(case).config["configurable"]
    for name in ("checkpoint_id", "checkpoint_ns", "checkpoint_map"):
        assert configurable.get(name) == case["injected"].checkpoint.get(name)


@given(CASES)
def test_a_runs_context_wins_over_its_assistants(case) -> None:
    theirs, own = case["theirs_context"], case["context"] or {}
    is_redirected = bool(case["destinations"] & redirecting(case))
    overridden = {key: value for key, value in configurable_of(case["own"]).items() if key in theirs}
    given_context = {**(without_secrets(theirs) if is_redirected else theirs), **overridden, **own}
    context = merge(case).context or {}
    for name in free_of(case):
        assert context.get(name) == given_context.get(name)
        assert (name in context) == (name in given_context)


@given(CASES)
def test_a_name_of_the_servers_in_a_context_means_the_servers_value(case) -> None:
    """A graph may well have a `user_id` in its context schema; it must be able to trust it."""
    given_context = {**case["theirs_context"], **(case["context"] or {})}
    context = merge(case).context or {}
    assert not {name for name in context if name.startswith(("__", "langgraph_auth_"))}
    for name in ("run_id", "thread_id", "graph_id", "assistant_id"):
        assert context.get(name) == (server_values(case["injected"])[name] if name in given_context else None)
    if case["injected"].principal.is_authenticated:
        expected = case["injected"].principal.identity if "user_id" in given_context else None
        assert context.get("user_id") == expected
    else:
        assert context.get("user_id") == given_context.get("user_id")


@given(CASES)
def test_no_context_given_is_no_context(case) -> None:
    case = {**case, "context": None, "theirs_context": {}}
    assert merge(case).context is None


@given(CASES)
def test_only_known_options_pass_and_the_runs_win(case) -> None:
    config = merge(case).config
    assert set(config) <= {"configurable", "metadata", "tags", "recursion_limit", "max_concurrency"}
    for option in ("recursion_limit", "max_concurrency"):
        said = [layer[option] for layer in (case["theirs"], case["own"]) if layer.get(option) is not None]
        assert config.get(option) == (said[-1] if said else None)


@given(CASES)
def test_metadata_is_joined_and_names_the_run_that_runs(case) -> None:
    metadata = merge(case).config["metadata"]
    layers = [
        case["theirs_metadata"],
        case["own"].get("metadata", {}),
        case["metadata"],
        {"graph_id": "the-graph", "assistant_id": "the-assistant", "run_id": "the-run"},
        {"forked_from": place} if (place := case["injected"].checkpoint.get("checkpoint_id")) else {},
    ]
    assert metadata == {name: value for layer in layers for name, value in layer.items()}


@given(CASES)
def test_tags_of_both_are_kept_once_in_order(case) -> None:
    tags = [*(case["theirs"].get("tags") or []), *(case["own"].get("tags") or [])]
    assert merge(case).config.get("tags", []) == sorted(set(tags), key=tags.index)


@given(CASES)
def test_merging_changes_none_of_its_inputs(case) -> None:
    before = copy.deepcopy(case)
    merge(case)
    assert case == before
