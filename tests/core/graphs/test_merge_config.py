"""A run's configuration, held against a plain account of what it is made of: every key, none lost, none leaked."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from longline.auth.principal import LOCAL, Principal
from longline.auth.secrets import Vault
from longline.graphs.binding import Injected, MergedConfig, merge_config, user_of
from longline.graphs.definition import GraphDefinition
from longline.models.assistants import Assistant

VAULT = Vault(bytes(range(32)))
DESTINATIONS = frozenset({"base_url", "mcp_config", "rag"})
FREE = ["model_name", "system_prompt", "lang", "checkpoint_id", "checkpoint_map"]
SECRET = ["custom_api_key", "apiKeys", "x-team-token", "headers"]
SERVERS = [
    "run_id", "thread_id", "graph_id", "assistant_id", "user_id", "cron_id", "langgraph_request_id",
    "langgraph_auth_user", "langgraph_auth_user_id", "langgraph_auth_permissions", "langgraph_auth_more",
    "__after_seconds__", "__caller_token__", "__pregel_task_id", "__is_for_execution__",
]  # fmt: skip
KEYS = st.sampled_from([*FREE, *DESTINATIONS, *SECRET, *SERVERS])
INNER = st.sampled_from(["name", "url", "headers", "Authorization", "api_key", "tools", "servers", "run_id"])


def values(mark: str) -> st.SearchStrategy[Any]:
    """Any JSON; each text says whose it is, and so do the passwords of its URLs."""
    texts = st.integers(0, 99).map(lambda n: f"{mark}{n}")
    urls = st.integers(0, 99).map(lambda n: f"https://u:{mark}{n}@tools.example/mcp?q=1&token={mark}{n}")
    leaves = st.none() | st.booleans() | st.integers(0, 9) | texts | urls
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(INNER, inner, max_size=2), max_leaves=5
    )


def layer(mark: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(KEYS, values(mark), max_size=5)


def config(mark: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"configurable": layer(mark)},
        optional={
            "tags": st.none() | st.lists(st.sampled_from("xyz"), max_size=3),
            "recursion_limit": st.none() | st.integers(1, 9),
            "max_concurrency": st.none() | st.integers(1, 9),
            "metadata": st.dictionaries(st.sampled_from(["a", "run_id", "graph_id", "assistant_id"]), st.just(mark)),
        },
    )


CASES = st.fixed_dictionaries({
    "defaults": st.dictionaries(st.sampled_from([*FREE, *DESTINATIONS, *SECRET]), values("default-"), max_size=4),
    "assistant": config("assistant-"),
    "assistant_context": layer("assistant-"),
    "run": config("run-"),
    "context": st.none() | layer("run-"),
    "headers": st.dictionaries(KEYS, st.just("header-"), max_size=2),
    "principal": st.just(LOCAL) | st.builds(
        Principal,
        identity=st.sampled_from(["ann", "bob"]),
        permissions=st.just(("read",)),
        token_name=st.sampled_from([None, "x-team-token", "lang"]),
    ),
    "cron_id": st.sampled_from([None, "the-cron"]),
    "checkpoint": st.sampled_from([{}, {"checkpoint_id": "the-place", "thread_id": "evil"}]),
})  # fmt: skip
AT = datetime(2026, 1, 1, tzinfo=UTC)


def sealed(case: dict) -> dict:
    """Each layer as a run's request seals it before it is merged."""
    names = ("defaults", "assistant", "assistant_context", "run", "context", "headers")
    return {**case, **{name: None if case[name] is None else VAULT.seal(case[name]) for name in names}}


def merge(case: dict) -> MergedConfig:
    return merge_config(
        definition=GraphDefinition(
            graph_id="the-graph", origin="test", load=object, defaults=case["defaults"], destinations=DESTINATIONS
        ),
        assistant=Assistant(
            assistant_id="the-assistant", graph_id="the-graph", name="A", description=None, config=case["assistant"],
            context=case["assistant_context"], metadata={"team": "t"}, version=1, created_at=AT, updated_at=AT,
        ),
        config=case["run"],
        context=case["context"],
        metadata={},
        injected=Injected(
            run_id="the-run", thread_id="the-thread", principal=case["principal"], request_id="the-request",
            headers=case["headers"], checkpoint=case["checkpoint"], cron_id=case["cron_id"],
        ),
        strip=VAULT.strip,
    )  # fmt: skip


def by_server(case: dict) -> dict[str, Any]:
    """What nobody but the server says, whatever else is said."""
    principal = case["principal"]
    said = {
        "run_id": "the-run", "thread_id": "the-thread", "graph_id": "the-graph", "assistant_id": "the-assistant",
        "user_id": principal.identity, "langgraph_auth_user": user_of(principal),
        "langgraph_auth_user_id": principal.identity, "langgraph_auth_permissions": list(principal.permissions),
        "langgraph_request_id": "the-request", "__after_seconds__": 0,
    }  # fmt: skip
    if case["cron_id"]:
        said["cron_id"] = case["cron_id"]
    return said | {key: value for key, value in case["checkpoint"].items() if key == "checkpoint_id"}


def redirects(*layers: dict | None) -> bool:
    return any(DESTINATIONS & (layer or {}).keys() for layer in layers)


def is_redirected(case: dict) -> bool:
    """Whether the run says where secrets are sent."""
    return redirects(case["run"]["configurable"], case["context"], case["headers"])


def expected(case: dict) -> dict[str, Any]:
    """The account: of all who may name a key, the last one in this order is heard."""
    defaults, theirs = case["defaults"], case["assistant"]["configurable"]
    if is_redirected(case) or redirects(theirs, case["assistant_context"]):
        defaults = VAULT.strip(defaults)
    if is_redirected(case):
        theirs = VAULT.strip(theirs)
    found: dict[str, Any] = {}
    for said in (defaults, theirs, case["run"]["configurable"], case["context"] or {}, case["headers"]):
        found |= {key: value for key, value in said.items() if key not in SERVERS}
    found |= by_server(case)
    found.pop(case["principal"].token_name, None)
    return found


def expected_context(case: dict) -> dict[str, Any]:
    theirs = VAULT.strip(case["assistant_context"]) if is_redirected(case) else case["assistant_context"]
    over = {key: value for key, value in case["run"]["configurable"].items() if key in case["assistant_context"]}
    given_by_callers = {**theirs, **over, **(case["context"] or {})}
    found = {key: value for key, value in given_by_callers.items() if key not in SERVERS}
    names = set(SERVERS) - {key for key in SERVERS if key.startswith(("__", "langgraph_auth_"))}
    if not case["principal"].is_authenticated:
        names.remove("user_id")
        found |= {key: value for key, value in given_by_callers.items() if key == "user_id"}
    found |= {key: value for key, value in by_server(case).items() if key in names & given_by_callers.keys()}
    found.pop(case["principal"].token_name, None)
    return found


@given(CASES)
def test_every_value_is_that_of_the_highest_who_names_it_and_none_is_lost(case: dict) -> None:
    case = sealed(case)
    event(f"redirected: {is_redirected(case)}")
    assert merge(case).config["configurable"] == expected(case)


@given(CASES)
def test_the_context_is_the_assistants_with_what_the_run_says_and_the_servers_names(case: dict) -> None:
    case = sealed(case)
    assert (merge(case).context or {}) == expected_context(case)


@given(CASES, st.sampled_from([*FREE, *DESTINATIONS, *SECRET]), values("run-"))
def test_a_run_may_override_whatever_its_assistant_set(case: dict, key: str, value: object) -> None:
    assume(key not in case["headers"] and key != case["principal"].token_name and key not in case["checkpoint"])
    case["assistant"]["configurable"][key] = case["assistant_context"][key] = "assistant-1"
    case["run"]["configurable"][key], case["context"] = value, None
    case = sealed(case)
    merged = merge(case)
    assert merged.config["configurable"][key] == case["run"]["configurable"][key]
    assert (merged.context or {})[key] == case["run"]["configurable"][key]


@given(CASES, st.sampled_from(SERVERS), st.sampled_from(["assistant", "run", "context", "headers"]))
def test_nobody_speaks_for_the_server(case: dict, key: str, who: str) -> None:
    if who in ("assistant", "run"):
        case[who]["configurable"][key] = case["assistant_context"][key] = "forged"
    else:
        case[who] = {**(case[who] or {}), key: "forged"}
    merged = merge(case)
    assert "forged" not in json.dumps(merged.config)
    context = dict(merged.context or {})
    if not case["principal"].is_authenticated:  # nobody knows better than the caller who the user is
        context.pop("user_id", None)
    assert "forged" not in json.dumps(context)


@given(CASES)
def test_merging_depends_on_nothing_but_what_is_merged_and_changes_none_of_it(case: dict) -> None:
    case = sealed(case)
    before = copy.deepcopy(case)
    merged = merge(case)
    assert case == before
    assert merge(before) == merged

    def backwards(value: Any) -> Any:
        if not isinstance(value, dict):
            return [backwards(item) for item in value] if isinstance(value, list) else value
        return {key: backwards(item) for key, item in reversed(value.items())}

    names = ("defaults", "assistant", "assistant_context", "run", "context", "headers")
    assert merge({**case, **{name: backwards(case[name]) for name in names}}) == merged


def texts_of(merged: MergedConfig) -> str:
    """All that a graph is given, in clear."""
    return json.dumps([VAULT.open_in_clear(merged.config["configurable"]), VAULT.open_in_clear(merged.context or {})])


def marked(value: Any, *, is_below: bool = False) -> Any:
    """The layer with one word for each of its secrets: below the names of some, and in URLs."""
    if isinstance(value, dict):
        return {key: marked(item, is_below=is_below or VAULT.is_secret(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [marked(item, is_below=is_below) for item in value]
    if isinstance(value, str) and "://" in value:
        return "https://u:a-secret@tools.example/mcp?q=1&token=a-secret"
    return "a-secret" if is_below and isinstance(value, str) else value


@given(CASES)
def test_a_run_that_says_where_secrets_are_sent_gets_none_but_its_own(case: dict) -> None:
    assume(is_redirected(case))
    case |= {name: marked(case[name]) for name in ("defaults", "assistant", "assistant_context")}
    event(f"secrets at stake: {'a-secret' in json.dumps([case['defaults'], case['assistant']])}")
    assert "a-secret" not in texts_of(merge(sealed(case)))


@given(CASES)
def test_an_assistant_that_says_where_secrets_are_sent_gets_none_of_the_defaults(case: dict) -> None:
    assume(redirects(case["assistant"]["configurable"], case["assistant_context"]))
    case["defaults"] = {"custom_api_key": "default-secret", "apiKeys": {"a": ["default-secret"]}}
    assert "default-secret" not in texts_of(merge(sealed(case)))


@given(CASES)
def test_a_run_that_sends_nothing_elsewhere_has_the_secrets_of_its_assistant(case: dict) -> None:
    assume(not is_redirected(case))
    case["assistant"]["configurable"]["apiKeys"] = {"odd name": [{"deep": "assistant-secret"}]}
    case["run"]["configurable"].pop("apiKeys", None)
    assume("apiKeys" not in {**(case["context"] or {}), **case["headers"]})
    assert "assistant-secret" in texts_of(merge(sealed(case)))


def test_secrets_are_taken_out_at_any_depth_and_nothing_else() -> None:
    servers = [
        {"name": "büro", "url": "https://u:pw@tools.example/mcp?a=1&key=k", "headers": {"X-Any": "h"}, "tools": ["t"]},
        {"name": "b", "url": "https://plain.example/mcp", "env": [{"API_KEY": "k", "LANG": "de"}]},
    ]
    case = {
        "defaults": {"apiKeys": {"OPENAI_API_KEY": "sk"}, "lang": "de"},
        "assistant": {"configurable": {"mcp_config": {"servers": servers}, "custom_api_key": "sk", "lang": "fr"}},
        "run": {"configurable": {"base_url": "https://elsewhere.example", "apiKeys": {"A": "own"}}},
        "assistant_context": {}, "context": None, "headers": {}, "principal": LOCAL, "cron_id": None, "checkpoint": {},
    }  # fmt: skip
    configurable = VAULT.open_in_clear(merge(sealed(case)).config["configurable"])
    assert {key: value for key, value in configurable.items() if key not in SERVERS} == {
        "mcp_config": {
            "servers": [
                {"name": "büro", "url": "https://tools.example/mcp?a=1", "tools": ["t"]},
                {"name": "b", "url": "https://plain.example/mcp", "env": [{"LANG": "de"}]},
            ]
        },
        "lang": "fr",
        "base_url": "https://elsewhere.example",
        "apiKeys": {"A": "own"},
    }
