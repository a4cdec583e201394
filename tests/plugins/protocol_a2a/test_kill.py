"""`kill -9` in the middle of a task that is streamed: what its client saw, and what it finds afterwards."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from tests.faults.cluster import QUICK, Replica
from tests.plugins.protocol_a2a.conformance import CHOSEN, PROJECT, card_of
from tests.plugins.protocol_a2a.test_must_core import COMPLETED
from tests.plugins.protocol_a2a.wires import SECONDS, Json, JsonRpc, Wire, all_of, client, said
from tests.processes import ServerProcess, wait_for

_CUT = (httpx.RemoteProtocolError, httpx.ReadError)
_ENV = {**CHOSEN, "TCK_STREAMING_TIMEOUT": "0.5"}  # the agent's longest case takes two seconds then


def _lasting() -> Json:
    """A message that is worked on for a while."""
    return {**said("x", "Take your time"), "messageId": f"test-resubscribe-message-id-{uuid4()}"}


@contextmanager
def _agent(url: str) -> Iterator[JsonRpc]:
    with client() as http:
        offered = card_of(url, http)["supportedInterfaces"]
        yield JsonRpc(next(i["url"] for i in offered if i["protocolBinding"] == "JSONRPC"), http)


def _copied(folder: Path) -> None:
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def _until_cut(wire: Wire, message: Json, kill: "Iterator[None]") -> list[Json]:
    """What a client gets whose server is killed once the task is worked on. It sees its connection break."""
    told: list[Json] = []
    with suppress(*_CUT):
        for event in wire.stream(message).events:
            told.append(event)
            if "TASK_STATE_WORKING" in str(event):
                next(kill)
        pytest.fail("the stream ended as if nothing had happened")
    return told


def _subscribed(wire: Wire, task_id: str) -> list[Json]:
    """The rest of the task, for a client that subscribes again; the end alone, if it has missed the rest."""
    stream = wire.subscribe(task_id)
    if stream.answer is not None:
        wire.refuses(stream.answer, "UNSUPPORTED_OPERATION")
        return []
    return all_of(stream)


def _check_whole(wire: Wire, task_id: str) -> None:
    """The task was done once, whatever came in between."""
    task = wire.get(task_id).task
    assert task["status"]["state"] == COMPLETED
    assert [part["text"] for artifact in task["artifacts"] for part in artifact["parts"]] == ["done at last"]
    assert [message["role"] for message in task["history"]].count("ROLE_USER") == 1


def test_a_task_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Its client sees the connection break, finds the task at work, subscribes and sees it end."""
    _copied(tmp_path)
    first = ServerProcess(tmp_path, env=_ENV)
    try:
        first.wait_ready()

        def kill() -> Iterator[None]:
            first.kill()
            yield

        with _agent(first.url) as wire:
            told = _until_cut(wire, _lasting(), kill())
    finally:
        first.stop()
    task_id = told[0]["task"]["id"]
    second = ServerProcess(tmp_path, port=first.port, env=_ENV)
    try:
        second.wait_ready()
        with _agent(second.url) as wire:
            assert wire.get(task_id).state in {"TASK_STATE_SUBMITTED", "TASK_STATE_WORKING", COMPLETED}
            events = _subscribed(wire, task_id)
            assert not events or "COMPLETED" in str(events[-1])
            _check_whole(wire, task_id)
    finally:
        second.kill()


def test_a_message_that_a_stopping_server_cannot_answer_is_refused_for_now(tmp_path: Path) -> None:
    """Who waits for an answer is told to come again: the task goes on, and the same message finds it."""
    _copied(tmp_path)
    message = {**_lasting(), "contextId": str(uuid4())}
    first = ServerProcess(tmp_path, env=_ENV)
    try:
        first.wait_ready()
        with _agent(first.url) as wire, ThreadPoolExecutor() as pool:
            wire.send(said("complete-task"))
            waiting = pool.submit(wire.http_of_send, message)
            wait_for(lambda: _listed(wire, message["contextId"]), "the task")
            assert first.stop() == 0
            refused = waiting.result(SECONDS)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    finally:
        first.stop()
    second = ServerProcess(tmp_path, port=first.port, env=_ENV)
    try:
        second.wait_ready()
        with _agent(second.url) as wire:
            assert wire.send(message).state == COMPLETED
            assert len(_listed(wire, message["contextId"])) == 1
    finally:
        second.kill()


def _listed(wire: Wire, context: str) -> list[Json]:
    listed = wire.list(contextId=context).result
    return [] if listed is None else list(listed["tasks"])


@pytest.mark.slow
def test_a_task_goes_on_at_another_replica(tmp_path: Path) -> None:
    """Its client subscribes at a replica that is alive, which takes the task over."""
    from tests.postgres import fresh_database, migrated_template, server_url  # psycopg only where it is needed

    _copied(tmp_path)
    server = server_url()
    with fresh_database(server, migrated_template(server)) as url:
        quick = {f"LONGLINE_SERVER__{key.upper()}": str(value) for key, value in QUICK["server"].items()}
        env = {"DATABASE_URL": url, **quick, **_ENV}
        replicas = [Replica(tmp_path, number, env) for number in range(2)]
        stack = ExitStack()
        try:
            for replica in replicas:
                replica.start()
            for replica in replicas:
                replica.wait_ready()
            wires = [stack.enter_context(_agent(replica.url)) for replica in replicas]
            executing = _executing(url, replicas)

            def kill() -> Iterator[None]:
                next(executing).kill()
                yield

            told = _told_until_dead(wires[0], _lasting(), kill(), replicas)
            task_id = told[0]["task"]["id"]
            alive = next(wire for wire, replica in zip(wires, replicas, strict=True) if replica.is_alive)
            events = _subscribed(alive, task_id)
            assert not events or "COMPLETED" in str(events[-1])
            _check_whole(alive, task_id)
        finally:
            stack.close()
            for replica in replicas:
                replica.kill()


def _executing(database: str, replicas: list[Replica]) -> Iterator[Replica]:
    """The replica that is at work on the only run."""
    import psycopg  # only where there is a Postgres

    with psycopg.connect(database, autocommit=True) as connection:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            held = connection.execute("SELECT lease_owner FROM longline.runs WHERE lease_owner IS NOT NULL").fetchone()
            for replica in replicas:
                if held is not None and f"-{replica.pid}-" in held[0]:
                    yield replica


def _told_until_dead(wire: Wire, message: Json, kill: Iterator[None], replicas: list[Replica]) -> list[Json]:
    """What the client was told: cut, where its own replica is the one that was killed, to the end otherwise."""
    told: list[Json] = []
    with suppress(*_CUT):
        for event in wire.stream(message).events:
            told.append(event)
            if "TASK_STATE_WORKING" in str(event) and all(replica.is_alive for replica in replicas):
                next(kill)
        assert replicas[0].is_alive, "the stream ended as if nothing had happened"
        assert "COMPLETED" in str(told[-1])
    return told
