"""Both clients of the Python SDK behind one way of calling, and a record of what was called."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

RESOURCES = ("assistants", "threads", "runs", "crons", "store")

Test = Callable[..., Any]


def calls(*methods: str) -> Callable[[Test], Test]:
    """Names the methods (`runs.wait`) that a test calls; the fixture `sdk` fails the test when it does not."""

    def mark(test: Test) -> Test:
        test.calls = methods  # type: ignore[attr-defined]  # read by the fixture and by test_sdk_surface
        return test

    return mark


@dataclass(slots=True)
class Sdk:
    """A client, synchronous or not. Every call goes through here, so that one test serves both."""

    client: LangGraphClient | SyncLangGraphClient
    called: set[str] = field(default_factory=set)

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """What a method answers."""
        answer = self._begin(method, *args, **kwargs)
        return await answer if inspect.isawaitable(answer) else answer

    async def stream(self, method: str, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The parts of a stream as they come."""
        parts = self._begin(method, *args, **kwargs)
        if inspect.isawaitable(parts):  # threads.join_stream alone
            parts = await parts
        if isinstance(parts, Iterator):
            for part in parts:
                yield part
        else:
            async for part in parts:
                yield part

    async def parts(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """The whole stream."""
        return [part async for part in self.stream(method, *args, **kwargs)]

    def open(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """What a method returns, not awaited."""
        return self._begin(method, *args, **kwargs)

    def _begin(self, method: str, *args: Any, **kwargs: Any) -> Any:
        resource, name = method.split(".")
        found = getattr(getattr(self.client, resource), name)
        self.called.add(method)
        return found(*args, **kwargs)
