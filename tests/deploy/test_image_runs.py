"""What the image starts, started here: its health check, the paths of the probes, the metric of the autoscaler."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.facts import DEPLOY, documents, instructions, manifest
from tests.deploy.processes import METRICS_TOKEN, WITH_TOKEN, Replica, copy_project, replica
from tests.hosts.command import clean_environment
from tests.processes import free_port


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    folder = tmp_path_factory.mktemp("image")
    with replica(copy_project(folder / "app"), f"sqlite:///{folder / 'longline.db'}") as started:
        yield started


def _check_health(port: int) -> int:
    (said,) = [said.text for said in instructions(DEPLOY / "Dockerfile") if said.name == "HEALTHCHECK"]
    python, *arguments = json.loads(said.partition("CMD ")[2])
    assert python == "python"
    env = clean_environment({"LONGLINE_PORT": str(port)})
    return subprocess.run([sys.executable, *arguments], env=env, capture_output=True, timeout=30).returncode


def test_the_images_health_check_tells_a_server_from_none(served: Replica) -> None:
    assert _check_health(served.port) == 0
    assert _check_health(free_port()) == 1


def test_every_path_that_a_probe_asks_for_answers_without_credentials(served: Replica) -> None:
    texts = [path.read_text("utf-8") for path in DEPLOY.rglob("*") if path.suffix in (".yaml", ".toml")]
    texts.append((DEPLOY / "Caddyfile").read_text("utf-8"))
    paths = {
        found for text in texts for found in re.findall(r"(?:httpGet: \{path: |path = \"|health_uri )(/\w+)", text)
    }
    assert paths == {"/health", "/ready"}
    assert {path: httpx.get(f"{served.address}{path}", timeout=10).status_code for path in paths} == dict.fromkeys(
        paths, 200
    )


def test_the_autoscalers_metric_is_one_that_the_server_gives(served: Replica) -> None:
    (adapter,) = documents(DEPLOY / "kubernetes" / "autoscale" / "adapter-values.yaml")
    (rule,) = adapter["rules"]["external"]
    name, _, _ = rule["seriesQuery"].partition("{")
    assert rule["name"]["matches"] == name
    (label,) = re.findall(r"by \((\w+)\)", rule["metricsQuery"])
    (scraped,) = manifest("PodMonitor")["spec"]["podMetricsEndpoints"]
    url = f"{served.address}{scraped['path']}"
    assert httpx.get(url, headers=WITH_TOKEN, timeout=10).status_code == 401
    told = httpx.get(url, headers={"authorization": f"Bearer {METRICS_TOKEN}"}, timeout=10).text
    values = re.findall(rf'^{name}\{{{label}="(\w+)"\}} [0-9.]+$', told, flags=re.MULTILINE)
    assert sorted(values) == ["pending", "running"]


def test_the_project_answers_whoever_has_the_token(served: Replica) -> None:
    said = {"assistant_id": "echo", "input": {"messages": [{"role": "user", "content": "Hello"}]}}
    refused = httpx.post(f"{served.address}/runs/wait", json=said, timeout=60)
    assert refused.status_code == 401
    answer = httpx.post(f"{served.address}/runs/wait", json=said, headers=WITH_TOKEN, timeout=60)
    assert answer.json()["messages"][-1]["content"] == "You said: Hello"


def test_a_server_in_a_folder_that_cannot_be_written_starts_and_says_so(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "app")
    (project / ".longline").write_text("not a folder")  # root may write wherever there is one
    with replica(project, f"sqlite:///{tmp_path / 'longline.db'}") as started:
        started.wait_for('"message": "server not noted"')
        started.wait_for('"message": "server started"')
        assert '"level": "error"' not in started.output
        assert started.stop() == 0
