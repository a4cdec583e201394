"""The contract of filters: a storage that filters in its own language finds what `filters.matches` finds."""

from collections.abc import Sequence

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longline.ids import new_id
from longline.models.assistants import AssistantQuery
from longline.models.filters import AllOf, AnyOf, ContainsAll, Equals, Filter, Missing, matches
from longline.models.json import JsonObject, JsonValue
from longline.models.threads import ThreadQuery, ThreadState, ThreadStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import moment, sample_assistant, sample_thread

_KEYS = st.sampled_from(["a", "b", "it's", 'q"q', "b\\s", "x.y", "$", "a[0]", "ünï", "", " ", "#-1", "%", "?"])
# NUL, and what a storage whose own JSON has none may write for it.
_TEXTS = st.sampled_from(
    [
        "",
        "a",
        "1",
        "true",
        "null",
        "[]",
        "it's",
        'q"q',
        "ü",
        "%",
        '{"a":1}',
        "\0",
        "a\0b",
        "\\u0000",
        "\ue000",
        "\ue0000",
    ]
) | st.text(st.characters(codec="utf-8"), max_size=3)
_NUMBERS = st.sampled_from(
    [0, 1, 1.0, -1, 0.1, 1e300, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, float(2**63), 9223372036854776000, 1e16]
) | st.integers(-3, 3)
_SCALARS = st.none() | st.booleans() | _NUMBERS | _TEXTS
_VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=5,
)
_DOCUMENTS: st.SearchStrategy[JsonObject] = st.dictionaries(_KEYS, _VALUES, max_size=4)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[JsonObject], Filter]:
    """Some documents, and a filter that often speaks of what is in them."""
    documents = draw(st.lists(_DOCUMENTS, min_size=1, max_size=4))
    members = [(key, value) for document in documents for key, value in document.items()]
    known = st.sampled_from(members) if members else st.tuples(_KEYS, _VALUES)
    member = known | st.tuples(_KEYS, _VALUES)
    equals = member.map(lambda pair: Equals(*pair))
    contains = st.builds(ContainsAll, _KEYS, st.lists(_SCALARS, max_size=2).map(tuple))
    listed = member.map(lambda pair: ContainsAll(pair[0], tuple(pair[1]) if isinstance(pair[1], list) else (pair[1],)))
    filters = st.recursive(
        equals | contains | listed | member.map(lambda pair: Missing(pair[0])),
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda parts: AllOf(tuple(parts)))
            | st.lists(inner, max_size=3).map(lambda parts: AnyOf(tuple(parts)))
        ),
        max_leaves=4,
    )
    return documents, draw(filters)


def _expected(ids: Sequence[str], documents: Sequence[JsonObject], wanted: Filter) -> set[str]:
    return {key for key, document in zip(ids, documents, strict=True) if matches(wanted, document)}


@pytest.mark.anyio
class FilterContract:
    """Filters on metadata and values, wherever a storage applies them."""

    # The storage outlives the examples: each looks only at what it made itself.
    @settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(case=_cases())
    async def test_threads_are_filtered_as_the_model_says(
        self, storage: Storage, case: tuple[list[JsonObject], Filter]
    ) -> None:
        documents, wanted = case
        ids = [new_id() for _ in documents]
        for thread_id, document in zip(ids, documents, strict=True):
            await storage.threads.create(sample_thread(thread_id, metadata=document))
            state = ThreadState(status=ThreadStatus.IDLE, values=orjson.dumps(document))
            await storage.threads.set_state(thread_id, state, at=moment())
        expected = _expected(ids, documents, wanted)
        for query in (
            ThreadQuery(metadata=wanted, thread_ids=ids),
            ThreadQuery(visible=wanted, thread_ids=ids),
            ThreadQuery(values=wanted, thread_ids=ids),
        ):
            page = await storage.threads.search(query)
            assert {thread.thread_id for thread in page.items} == expected
            assert page.total == len(expected)

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(case=_cases())
    async def test_assistants_are_filtered_as_the_model_says(
        self, storage: Storage, case: tuple[list[JsonObject], Filter]
    ) -> None:
        documents, wanted = case
        ids = [new_id() for _ in documents]
        graph_id = new_id()
        for assistant_id, document in zip(ids, documents, strict=True):
            await storage.assistants.create(sample_assistant(assistant_id, graph_id=graph_id, metadata=document))
        page = await storage.assistants.search(AssistantQuery(metadata=wanted, graph_id=graph_id))
        assert {assistant.assistant_id for assistant in page.items} == _expected(ids, documents, wanted)

    async def test_a_filter_of_many_parts_is_applied(self, storage: Storage) -> None:
        document: JsonObject = {f"k{number}": "v" for number in range(3_000)}
        made = await storage.threads.create(sample_thread(metadata=document))
        parts = tuple(Equals(key, value) for key, value in document.items())
        page = await storage.threads.search(ThreadQuery(metadata=AllOf(parts)))
        assert [thread.thread_id for thread in page.items] == [made.thread_id]
        missed = await storage.threads.search(ThreadQuery(metadata=AllOf((*parts, Equals("other", 1)))))
        assert missed.total == 0
