"""The compose file's whole: Postgres, a migration, two replicas and the balancer."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.facts import DEPLOY, documents
from tests.deploy.processes import WITH_TOKEN, Replica, balancer, copy_project, replica
from tests.postgres import fresh_database, server_url
from tests.processes import free_port

(COMPOSE,) = documents(DEPLOY / "compose.yaml")
SERVICES = COMPOSE["services"]


@pytest.fixture
def database() -> Iterator[str]:
    with fresh_database(server_url()) as url:
        yield url


def test_a_thread_that_one_replica_made_goes_on_at_the_other(database: str, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "app")
    migration = Replica(project, database, free_port(), *SERVICES["migrate"]["command"])
    assert migration.end() == 0, migration.output
    with (
        replica(project, database, *SERVICES["replica-1"]["command"]) as one,
        replica(project, database, *SERVICES["replica-2"]["command"]) as two,
        balancer(tmp_path, one.address, two.address) as url,
    ):
        thread_id = httpx.post(f"{one.address}/threads", json={}, headers=WITH_TOKEN, timeout=20).json()["thread_id"]
        answers = [_say(address, thread_id) for address in (one.address, two.address, url)]
        assert answers == [2, 4, 6]
        assert one.stop() == 0
        assert _say(url, thread_id) == 8
        assert not [line for line in two.output.splitlines() if json.loads(line)["level"] == "error"], two.output


def _say(address: str, thread_id: str) -> int:
    """How many messages the thread has after one more."""
    said = {"assistant_id": "echo", "input": {"messages": [{"role": "user", "content": "Hello"}]}}
    url = f"{address}/threads/{thread_id}/runs/wait"
    answer = httpx.post(url, json=said, headers=WITH_TOKEN, timeout=60)
    assert answer.status_code == 200, answer.text
    return len(answer.json()["messages"])
