"""Projects with rows in them, and sources that read them."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from tests.plugins.supabase_sync.readers import Reader, new_reader
from tests.supabase.project import Project, fresh_project

from longline.settings import ServerSettings
from longline_supabase_sync.settings import SyncSettings
from longline_supabase_sync.source import SupabaseSource

OpenSource = Callable[..., AbstractAsyncContextManager[SupabaseSource]]


@pytest.fixture
def project() -> Iterator[Project]:
    """An empty project with today's tables."""
    with fresh_project() as project:
        yield project


@pytest.fixture
def organization(project: Project) -> str:
    return project.add_organization("Kanzlei Müller & Söhne")


@pytest.fixture
def reader(project: Project) -> Iterator[Reader]:
    """A user of the project's database who may read."""
    with new_reader(project) as reader:
        yield reader


def source_of(project_url: str, **settings: object) -> SupabaseSource:
    """A source of a project, not open; `settings` are of the section."""
    values = {"database": project_url, "scope": "all", **settings}
    return SupabaseSource(SyncSettings.model_validate(values), ServerSettings())


@pytest.fixture
def open_source(project: Project) -> OpenSource:
    """`open_source(scope=…, …)`: a source of the project, or of `database`."""

    @asynccontextmanager
    async def opened(**settings: object) -> AsyncIterator[SupabaseSource]:
        source = source_of(project.url, **settings)
        async with source.open():
            yield source

    return opened
