"""MUST requirements of A2A 1.0 on the data model: sections 4 and 5, over both bindings.

Each test names the requirements of the conformance suite (branch 1.0-dev) that it stands for."""

import re
from collections.abc import Iterator

import pytest
from a2a.types import ListTasksResponse, SendMessageResponse, Task, TaskState
from a2a.utils.proto_utils import validate_proto_required_fields
from google.protobuf.json_format import ParseDict
from tests.plugins.protocol_a2a.wires import Json, Wire, said

CASES = (
    "complete-task",
    "artifact-text",
    "artifact-file",
    "artifact-file-url",
    "artifact-data",
    "message-response",
    "input-required",
    "reject-task",
)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _sent(wire: Wire, case: str) -> Json:
    answer = wire.send(said(case))
    assert answer.result is not None, answer.error
    return answer.result


def _objects(value: object) -> Iterator[Json]:
    """Every object within, those of the caller's own data apart."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key not in ("data", "metadata"):
                yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_what_the_definition_says(wire: Wire, case: str) -> None:
    """DM-TASK-001, DM-MSG-001, DM-ART-001, DM-STATUS-001, DM-SERIAL-004: no field that is none of the definition's,
    and each required one, lists of them with an element at least."""
    parsed = ParseDict(_sent(wire, case), SendMessageResponse())
    validate_proto_required_fields(parsed)
    if parsed.HasField("task"):
        assert parsed.task.id
        assert parsed.task.context_id
        assert parsed.task.status.state
        validate_proto_required_fields(ParseDict(wire.get(parsed.task.id).task, Task()))
        listed = wire.list(contextId=parsed.task.context_id, includeArtifacts=True).result
        for task in ParseDict(listed, ListTasksResponse()).tasks:
            validate_proto_required_fields(task)


@pytest.mark.parametrize(
    ("case", "state"),
    [("complete-task", "COMPLETED"), ("input-required", "INPUT_REQUIRED"), ("reject-task", "REJECTED")],
)
def test_a_state_is_one_of_the_definitions(wire: Wire, case: str, state: str) -> None:
    """DM-TASK-002, DM-SERIAL-002: states are the names of the enumeration."""
    name = _sent(wire, case)["task"]["status"]["state"]
    assert name == f"TASK_STATE_{state}"
    assert name in TaskState.keys()  # noqa: SIM118  # an enumeration of protobuf, no mapping


@pytest.mark.parametrize("case", CASES)
def test_a_role_is_user_or_agent(wire: Wire, case: str) -> None:
    """DM-MSG-002, DM-SERIAL-002: roles are the names of the enumeration."""
    roles = {found["role"] for found in _objects(_sent(wire, case)) if "messageId" in found}
    assert roles
    assert roles <= {"ROLE_USER", "ROLE_AGENT"}


@pytest.mark.parametrize(
    ("case", "kind", "part"),
    [
        ("artifact-text", "text", {"text": "Generated text content"}),
        (
            "artifact-file",
            "raw",
            {"raw": "b3V0cHV0IG9mIHRoZSBhZ2VudA==", "filename": "output.txt", "mediaType": "text/plain"},
        ),
        (
            "artifact-file-url",
            "url",
            {"url": "https://example.com/output.txt", "filename": "output.txt", "mediaType": "text/plain"},
        ),
        ("artifact-data", "data", {"data": {"key": "value", "count": 42}}),
    ],
)
def test_a_part_has_one_content(wire: Wire, case: str, kind: str, part: Json) -> None:
    """DM-PART-001, DM-ART-001: a part has exactly one of text, raw, url and data; an artifact an id and parts."""
    (artifact,) = _sent(wire, case)["task"]["artifacts"]
    assert artifact["artifactId"]
    (found,) = artifact["parts"]
    assert {key: found[key] for key in part} == part
    assert {"text", "raw", "url", "data"} & set(found) == {kind}


@pytest.mark.parametrize("case", CASES)
def test_names_are_in_camel_case(wire: Wire, case: str) -> None:
    """DM-SERIAL-001: no name of a field has an underscore."""
    assert [key for found in _objects(_sent(wire, case)) for key in found if "_" in key] == []


def test_times_are_in_utc(wire: Wire) -> None:
    """DM-SERIAL-003: times are ISO 8601 and end in Z."""
    task = _sent(wire, "complete-task")["task"]
    stamps = [task["status"]["timestamp"], wire.get(task["id"]).task["status"]["timestamp"]]
    assert all(_TIMESTAMP.fullmatch(stamp) for stamp in stamps), stamps


def test_data_goes_in_and_out_unchanged(wire: Wire) -> None:
    """DM-SERIAL-001: the names within a caller's data are the caller's."""
    data = {"snake_case": 1, "Ünï": [None, True, 1.5, {"deep": []}]}
    task = wire.send({**said("complete-task"), "parts": [{"data": data}, {"text": "and text"}]}).task
    history = wire.get(task["id"]).task["history"]
    assert history[0]["parts"] == [{"data": data}, {"text": "and text"}]
