"""What the end-to-end tests share: one project with its surroundings a module, or one for a test that changes it."""

from collections.abc import Iterator

import pytest

from tests.supabase.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A seeded project, for the tests of one module."""
    with running_stack() as stack:
        yield stack


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """A seeded project of the test's own."""
    with running_stack() as stack:
        yield stack
