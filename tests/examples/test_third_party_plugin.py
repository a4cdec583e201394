"""The example plugin, published-style: installed beside Longline with pip, discovered, served, switched off."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.examples.environment import ROOT, Environment, make_environment
from tests.processes import ServerProcess, running

EXAMPLE = ROOT / "examples" / "longline-hello"
GREET_ADA = 'call hello_greet {"name": "Ada"}'

pytestmark = pytest.mark.timeout(300)  # installing into a fresh environment, on a slow line


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy outside the checkout, so that nothing is found by accident."""
    return Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("example") / EXAMPLE.name))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, example: Path) -> Environment:
    return make_environment(tmp_path_factory.mktemp("environment"), example, "test")


@pytest.fixture
def server(environment: Environment, tmp_path: Path) -> Iterator[ServerProcess]:
    with running(tmp_path, program=environment.scripts / "longline") as server:
        yield server


def _ask(server: ServerProcess, text: str) -> httpx.Response:
    return httpx.post(f"{server.url}/hello/run", json={"text": text}, timeout=60)


def _disable(folder: Path) -> None:
    (folder / "longline.toml").write_text('[plugins]\ndisable = ["hello"]\n')


def test_an_installed_plugin_is_listed(environment: Environment, tmp_path: Path) -> None:
    listed = environment.run("longline", "plugins", cwd=tmp_path)
    (line,) = [line for line in listed.stdout.splitlines() if "hello" in line]
    assert line.split()[0] == "hello"
    assert "longline-hello" in line
    assert "chosen" in line


def test_longline_dev_serves_the_routes_and_the_tool_of_an_installed_plugin(server: ServerProcess) -> None:
    assert httpx.get(f"{server.url}/hello/greet/Ada").json() == {"text": "Hello, Ada!"}
    assert "answered: 4." in _ask(server, "What is 2 + 2?").json()["text"]
    assert "Hello, Ada!" in _ask(server, GREET_ADA).json()["text"]
    assert httpx.get(f"{server.url}/info").json()["hello"] == {"assistant": "agent"}


def test_the_agent_of_another_protocol_uses_the_tool_of_an_installed_plugin(server: ServerProcess) -> None:
    body = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": GREET_ADA}]}}
    messages = httpx.post(f"{server.url}/runs/wait", json=body, timeout=60).json()["messages"]
    (answer,) = [message for message in messages if message["type"] == "tool"]
    assert (answer["name"], answer["content"]) == ("hello_greet", "Hello, Ada!")


def test_longline_toml_sets_what_an_installed_plugin_declares(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text('[hello]\ngreeting = "Ahoy"\n')
    with running(tmp_path, program=environment.scripts / "longline") as server:
        assert httpx.get(f"{server.url}/hello/greet/Ada").json() == {"text": "Ahoy, Ada!"}


def test_a_plugin_that_longline_toml_disables_is_listed_and_not_served(
    environment: Environment, tmp_path: Path
) -> None:
    _disable(tmp_path)
    listed = environment.run("longline", "plugins", cwd=tmp_path)
    (line,) = [line for line in listed.stdout.splitlines() if "hello" in line]
    assert "disabled" in line
    with running(tmp_path, program=environment.scripts / "longline") as server:
        assert httpx.get(f"{server.url}/hello/greet/Ada").status_code == 404
        assert "hello" not in httpx.get(f"{server.url}/info").json()
        body = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": GREET_ADA}]}}
        messages = httpx.post(f"{server.url}/runs/wait", json=body, timeout=60).json()["messages"]
        assert not [message for message in messages if message["type"] == "tool"]


def test_the_examples_own_tests_pass_where_it_is_installed(environment: Environment, example: Path) -> None:
    done = environment.run("python", "-m", "pytest", "-q", cwd=example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
