"""The image is pinned, small, unprivileged, and made of what is there."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deploy.facts import DEPLOY, PROJECT, ROOT, check_arguments, instructions, program, unknown_variables

DOCKERFILE = DEPLOY / "Dockerfile"
SAID = instructions(DOCKERFILE)
OF_BOTH = [*SAID, *instructions(PROJECT / "Dockerfile")]
SOURCES = [
    source
    for said in SAID
    if said.name == "COPY" and not said.text.startswith("--from")
    for source in said.text.split()[:-1]
]


def _last(name: str) -> str:
    return [said.text for said in SAID if said.name == name][-1]


def test_hadolint_finds_nothing() -> None:
    command = [program("hadolint"), str(DOCKERFILE), str(PROJECT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_images_are_named_with_their_versions_and_nothing_is_fetched_by_address() -> None:
    names = [said.text.split()[0] for said in OF_BOTH if said.name == "FROM"]
    assert names
    for name in names:
        assert re.search(r":\d+\.\d+", name), name
    assert "ADD" not in {said.name for said in OF_BOTH}
    assert "://" not in " ".join(said.text for said in OF_BOTH if said.name == "RUN")


def test_the_projects_image_stands_on_the_version_of_this_checkout() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert instructions(PROJECT / "Dockerfile")[0].text == f"longline:{version}"


def test_the_server_is_the_first_process_and_no_root() -> None:
    assert _last("USER").split(":")[0].isdigit()
    assert int(_last("USER").split(":")[0]) >= 1000
    assert json.loads(_last("ENTRYPOINT")) == ["longline"]
    check_arguments(json.loads(_last("CMD")))
    assert {"USER", "ENTRYPOINT"} & {said.name for said in SAID[: [said.name for said in SAID].index("COPY")]} == set()


def test_variables_and_port_are_those_of_the_server() -> None:
    variables = dict(re.findall(r'([A-Z_]+)="?([^" ]+)', _last("ENV")))
    assert unknown_variables(variables) == set()
    assert variables["LONGLINE_HOST"] == "0.0.0.0"
    assert variables["LONGLINE_PORT"] == _last("EXPOSE")


def test_what_is_copied_is_there_and_not_ignored() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    wanted = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert wanted == set(SOURCES)
    assert all((ROOT / source).exists() for source in SOURCES)
    assert any(fnmatch("core/__pycache__", rule) for rule in rules)


def test_the_wheel_is_made_of_nothing_that_is_not_copied() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project, wheel = build["project"], build["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {package.split("/")[0] for package in wheel["packages"]} | {project["readme"], *project["license-files"]}
    assert needed | {"pyproject.toml"} == set(SOURCES)
    (extras,) = re.findall(r'"\.\[([\w,-]+)\]"', " ".join(said.text for said in SAID if said.name == "RUN"))
    assert {extra.replace("-", "_") for extra in extras.split(",")} <= set(project["optional-dependencies"])


def test_extras_are_spelt_so_that_an_older_pip_finds_them() -> None:
    # pip before 23.3 looks for the spelling of the wheel, which has dashes; with another it warns and goes on without.
    for path in (DOCKERFILE, ROOT / "docs" / "deploy.md"):
        spelt = re.findall(r"(?:\.|longline|checkout)\[([\w,-]+)\]", path.read_text("utf-8"))
        assert spelt, path.name
        assert not [extra for extra in spelt if "_" in extra]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_of_the_image_installs_a_server_from_what_is_copied(tmp_path: Path) -> None:
    source, home = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=100)
    (install,) = [said.text for said in SAID if said.name == "RUN" and said.text.startswith("uv pip install")]
    command = shlex.split(install.replace("/opt/longline", str(home)))
    command[0] = program("uv")
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [home / "bin/longline", "plugins"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "storage_postgres" in listed.stdout, listed.stderr
    driver = subprocess.run([home / "bin/python", "-c", "import psycopg, psycopg_pool"], cwd=tmp_path, timeout=60)
    assert driver.returncode == 0
