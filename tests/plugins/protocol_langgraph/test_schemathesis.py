"""Every operation of `/openapi.json`, with data that fits its schemas and data that does not, against a real server."""

import os
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.plugins.protocol_langgraph.graphs import asking, chat, counting, failing, nested, seeing
from tests.plugins.protocol_langgraph.threaded import serve_in_thread

from longline_protocol_langgraph.openapi.document import SECTIONS

EXAMPLES = int(os.environ.get("LONGLINE_SCHEMATHESIS_EXAMPLES", "12"))
"""How many requests each operation gets in the long run, well-formed and not."""
ENDLESS = {"/threads/{thread_id}/stream": "get", "/threads/{thread_id}/stream/events": "post"}
"""Streams that end when the client leaves: they have tests of their own."""
OPERATIONS = [
    (path, method.lower())
    for section in SECTIONS
    for path, methods in section.paths.items()
    for method in methods
    if path not in ENDLESS
]
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection, positive_data_acceptance, unsupported_method,
]  # fmt: skip
GRAPHS = {
    "count": counting(), "chat": chat(), "ask": asking(), "fail": failing(), "nested": nested(), "see": seeing()
}  # fmt: skip
RIGHT = {"webhook": "https://hooks.example/run", "schedule": "0 0 1 1 *", "timezone": "UTC"}
"""Texts that are looked at more closely than a schema can say."""
SAID_ELSEWHERE = {"/assistants/{assistant_id}/latest"}
"""What may be said in the body or in the query, and must be said once."""
UNTYPED = {("/store/items", "put"), ("/store/items", "delete")}
"""What refuses names in plain text without a content type, as clients know it."""
THREAD = str(uuid.UUID(int=7))
ASSISTANT = str(uuid.UUID(int=8))


everywhere = pytest.mark.parametrize(
    ("path", "method", "mode"),
    [(path, method, mode) for path, method in OPERATIONS for mode in GenerationMode],
    ids=lambda part: part.value if isinstance(part, GenerationMode) else part,
)
# The server is in this process and takes random numbers while requests are made up.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")


class Target:
    """The server, and what a request needs to find something there."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30)
        self.run_id = ""
        self._links: list[str] = []

    def prepare(self, case: Any, *, is_well_formed: bool) -> None:
        """Half of the well-formed ids are those of things that are there, and what is no matter of form is right."""
        known = case.path_parameters or {}
        if "thread_id" in known and _is_taken(known["thread_id"]):
            known["thread_id"] = self._thread()
        if "run_id" in known and _is_taken(known["run_id"]):
            known["run_id"] = self._run()
        if is_well_formed and "token" in known:
            known["token"] = self._token()
        if "assistant_id" in known and _is_taken(known["assistant_id"]):
            known["assistant_id"] = self._assistant()
        for body in case.body if isinstance(case.body, list) else [case.body]:
            _at_once(body)
            if is_well_formed and isinstance(body, dict):
                body.update({name: text for name, text in RIGHT.items() if isinstance(body.get(name), str)})

    def _thread(self) -> str:
        self.client.post("/threads", json={"thread_id": THREAD, "if_exists": "do_nothing", "graph_id": "count"})
        return THREAD

    def _run(self) -> str:
        found = self.client.get(f"/threads/{self._thread()}/runs", params={"limit": 1}).json()
        if not found:
            body = {"assistant_id": "count", "input": {"x": 1}, "stream_resumable": True}
            self.client.post(f"/threads/{THREAD}/runs/wait", json=body)
            found = self.client.get(f"/threads/{THREAD}/runs", params={"limit": 1}).json()
        return str(found[0]["run_id"])

    def _token(self) -> str:
        if not self._links:
            body = {"assistant_id": "count", "input": {"x": 1}, "feedback_keys": ["thumbs"]}
            self._links += re.findall(
                r"/feedback/tokens/([0-9a-f-]+)", self.client.post("/runs/stream", json=body).text
            )
        return self._links[0]

    def _assistant(self) -> str:
        body = {"assistant_id": ASSISTANT, "graph_id": "nested", "if_exists": "do_nothing"}
        self.client.post("/assistants", json=body)
        return ASSISTANT


def _is_taken(value: Any) -> bool:
    try:
        return uuid.UUID(value).int % 2 == 0
    except (ValueError, AttributeError, TypeError):
        return False


def _at_once(body: Any) -> None:
    """No run of these tests waits for years."""
    if isinstance(body, dict) and isinstance(body.get("after_seconds"), int | float) and body["after_seconds"] > 0:
        body["after_seconds"] = min(body["after_seconds"], 10**9) // 10**9


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with serve_in_thread(tmp_path_factory.mktemp("schemathesis"), GRAPHS) as url:
        target = Target(url)
        with target.client:
            yield target


@pytest.fixture(scope="module")
def api(target: Target) -> Any:
    schema = schemathesis.openapi.from_url(f"{target.client.base_url}/openapi.json")
    acceptance = schema.config.checks.positive_data_acceptance
    acceptance.expected_statuses = [*acceptance.expected_statuses, "400"]  # it fits its schema and contradicts itself
    return schema


@everywhere
def test_every_answer_is_as_described(path: str, method: str, mode: GenerationMode, api: Any, target: Target) -> None:
    check(api[path][method], mode, target, examples=2)


@pytest.mark.slow
@pytest.mark.timeout(600)
@everywhere
def test_every_one_of_many_answers_is_as_described(
    path: str, method: str, mode: GenerationMode, api: Any, target: Target
) -> None:
    check(api[path][method], mode, target, examples=EXAMPLES)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), ENDLESS.items())
def test_a_stream_without_end_begins_as_described(
    path: str, method: str, mode: GenerationMode, api: Any, target: Target
) -> None:
    operation = api[path][method]
    described = operation.definition.raw["responses"]

    @given(operation.as_strategy(generation_mode=mode))
    @settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def every_beginning(case: Any) -> None:
        target.prepare(case, is_well_formed=mode is GenerationMode.POSITIVE)
        request = case.as_transport_kwargs(base_url=str(target.client.base_url).rstrip("/"))
        with requests.Session() as session, session.request(**request, stream=True, timeout=30) as answer:
            assert str(answer.status_code) in described
            assert answer.status_code < 500
            kind = "text/event-stream" if answer.ok else "application/json"
            assert answer.headers["content-type"].startswith(kind)
            assert answer.ok or set(answer.json()) == {"detail"}
            assert not (answer.ok and _is_refusable(case, mode))

    every_beginning()


def _is_refusable(case: Any, mode: GenerationMode) -> bool:
    """Whether there is something wrong that no server may overlook: an id that is none."""
    return mode is GenerationMode.NEGATIVE and not re.fullmatch(
        "[0-9a-fA-F-]{36}", str(case.path_parameters["thread_id"])
    )


def check(operation: Any, mode: GenerationMode, target: Target, *, examples: int) -> None:
    if not _takes_anything(operation):
        mode = GenerationMode.POSITIVE  # there is nothing to get wrong
    left_out = {response_schema_conformance} if _is_stream(operation) else set()
    if operation.path in SAID_ELSEWHERE:
        left_out.add(positive_data_acceptance)
    if (operation.path, operation.method) in UNTYPED:
        left_out |= {content_type_conformance, response_schema_conformance}
    checks = [check for check in CHECKS if check not in left_out]

    @given(operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def every_answer(case: Any) -> None:
        target.prepare(case, is_well_formed=mode is GenerationMode.POSITIVE)
        case.call_and_validate(checks=checks, timeout=30)

    every_answer()


def _is_stream(operation: Any) -> bool:
    """Its frames are read one by one elsewhere: a schema of the whole text says nothing of them."""
    return "text/event-stream" in operation.definition.raw["responses"].get("200", {}).get("content", {})


def _takes_anything(operation: Any) -> bool:
    return bool(operation.body) or any(True for _ in operation.iter_parameters())
