"""What every test may use."""

import os

import pytest

LONG = ("tests/hosts/test_binary", "tests/deploy/test_dockerfile", "tests/contract/", "tests/faults/")
"""What takes longest, in this order."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first. Of several workers each begins with an equal piece of the list (pytest-xdist's
    `worksteal`): each piece begins with some of it, so that nothing long is left at the end."""
    pieces = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = sorted((item for item in items if _place(item) < len(LONG)), key=_place)
    files = list(dict.fromkeys(_file(item) for item in long))
    short = [item for item in items if _place(item) == len(LONG)]
    items[:] = [
        item
        for piece in range(pieces)
        for item in (*(one for one in long if _file(one) in files[piece::pieces]), *_part(short, piece, pieces))
    ]


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _place(item: pytest.Item) -> int:
    return next((place for place, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))


def _part(items: list[pytest.Item], piece: int, pieces: int) -> list[pytest.Item]:
    """One of equal parts, in order: tests of a file stay together."""
    return items[len(items) * piece // pieces : len(items) * (piece + 1) // pieces]
