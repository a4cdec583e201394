"""Every error has a status, and clients read the texts that they know."""

import inspect
from types import ModuleType

import orjson
import pytest

import longline.errors
import longline_protocol_langgraph.errors
from longline.errors import (
    AlreadyExistsError,
    ForbiddenError,
    GraphLoadError,
    LonglineError,
    NotFoundError,
    StorageError,
    ThreadBusyError,
    UnauthenticatedError,
    UnknownAssistantNameError,
    UnknownGraphError,
    VersionNotFoundError,
)
from longline_protocol_langgraph.replies import error_reply
from longline_protocol_langgraph.statuses import STATUSES, detail_of, headers_of, status_of

INSIDE = {
    "internal", "lease_lost", "too_many_attempts", "slow_subscriber", "storage_in_use", "schema_too_new",
    "bad_settings", "bad_plugin", "graph_exit", "version_conflict", "unknown_collection", "cron_behind",
    "call_failed", "caller_cannot",
}  # fmt: skip
"""Codes that no request is answered with: they end a run or a stream, or stop the start."""


def codes_of(module: ModuleType) -> set[str]:
    return {
        value.code
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, LonglineError) and value.__module__ == module.__name__
    }


def test_every_code_has_a_status_or_never_gets_out() -> None:
    every = codes_of(longline.errors) | codes_of(longline_protocol_langgraph.errors)
    assert every - set(STATUSES) == INSIDE
    assert set(STATUSES) <= every


def test_no_status_is_that_of_an_unforeseen_fault() -> None:
    assert {status for status in STATUSES.values() if status >= 500} == {502, 503}


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (NotFoundError("thread", "t1"), 404, "Thread with ID t1 not found"),
        (NotFoundError("run", "r1"), 404, "Not Found"),
        (NotFoundError("assistant", "a1"), 404, "Not Found"),
        (AlreadyExistsError("thread", "t1"), 409, "Thread with ID t1 already exists"),
        (AlreadyExistsError("assistant", "a1"), 409, "Assistant a1 already exists"),
        (VersionNotFoundError("a1", 99), 404, "Version 99 not found for assistant a1"),
        (ForbiddenError(), 403, "Forbidden"),
        (ForbiddenError("not on Sundays"), 403, "not on Sundays"),
        (UnauthenticatedError(), 401, "no valid credentials"),
        (UnknownGraphError("x", ["b", "a"]), 404, "Graph 'x' not found. Expected one of: ['a', 'b']"),
        (
            UnknownAssistantNameError("x", ["a"]),
            422,
            "Invalid assistant: 'x'. Must be either:\n- A valid assistant UUID, or\n- One of the registered graphs: a",
        ),
        (
            ThreadBusyError("t1"),
            409,
            "Thread is already running a task. Wait for it to finish or choose a different multitask strategy.",
        ),
        (
            GraphLoadError("g", "./g.py, line 3", "ImportError: no"),
            424,
            "graph 'g' cannot be loaded: ImportError: no (./g.py, line 3)",
        ),
        (StorageError("disk /secret/path is full"), 503, "Storage unavailable"),
    ],
)
def test_an_error_is_answered_with_its_status_and_text(error: LonglineError, status: int, detail: str) -> None:
    assert (status_of(error), detail_of(error)) == (status, detail)
    reply = error_reply(error)
    assert reply.status_code == status
    assert orjson.loads(reply.body) == {"detail": detail}


def test_who_is_not_let_in_is_told_how() -> None:
    assert headers_of(UnauthenticatedError()) == {"www-authenticate": "Bearer"}
    assert headers_of(ForbiddenError()) == {}


def test_a_fault_of_the_server_says_nothing_of_itself() -> None:
    reply = error_reply(LonglineError("a detail from inside"))
    assert reply.status_code == 500
    assert reply.body == b"Internal Server Error"
