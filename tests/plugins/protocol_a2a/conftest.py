"""One server with the agent of the conformance suite for all tests of a worker."""

from collections.abc import Iterator

import pytest
from tests.plugins.protocol_a2a.conformance import Agent, served_agent
from tests.plugins.protocol_a2a.wires import JsonRpc, Rest, Wire


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """The agent, for everybody."""
    with served_agent(tmp_path_factory.mktemp("tck")) as agent:
        yield agent


@pytest.fixture(scope="session")
def guarded_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """The agent of a server that knows Alice and Bob and nobody else."""
    with served_agent(tmp_path_factory.mktemp("tck-auth"), "langgraph.auth.json", "alice-token") as agent:
        yield agent


@pytest.fixture
def jsonrpc(agent: Agent) -> JsonRpc:
    return agent.jsonrpc()


@pytest.fixture
def rest(agent: Agent) -> Rest:
    return agent.rest()


@pytest.fixture(params=["jsonrpc", "http_json"])
def wire(request: pytest.FixtureRequest, agent: Agent) -> Wire:
    """Each binding in turn."""
    return agent.jsonrpc() if request.param == "jsonrpc" else agent.rest()
