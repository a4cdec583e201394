"""LangGraph's own suite for savers, with all the capabilities that it knows."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer

from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin

Reopen = Callable[[], AbstractAsyncContextManager[Storage]]


@pytest.mark.anyio
@pytest.mark.parametrize("fenced", [False, True])
async def test_the_saver_passes_the_whole_conformance_suite(reopen: Reopen, fenced: bool) -> None:
    async def savers() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        async with reopen() as storage:
            yield await storage.checkpointer((await begin(storage)).lease if fenced else None)

    # A fenced saver files every row under its own run, so it cannot delete for the runs that the suite makes up.
    skipped = {Capability.DELETE_FOR_RUNS.value} if fenced else set()
    report = await validate(RegisteredCheckpointer("longline-postgres", savers, skip_capabilities=skipped))
    results = {name: (result.passed, result.failures) for name, result in report.results.items()}
    assert results == {
        capability.value: (None if capability.value in skipped else True, []) for capability in Capability
    }
