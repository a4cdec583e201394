"""MUST requirements of A2A 1.0 on who may do what: sections 7 and 13.1, over both bindings.

Each test names the requirements of the conformance suite (branch 1.0-dev) that it stands for."""

from uuid import uuid4

import httpx
import pytest
from tests.plugins.protocol_a2a.conformance import Agent
from tests.plugins.protocol_a2a.test_must_core import INPUT_REQUIRED
from tests.plugins.protocol_a2a.wires import Json, Wire, said


@pytest.fixture(params=["jsonrpc", "rest"])
def people(request: pytest.FixtureRequest, guarded_agent: Agent) -> tuple[Wire, Wire]:
    """Alice and Bob, over each binding in turn."""
    wire = getattr(guarded_agent, request.param)
    return wire("alice-token"), wire("bob-token")


def _asking(wire: Wire, **more: object) -> Json:
    answer = wire.send(said("input-required", **more))
    assert answer.state == INPUT_REQUIRED
    return answer.task


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic YWxpY2U6YWxpY2U=", "alice-token"])
def test_every_request_needs_credentials(guarded_agent: Agent, token: str) -> None:
    """AUTH-SERVER-002, AUTH-SCOPE-001, BIND-EQUIV-004: no operation of any binding is done for a stranger."""
    headers = {"A2A-Version": "1.0", **({"Authorization": token} if token else {})}
    for method in ("SendMessage", "GetTask", "ListTasks", "CancelTask", "SubscribeToTask", "SendStreamingMessage"):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": said("complete-task")}}
        assert httpx.post(guarded_agent.url, json=body, headers=headers, timeout=30).status_code == 401
    rest = guarded_agent.address("HTTP+JSON")
    for verb, path in (("POST", "/message:send"), ("GET", "/tasks"), ("GET", "/tasks/x"), ("POST", "/tasks/x:cancel")):
        assert httpx.request(verb, f"{rest}{path}", headers=headers, timeout=30).status_code == 401


def test_a_card_says_how_to_authenticate(guarded_agent: Agent) -> None:
    """AUTH-SERVER-002, BIND-EQUIV-004: a server that wants credentials says which."""
    card = guarded_agent.card
    wanted = {name for each in card["securityRequirements"] for name in each["schemes"]}
    assert wanted
    assert wanted <= set(card["securitySchemes"])


def test_nobody_else_sees_a_task(people: tuple[Wire, Wire]) -> None:
    """AUTH-SCOPE-002, AUTH-SCOPE-003: another's task looks like one that is not there, whatever is done to it."""
    alice, bob = people
    task = _asking(alice)
    there = f"{uuid4()}:{uuid4()}"
    subscribed = (bob.subscribe(task["id"]).answer, bob.subscribe(there).answer)
    for theirs, missing in (
        (bob.get(task["id"]), bob.get(there)),
        (bob.cancel(task["id"]), bob.cancel(there)),
        (bob.send(said("complete-task", taskId=task["id"])), bob.send(said("complete-task", taskId=there))),
        (bob.list_push(task["id"]), bob.list_push(there)),
        (
            bob.create_push(task["id"], {"url": "https://example.com"}),
            bob.create_push(there, {"url": "https://example.com"}),
        ),
        subscribed,
    ):
        assert theirs is not None
        assert missing is not None
        bob.refuses(theirs, "TASK_NOT_FOUND")
        bob.refuses(missing, "TASK_NOT_FOUND")
        assert theirs.error is not None
        assert missing.error is not None
        assert str(theirs.error).replace(task["id"], "") == str(missing.error).replace(there, "")
    assert alice.get(task["id"]).state == INPUT_REQUIRED


def test_a_list_has_the_callers_tasks_only(people: tuple[Wire, Wire]) -> None:
    """CORE-LIST-001, AUTH-SCOPE-002: lists show what the caller may see, and count nothing else."""
    alice, bob = people
    task = _asking(alice)
    for query in ({"contextId": task["contextId"]}, {}):
        listed = bob.list(**query).result
        assert listed is not None
        assert task["id"] not in {found["id"] for found in listed["tasks"]}
    counted = bob.list(contextId=task["contextId"]).result
    assert counted is not None
    assert (counted["tasks"], counted["totalSize"], counted["nextPageToken"]) == ([], 0, "")


def test_a_context_is_the_callers_own(people: tuple[Wire, Wire]) -> None:
    """AUTH-SCOPE-002, AUTH-SCOPE-003: a context's name is taken by nobody: each caller has their own of that name, and
    what the server made for one is of no use to another."""
    alice, bob = people
    name = f"shared-name-{uuid4()}"
    hers, his = _asking(alice, contextId=name), _asking(bob, contextId=name)
    assert hers["contextId"] == his["contextId"] == name
    assert hers["id"] != his["id"]
    bob.refuses(bob.get(hers["id"]), "TASK_NOT_FOUND")
    made = _asking(alice)
    taken = bob.send(said("complete-task", contextId=made["contextId"]))
    assert taken.error is not None or made["id"].split(":")[0] not in taken.task["id"]
    listed = alice.list(contextId=made["contextId"]).result
    assert listed is not None
    assert [found["id"] for found in listed["tasks"]] == [made["id"]]


def test_configs_are_the_callers_own(people: tuple[Wire, Wire]) -> None:
    """AUTH-SCOPE-003: another's push notification config looks like one that is not there."""
    alice, bob = people
    task = _asking(alice)
    made = alice.create_push(task["id"], {"id": "hers", "url": "https://example.com/hook"}).result
    assert made is not None
    for answer in (bob.get_push(task["id"], "hers"), bob.list_push(task["id"]), bob.delete_push(task["id"], "hers")):
        bob.refuses(answer, "TASK_NOT_FOUND")
    assert alice.get_push(task["id"], "hers").result == made


def test_both_bindings_know_the_same_people(guarded_agent: Agent) -> None:
    """BIND-EQUIV-004: credentials for one binding are credentials for the other."""
    task = _asking(guarded_agent.jsonrpc("alice-token"))
    assert guarded_agent.rest("alice-token").get(task["id"]).task == task
