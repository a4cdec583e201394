"""What a source hears of changed agents, collected while a test goes on."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.supabase.project import Project

from longline_supabase_sync.places import Place
from longline_supabase_sync.source import SupabaseSource
from longline_supabase_sync.triggers import install

_SECONDS = 20.0


class Ears:
    """The keys that were heard, in order."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._news = asyncio.Event()

    def hear(self, key: str) -> None:
        self.keys.append(key)
        self._news.set()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Until the condition holds; it is looked at whenever something is heard."""
        try:
            async with asyncio.timeout(_SECONDS):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{what}; heard: {self.keys}") from None

    async def until_heard(self, *keys: str) -> None:
        await self.until(lambda: set(keys) <= set(self.keys), f"not all of {keys} were heard")


@asynccontextmanager
async def listening(source: SupabaseSource) -> AsyncIterator[Ears]:
    """Read the changes of an open source that has listed once."""
    ears = Ears()

    async def read() -> None:
        async for keys in source.changes():
            for key in keys:
                ears.hear(key)

    task = asyncio.create_task(read())
    try:
        yield ears
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            raise AssertionError("reading changes failed") from task.exception()


def install_in(project: Project, role: str | None = None) -> None:
    """The triggers, and what `role` needs."""
    install(Place(project.url, "supabase_sync.database", 5), role)


async def only(ears: Ears, project: Project, organization: str, *keys: str) -> None:
    """These were heard since the last time, and nothing else: a last change is heard behind all before it."""
    last = project.add_agent(organization, f"zuletzt {uuid.uuid4()}")
    await ears.until_heard(last)
    assert sorted(ears.keys) == sorted([*keys, last])
    ears.keys.clear()
