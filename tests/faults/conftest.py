"""What the tests of several replicas share."""

from collections.abc import Iterator

import pytest

from tests.postgres import OwnServer, own_server


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    """A Postgres that a module may stop and start."""
    with own_server() as server:
        yield server
