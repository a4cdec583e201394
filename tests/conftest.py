"""What every test may use."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What mostly waits for recorded pauses comes first, so that other workers take over what lies behind it."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/contract/"))
