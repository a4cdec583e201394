"""MUST requirements of A2A 1.0 on agent cards: sections 3.3.4, 5.2 and 8.

Each test names the requirements of the conformance suite (branch 1.0-dev) that it stands for."""

import httpx
import pytest
from a2a.types import AgentCard, AgentInterface
from a2a.utils.proto_utils import validate_proto_required_fields
from google.protobuf.json_format import ParseDict
from tests.plugins.protocol_a2a.conformance import CARD_PATH, Agent
from tests.plugins.protocol_a2a.test_must_core import COMPLETED
from tests.plugins.protocol_a2a.wires import Wire, said

_REQUIRED = {
    "name",
    "description",
    "version",
    "capabilities",
    "skills",
    "supportedInterfaces",
    "defaultInputModes",
    "defaultOutputModes",
}


def _card(url: str, version: str = "1.0") -> httpx.Response:
    return httpx.get(url, headers={"A2A-Version": version} if version else {}, timeout=30)


def test_a_card_is_at_the_well_known_address(agent: Agent) -> None:
    """CARD-DISC-001: the server and the agent each have a card where clients look for it."""
    for url in (agent.card_url, f"{agent.process.url}{CARD_PATH}"):
        response = _card(url)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("application/json")
        assert response.json()["name"] == agent.card["name"]


def test_a_card_has_every_required_field(agent: Agent) -> None:
    """CARD-STRUCT-001: all required fields are there, and what a 1.0 client knows of the card is well formed."""
    assert set(agent.card) >= _REQUIRED
    validate_proto_required_fields(ParseDict(agent.card, AgentCard(), ignore_unknown_fields=True))
    assert all({"id", "name", "description", "tags"} <= set(skill) for skill in agent.card["skills"])
    assert agent.card["skills"]


def test_a_card_names_the_bindings_and_where_they_are(agent: Agent) -> None:
    """CARD-PROTO-001, CARD-PROTO-002, BIND-FIELD-001: every binding that answers is declared, with URL and version."""
    offered = agent.card["supportedInterfaces"]
    for interface in offered:
        validate_proto_required_fields(ParseDict(interface, AgentInterface()))
        assert interface["url"].startswith(agent.process.url)
    assert {(i["protocolBinding"], i["protocolVersion"]) for i in offered} >= {("JSONRPC", "1.0"), ("HTTP+JSON", "1.0")}
    for wire in (agent.jsonrpc(), agent.rest()):
        assert wire.send(said("complete-task")).state == COMPLETED


@pytest.mark.parametrize("name", ["cache-control", "etag", "last-modified"])
def test_a_card_can_be_kept(agent: Agent, name: str) -> None:
    """CARD-CACHE-001, CARD-CACHE-002, CARD-CACHE-003: a card says for how long it is good, and what it was."""
    headers = _card(agent.card_url).headers
    assert headers[name]
    assert "max-age" in headers["cache-control"]


def test_a_card_that_is_known_is_not_sent_again(agent: Agent) -> None:
    """CARD-CACHE-002: who knows the card by its tag is told so."""
    tag = _card(agent.card_url).headers["etag"]
    again = httpx.get(agent.card_url, headers={"A2A-Version": "1.0", "If-None-Match": tag}, timeout=30)
    assert (again.status_code, again.content) == (304, b"")


def test_what_is_declared_is_there_and_nothing_else_is(agent: Agent, wire: Wire) -> None:
    """CORE-CAP-001, CORE-CAP-002, CORE-CAP-003: an operation whose capability is not declared is refused; one whose is
    declared works."""
    declared = agent.card["capabilities"]
    stream, push = wire.stream(said("complete-task")), wire.list_push(wire.send(said("complete-task")).task["id"])
    stream.http.close()
    for capability, answer, reason in (
        ("streaming", stream.answer, "UNSUPPORTED_OPERATION"),
        ("pushNotifications", None if push.error is None else push, "PUSH_NOTIFICATION_NOT_SUPPORTED"),
    ):
        if declared.get(capability):
            assert answer is None, answer
        else:
            assert answer is not None
            wire.refuses(answer, reason)
    extended = wire.extended_card()
    if declared.get("extendedAgentCard"):
        assert extended.error is None
    else:
        wire.refuses(extended, "UNSUPPORTED_OPERATION")


def test_no_extension_is_required(agent: Agent) -> None:
    """CORE-CAP-004: clients that declare no extension are served, because the card requires none."""
    assert [e for e in agent.card["capabilities"].get("extensions", []) if e.get("required")] == []
