"""Of the keys that an assistant's source fixes nobody speaks but the assistant."""

from dataclasses import replace

from hypothesis import given
from tests.core.graphs.layers import CASES, RESERVED, merge

from longline.auth.principal import Principal
from longline.graphs.binding import Injected

MISSING = object()


@given(CASES)
def test_of_what_is_fixed_nobody_speaks_but_the_assistant(case) -> None:
    silent = {
        **case, "own": {}, "context": None,
        "injected": replace(case["injected"], headers={}),
    }  # fmt: skip
    merged, alone = merge({**case, "destinations": frozenset()}), merge({**silent, "destinations": frozenset()})
    for name in case["injected"].fixed:
        if name in RESERVED:
            continue
        meant = alone.config["configurable"].get(name, MISSING)
        assert merged.config["configurable"].get(name, MISSING) == meant
        in_context = (alone.context or {}).get(name, MISSING)
        assert (merged.context or {}).get(name, MISSING) in (in_context, meant)
        if in_context is not MISSING:
            assert (merged.context or {})[name] == in_context


def test_what_is_fixed_stands_in_a_runs_context_as_the_assistant_says() -> None:
    case = {
        "defaults": {}, "theirs": {"configurable": {"team": "a"}}, "theirs_context": {}, "theirs_metadata": {},
        "own": {"configurable": {"club": "b", "lang": "de"}}, "context": {"team": "b", "club": "b", "lang": "fr"},
        "metadata": {}, "destinations": frozenset(),
        "injected": Injected(
            run_id="r", thread_id="t", principal=Principal(identity="bob"), request_id="q",
            headers={"team": "c"}, fixed=frozenset({"team", "club"}),
        ),
    }  # fmt: skip
    merged = merge(case)
    assert {**merged.config["configurable"], "team": "a", "lang": "fr"} == merged.config["configurable"]
    assert "club" not in merged.config["configurable"]
    assert merged.context == {"team": "a", "lang": "fr"}
