"""What every test may use."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: other workers take over what lies behind it, and nothing is left at the end."""
    items.sort(
        key=lambda item: not item.nodeid.startswith(("tests/contract/", "tests/hosts/test_binary", "tests/faults/"))
    )
