"""Layers of a run's configuration, drawn at random, and what they are merged to."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from longline.auth.principal import LOCAL, Principal
from longline.auth.secrets import Vault
from longline.graphs.binding import Injected, MergedConfig, merge_config, user_of
from longline.graphs.definition import GraphDefinition
from longline.models.assistants import Assistant

FREE = ["model_name", "system_prompt", "mcp_config", "base_url", "api_key", "lang"]
TOKENS = "x-team-token"
SERVERS = [
    "run_id", "thread_id", "graph_id", "assistant_id", "user_id", "langgraph_auth_user", "langgraph_auth_user_id",
    "langgraph_auth_permissions", "langgraph_request_id", "__after_seconds__",
]  # fmt: skip
RESERVED = [*SERVERS, "__pregel_task_id", "__is_for_execution__", "langgraph_auth_anything"]
NAMES = st.sampled_from([*FREE, *RESERVED, TOKENS])
VALUES = (
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=4) | st.dictionaries(NAMES, st.text(max_size=2))
)
LAYER = st.dictionaries(NAMES, VALUES, max_size=6)
METADATA = st.dictionaries(st.sampled_from(["owner", "run_id", "graph_id", "a"]), st.text(max_size=3), max_size=3)
TAGS = st.lists(st.sampled_from(["x", "y", "z"]), max_size=3)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "configurable": LAYER | st.just("not an object"),
        "metadata": METADATA,
        "tags": TAGS | st.none(),
        "recursion_limit": st.none() | st.integers(1, 50),
        "max_concurrency": st.none() | st.integers(1, 50),
        "run_id": st.text(max_size=3),
        "callbacks": st.just(["x"]),
        "store": st.just("mine"),
    },
)
PRINCIPALS = st.just(LOCAL) | st.builds(
    Principal,
    identity=st.text(min_size=1, max_size=5),
    display_name=st.text(min_size=1, max_size=5),
    permissions=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    organizations=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    claims=st.dictionaries(st.sampled_from(["email", "role", "team"]), VALUES, max_size=2),
    token=st.none() | st.text(max_size=5),
    token_name=st.none() | st.sampled_from([TOKENS, "lang", "x-foo"]),
)
SERVER_VALUES = st.builds(
    Injected,
    run_id=st.just("the-run"),
    thread_id=st.just("the-thread"),
    principal=PRINCIPALS,
    request_id=st.just("the-request"),
    after_seconds=st.sampled_from([0, 1.5]),
    headers=st.dictionaries(
        st.sampled_from(["x-foo", "lang", "user_id", "langgraph_auth_user", "__pregel_x"]), st.text(max_size=3)
    ),
    fixed=st.just(frozenset()) | st.frozensets(NAMES, max_size=3),
    checkpoint=st.dictionaries(
        st.sampled_from(["checkpoint_id", "checkpoint_ns", "checkpoint_map", *SERVERS]), st.text(max_size=3)
    ),
)
CASES = st.fixed_dictionaries(
    {
        "defaults": st.dictionaries(st.sampled_from(FREE), VALUES, max_size=3),
        "theirs": CONFIGS,
        "theirs_context": LAYER,
        "theirs_metadata": METADATA,
        "own": CONFIGS,
        "context": st.none() | LAYER,
        "metadata": METADATA,
        "injected": SERVER_VALUES,
        "destinations": st.just(frozenset()) | st.just(frozenset({"base_url"})),
    }
)


def merge(case: dict) -> MergedConfig:
    assistant = Assistant(
        assistant_id="the-assistant",
        graph_id="the-graph",
        name="A",
        description=None,
        config=case["theirs"],
        context=case["theirs_context"],
        metadata=case["theirs_metadata"],
        version=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return merge_config(
        definition=GraphDefinition(
            graph_id="the-graph",
            origin="test",
            load=object,
            defaults=case["defaults"],
            destinations=case["destinations"],
        ),
        assistant=assistant,
        config=case["own"],
        context=case["context"],
        metadata=case["metadata"],
        injected=case["injected"],
        strip=Vault(None).strip,
    )


def configurable_of(config: dict) -> dict:
    found = config.get("configurable")
    return found if isinstance(found, dict) else {}


def free_of(case: dict) -> list[str]:
    """The names at which nobody expects the caller's token, and which a run may set."""
    taken = {case["injected"].principal.token_name, *case["injected"].fixed, *case["injected"].headers}
    return [name for name in FREE if name not in taken]


def redirecting(case: dict) -> set[str]:
    """The names that the run's values and headers set."""
    said = {*configurable_of(case["own"]), *(case["context"] or {}), *case["injected"].headers}
    return said - case["injected"].fixed


def without_secrets(values: dict) -> dict:
    """What a run that is sent elsewhere gets of an assistant: two of the names in these layers are those of secrets."""
    return {
        key: without_secrets(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if key not in ("api_key", TOKENS)
    }


def server_values(injected: Injected) -> dict[str, object]:
    return {
        "run_id": "the-run",
        "thread_id": "the-thread",
        "graph_id": "the-graph",
        "assistant_id": "the-assistant",
        "user_id": injected.principal.identity,
        "langgraph_auth_user": user_of(injected.principal),
        "langgraph_auth_user_id": injected.principal.identity,
        "langgraph_auth_permissions": list(injected.principal.permissions),
        "langgraph_request_id": "the-request",
        "__after_seconds__": injected.after_seconds,
    }
