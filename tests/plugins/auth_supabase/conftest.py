"""A project's Auth server for every test that asks for one, and authenticators that trust it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.auth_supabase.asking import Clock, authenticator_for
from tests.plugins.protocol_langgraph.graphs import seeing
from tests.plugins.protocol_langgraph.served import PLUGINS, Served, serve_graphs
from tests.supabase.identity import KEY, Identity, serve_identity
from tests.supabase.project import User

from longline_auth_supabase.authenticator import SupabaseAuthenticator

ANNA = User("7a1f0d2e-94d5-4c2e-9a43-3a4d9c1f5b10", "anna@kanzlei.example")

Make = Callable[..., SupabaseAuthenticator]
Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def identity() -> Iterator[Identity]:
    """The Auth server."""
    with serve_identity() as identity:
        yield identity


@pytest.fixture
def anna() -> User:
    """Somebody who has an account there."""
    return ANNA


@pytest.fixture
async def make(anyio_backend: str, identity: Identity) -> AsyncIterator[Make]:
    """`make(**settings)`: an authenticator, closed at the end."""
    made: list[SupabaseAuthenticator] = []

    def call(**settings: object) -> SupabaseAuthenticator:
        made.append(authenticator_for(identity, **settings))
        return made[-1]

    yield call
    for authenticator in made:
        await authenticator.close()


@pytest.fixture
def serve(tmp_path: Path, identity: Identity) -> Serve:
    """`serve(**settings)`: a server that lets the users of the project in."""

    @asynccontextmanager
    async def call(sections: dict[str, dict[str, Any]] | None = None, **settings: object) -> AsyncIterator[Served]:
        values = {"auth_supabase": {"url": identity.url, "key": KEY, **settings}, **(sections or {})}
        plugins = (*PLUGINS, "auth_supabase", "metrics_prometheus")
        async with serve_graphs(tmp_path, {"see": seeing()}, values, plugins=plugins) as served:
            yield served

    return call
