"""fly.toml and the systemd unit."""

import configparser
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

from tests.deploy.facts import (
    DEPLOY,
    PROJECT,
    check_arguments,
    instructions,
    program,
    seconds_to_stop,
    unknown_variables,
)

FLY = tomllib.loads((DEPLOY / "fly.toml").read_text("utf-8"))
UNIT_FILE = DEPLOY / "systemd" / "longline.service"


def _unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # names as they are written
    parser.read_string(UNIT_FILE.read_text("utf-8"))
    return parser["Service"]


UNIT = _unit()


def test_fly_runs_the_image_of_the_project_and_migrates_before() -> None:
    assert (PROJECT / FLY["build"]["dockerfile"]).is_file()
    check_arguments(shlex.split(FLY["deploy"]["release_command"]))
    assert FLY["deploy"]["release_command"] == "migrate"
    check_arguments(shlex.split(FLY["processes"]["app"]))


def test_fly_asks_the_servers_own_port_and_paths() -> None:
    (port,) = [int(said.text) for said in instructions(DEPLOY / "Dockerfile") if said.name == "EXPOSE"]
    alive = FLY["checks"]["alive"]
    assert (FLY["http_service"]["internal_port"], alive["port"]) == (port, port)
    assert [check["path"] for check in FLY["http_service"]["checks"]] == ["/ready"]
    assert alive["path"] == "/health"


def test_fly_stops_no_machine_by_itself_and_gives_it_time() -> None:
    assert FLY["http_service"]["auto_stop_machines"] == "off"
    assert FLY["http_service"]["min_machines_running"] >= 2
    assert FLY["kill_signal"] == "SIGTERM"
    assert FLY["kill_timeout"] > seconds_to_stop(FLY["env"]["LONGLINE_SERVER__DRAIN_SECONDS"])


def test_fly_has_no_secret_and_known_variables() -> None:
    text = (DEPLOY / "fly.toml").read_text("utf-8")
    (line,) = re.findall(r"fly secrets set (.+)", text)
    secret = {name.partition("=")[0] for name in line.split()}
    assert unknown_variables({*FLY["env"], *secret}) == set()
    assert not secret & set(FLY["env"])


def test_the_unit_starts_what_there_is_and_gives_it_time() -> None:
    for key in ("ExecStart", "ExecStartPre"):
        path, *arguments = shlex.split(UNIT[key])
        assert Path(path).name == "longline"
        check_arguments(arguments)
    variables = dict(item.split("=") for item in UNIT["Environment"].split())
    assert unknown_variables(variables) == set()
    assert float(UNIT["TimeoutStopSec"]) > seconds_to_stop(variables["LONGLINE_SERVER__DRAIN_SECONDS"])
    assert UNIT["KillMode"] == "mixed"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT_FILE.name
    there = program("true")  # systemd looks whether the program is there
    unit.write_text(re.sub(r"/opt/longline/bin/longline", there, UNIT_FILE.read_text("utf-8")))
    done = subprocess.run([program("systemd-analyze"), "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr, done.stderr
