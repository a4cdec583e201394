"""What a client is told of a failure: the class and the message, and nothing internal."""

import pytest

from longline.errors import GraphLoadError, StorageError
from longline.models.runs import CancelRequest
from longline.models.threads import RunFailure
from longline.runs.failures import describe_cancel, describe_failure


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ValueError("boom"), RunFailure(error="ValueError", message="boom")),
        (KeyError("x"), RunFailure(error="KeyError", message="'x'")),
        (RuntimeError(), RunFailure(error="RuntimeError", message="")),
        (StorageError("disk full at /secret"), RunFailure(error="StorageError", message="An internal error occurred")),
        (
            GraphLoadError("g", "g.py, line 1", "boom"),
            RunFailure(error="GraphLoadError", message="graph 'g' cannot be loaded: boom (g.py, line 1)"),
        ),
        (ValueError("x" * 30_000), RunFailure(error="ValueError", message="x" * 20_000)),
    ],
)
def test_a_graphs_own_message_passes_and_the_storages_does_not(error: Exception, failure: RunFailure) -> None:
    assert describe_failure(error, str) == failure


@pytest.mark.parametrize(("action", "name"), [("interrupt", "UserInterrupt"), ("rollback", "UserRollback")])
def test_a_cancelled_run_tells_who_wanted_it(action, name: str) -> None:
    request = CancelRequest(action=action, reason="enough")
    assert describe_cancel(request) == RunFailure(error=name, message="enough")
