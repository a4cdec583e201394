"""Every public method of the Python SDK is called by a test, which the fixture `sdk` checks while it runs."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from langgraph_sdk import client as clients

from tests.clients.sdk import RESOURCES

CLASSES = {
    "assistants": (clients.AssistantsClient, clients.SyncAssistantsClient),
    "threads": (clients.ThreadsClient, clients.SyncThreadsClient),
    "runs": (clients.RunsClient, clients.SyncRunsClient),
    "crons": (clients.CronClient, clients.SyncCronClient),
    "store": (clients.StoreClient, clients.SyncStoreClient),
}


def called() -> dict[str, list[str]]:
    """Method → the tests that say they call it, and fail if they do not."""
    table: dict[str, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("test_sdk_*.py")):
        module = import_module(f"tests.clients.{path.stem}")
        for name, test in inspect.getmembers(module, inspect.isfunction):
            for method in getattr(test, "calls", ()):
                assert "sdk" in inspect.signature(test).parameters, f"{name} calls without the fixture that checks"
                table.setdefault(method, []).append(f"{path.stem}::{name}")
    return table


def public(resource: str) -> Iterator[str]:
    for made in CLASSES[resource]:
        for name, _ in inspect.getmembers(made, inspect.isfunction):
            if not name.startswith("_"):
                yield f"{resource}.{name}"


def test_a_client_has_no_resource_that_is_not_looked_at() -> None:
    found = set(vars(clients.get_sync_client(url="http://localhost:1")))
    assert found == {*RESOURCES, "http"}


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_public_method_is_called_by_a_test(resource: str) -> None:
    table = called()
    missing = sorted(set(public(resource)) - set(table))
    assert not missing, f"no test says that it calls {missing}"


def test_no_test_says_that_it_calls_what_the_client_does_not_have() -> None:
    known = {method for resource in RESOURCES for method in public(resource)}
    assert set(called()) <= known
