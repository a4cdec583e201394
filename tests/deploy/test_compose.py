"""The compose file: what waits for what, who gets which secret, and how long a replica may take to leave."""

import json
import re

import pytest

from tests.deploy.facts import (
    DEPLOY,
    check_arguments,
    documents,
    instructions,
    seconds,
    seconds_to_stop,
    unknown_variables,
    variables_of,
)

(COMPOSE,) = documents(DEPLOY / "compose.yaml")
SERVICES = COMPOSE["services"]
REPLICAS = [SERVICES["replica-1"], SERVICES["replica-2"]]
OURS = [*REPLICAS, SERVICES["migrate"]]
EXAMPLE = DEPLOY / "longline.env.example"


def _filled_in() -> str:
    """The file as compose reads it: anchors and variables replaced."""
    text = re.sub(r"\$\{\w+:-(.+?)\}", r"\1", json.dumps(COMPOSE))
    return re.sub(r"\$\{\w+:\?.+?\}", "secret", text)


def test_the_file_keeps_to_the_compose_specification() -> None:
    compose_spec = pytest.importorskip("compose_spec")
    compose_spec.PyCompose.from_json(_filled_in()).validate()
    with pytest.raises(Exception, match="stop_grace_perod"):
        compose_spec.PyCompose.from_json(_filled_in().replace("stop_grace_period", "stop_grace_perod"))


def test_every_image_has_a_version() -> None:
    for service in SERVICES.values():
        assert re.search(r":[\w-]*\d+(\.\d+)*", service["image"]), service["image"]


def test_what_a_service_waits_for_is_there_and_can_become_so() -> None:
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy" and name == "postgres":
                assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
            elif wanted["condition"] == "service_healthy":  # the image says how
                assert SERVICES[name]["image"] == OURS[0]["image"]
                assert "healthcheck" not in SERVICES[name]
            else:
                assert wanted["condition"] == "service_completed_successfully"
                assert SERVICES[name]["restart"] == "no"
    assert "HEALTHCHECK" in {said.name for said in instructions(DEPLOY / "Dockerfile")}
    assert {*SERVICES["replica-1"]["depends_on"]} == {"postgres", "migrate"}


def test_the_image_is_built_once_and_used_by_all() -> None:
    assert {service["image"] for service in OURS} == {"longline:0.1.0"}
    build = SERVICES["migrate"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == (DEPLOY / "Dockerfile").resolve()


def test_replicas_differ_in_nothing_and_take_these_arguments() -> None:
    assert REPLICAS[0] == REPLICAS[1]
    for service in OURS:
        check_arguments(service["command"])
        assert service["read_only"] is True
        assert "/tmp" in service["tmpfs"]


def test_a_replica_has_the_time_that_it_takes_to_stop() -> None:
    for service in REPLICAS:
        drain = service["environment"]["LONGLINE_SERVER__DRAIN_SECONDS"]
        assert seconds(service["stop_grace_period"]) > seconds_to_stop(drain)


def test_variables_are_known_and_those_without_a_value_stop_the_start() -> None:
    example = set(variables_of(EXAMPLE))
    assert unknown_variables(example) == set()
    used = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text("utf-8")))
    assert used <= example
    assert {"POSTGRES_PASSWORD", "LONGLINE_SECRET_KEY"} == used
    for service in OURS:
        assert unknown_variables(service["environment"]) == set()


def test_the_example_of_the_secrets_holds_none() -> None:
    lines = [line for line in EXAMPLE.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert all(line.endswith("=") for line in lines)
    assert "longline.env" in (DEPLOY / ".gitignore").read_text("utf-8").split()


def test_only_the_balancer_is_reached_from_outside_and_from_this_machine() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["balancer"]["ports"])


def test_the_balancer_knows_every_replica_and_their_port() -> None:
    balancer = (DEPLOY / "Caddyfile").read_text("utf-8")
    (named,) = re.findall(r"\{\$REPLICAS:([^}]+)\}", balancer)
    (port,) = [said.text for said in instructions(DEPLOY / "Dockerfile") if said.name == "EXPOSE"]
    assert named.split() == [f"{name}:{port}" for name in SERVICES if name.startswith("replica-")]
    (site,) = re.findall(r"\{\$SITE::(\d+)\}", balancer)
    assert SERVICES["balancer"]["ports"] == [f"127.0.0.1:${{PORT:-2024}}:{site}"]


def test_files_that_are_mounted_are_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-(.+?)\}", r"\1", volume).split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), volume
