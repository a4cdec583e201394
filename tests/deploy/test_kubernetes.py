"""The manifests: valid, agreed among themselves, and about the server as it is."""

import re
import subprocess

import pytest
import yaml

from longline_hosts.environment import HOST_VARIABLES
from tests.deploy.facts import (
    DEPLOY,
    check_arguments,
    documents,
    instructions,
    manifest,
    manifests,
    program,
    seconds_to_stop,
    unknown_variables,
)

KUBERNETES = DEPLOY / "kubernetes"
OBJECTS = [found for folder in ("base", "autoscale") for found in manifests(folder)]
DEPLOYMENT = manifest("Deployment")["spec"]
POD = DEPLOYMENT["template"]["spec"]
(SERVER,) = POD["containers"]
(MIGRATE,) = POD["initContainers"]
CONFIG = manifest("ConfigMap")["data"]
SECRET = manifest("Secret")["stringData"]
NO_SCHEMA = {"Kustomization", "PodMonitor"}


def test_every_object_keeps_to_kubernetes_schema() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    checked = [kubernetes_validate.validate(item, "1.30", strict=True) for _, item in OBJECTS if _has_schema(item)]
    assert len(checked) == 6


def test_a_schema_refuses_a_key_that_is_misspelt() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    wrong = yaml.safe_load(yaml.safe_dump(manifest("Deployment")).replace("readinessProbe", "readynessProbe"))
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, "1.30", strict=True)


def _has_schema(item: dict) -> bool:
    return item["kind"] not in NO_SCHEMA


@pytest.mark.parametrize("folder", ["base", "autoscale"])
def test_kustomize_puts_it_together(folder: str) -> None:
    command = [program("kubectl"), "kustomize", str(KUBERNETES / folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    built = {item["kind"]: item for item in yaml.safe_load_all(done.stdout)}
    assert {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service"} <= set(built)
    assert "Secret" not in built
    assert ("replicas" in built["Deployment"]["spec"]) == (folder == "base")
    assert ("HorizontalPodAutoscaler" in built) == (folder == "autoscale")
    assert re.search(r"image: agents:\d", done.stdout)


@pytest.mark.parametrize("folder", ["base", "autoscale"])
def test_every_file_is_a_resource_or_for_people(folder: str) -> None:
    (kustomization,) = documents(KUBERNETES / folder / "kustomization.yaml")
    named = {*kustomization["resources"], "kustomization.yaml", "secret.example.yaml", "adapter-values.yaml"}
    assert {path.name for path in (KUBERNETES / folder).iterdir()} <= named
    assert all((KUBERNETES / folder / name).exists() for name in kustomization["resources"])


def test_no_object_says_where_it_lives() -> None:
    assert [path.name for path, item in OBJECTS if "namespace" in item.get("metadata", {})] == []


def test_the_secret_that_is_shown_is_empty() -> None:
    assert set(SECRET.values()) == {""}


def test_variables_and_arguments_are_those_of_the_server() -> None:
    assert unknown_variables([*CONFIG, *SECRET]) == set()
    check_arguments(SERVER["args"])
    check_arguments(MIGRATE["args"])
    assert MIGRATE["args"] == ["migrate"]
    assert MIGRATE["image"] == SERVER["image"]
    assert "command" not in SERVER | MIGRATE
    names = {source[kind]["name"] for source in SERVER["envFrom"] for kind in source}
    assert names == {manifest("ConfigMap")["metadata"]["name"], manifest("Secret")["metadata"]["name"]}
    assert SERVER["envFrom"] == MIGRATE["envFrom"]


def test_a_pod_has_the_time_that_it_takes_to_stop() -> None:
    (_, before) = SERVER["lifecycle"]["preStop"]["exec"]["command"]
    needed = float(before) + seconds_to_stop(CONFIG["LONGLINE_SERVER__DRAIN_SECONDS"])
    assert POD["terminationGracePeriodSeconds"] > needed


def test_ports_and_selectors_meet() -> None:
    (port,) = SERVER["ports"]
    assert [str(port["containerPort"])] == [
        said.text for said in instructions(DEPLOY / "Dockerfile") if said.name == "EXPOSE"
    ]
    probes = [SERVER[name]["httpGet"]["port"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    scraped = manifest("PodMonitor")["spec"]["podMetricsEndpoints"]
    reached = [entry["targetPort"] for entry in manifest("Service")["spec"]["ports"]]
    assert {*probes, *reached, *(entry["port"] for entry in scraped)} == {port["name"]}
    labels = DEPLOYMENT["template"]["metadata"]["labels"]
    selectors = [
        manifest("Service")["spec"]["selector"],
        *(manifest(kind)["spec"]["selector"]["matchLabels"]
          for kind in ("Deployment", "PodDisruptionBudget", "PodMonitor")),
    ]  # fmt: skip
    assert selectors == [labels] * 4


def test_a_service_of_this_name_makes_no_variables_that_the_server_would_read() -> None:
    made = f"{manifest('Service')['metadata']['name'].upper()}_PORT"
    assert made in HOST_VARIABLES
    assert POD["enableServiceLinks"] is False


def test_liveness_asks_for_the_process_and_readiness_for_the_database() -> None:
    assert SERVER["livenessProbe"]["httpGet"]["path"] == "/health"
    assert SERVER["startupProbe"]["httpGet"]["path"] == "/health"
    assert SERVER["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_containers_are_no_root_and_cannot_write() -> None:
    (user,) = [said.text for said in instructions(DEPLOY / "Dockerfile") if said.name == "USER"]
    assert f"{POD['securityContext']['runAsUser']}:{POD['securityContext']['runAsGroup']}" == user
    for container in (SERVER, MIGRATE):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_drain_of_nodes_leaves_replicas() -> None:
    assert manifest("PodDisruptionBudget")["spec"]["maxUnavailable"] < DEPLOYMENT["replicas"]
    assert DEPLOYMENT["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_autoscaler_asks_for_the_metric_that_the_adapter_makes() -> None:
    scaler = manifest("HorizontalPodAutoscaler")["spec"]
    (metric,) = scaler["metrics"]
    (adapter,) = documents(KUBERNETES / "autoscale" / "adapter-values.yaml")
    (rule,) = adapter["rules"]["external"]
    assert metric["external"]["metric"]["name"] == rule["name"]["as"]
    assert scaler["scaleTargetRef"]["name"] == manifest("Deployment")["metadata"]["name"]
    assert scaler["minReplicas"] == DEPLOYMENT["replicas"]
    assert float(metric["external"]["target"]["averageValue"]) < float(CONFIG["LONGLINE_SERVER__RUNS"])
    secret = manifest("PodMonitor")["spec"]["podMetricsEndpoints"][0]["authorization"]["credentials"]
    assert secret["name"] == manifest("Secret")["metadata"]["name"]
    assert secret["key"] in SECRET
