"""The contract of ProtocolMount: an app that the server can put below its path, behind its own gates."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import pytest

from longline.asgi.mount import ProtocolMount
from longline.asgi.router import assemble
from longline.asgi.types import ASGIApp
from longline.auth.authenticator import Authenticator, Credentials
from longline.auth.principal import Principal
from longline.errors import BodyTooLargeError, UnauthenticatedError
from longline.testing.protocol_client import ask, open_socket

_UNKNOWN: Final = "/no-such-place-8c1f"
_MAX_BODY: Final = 1_000_000
_GOOD: Final = {"authorization": "Bearer good"}


class _OneToken:
    name = "one_token"

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        return Principal(identity="ann") if credentials.bearer == "good" else None


@asynccontextmanager
async def serve_mount(mount: ProtocolMount, authenticators: Sequence[Authenticator] = ()) -> AsyncIterator[ASGIApp]:
    """The mount as the server serves it: its lifespan entered once, its app behind limits and authentication."""
    app = assemble([mount], [], authenticators, max_body_bytes=_MAX_BODY)
    if mount.lifespan is None:
        yield app
        return
    async with mount.lifespan():
        yield app


@pytest.mark.anyio
class ProtocolContract:
    """Needs the fixture `mount`: a fresh ProtocolMount whose lifespan nobody has entered."""

    def test_the_path_is_the_root_or_begins_with_a_slash_and_ends_without(self, mount: ProtocolMount) -> None:
        if mount.path:
            assert mount.path.startswith("/")
            assert not mount.path.endswith("/")
            assert "//" not in mount.path
            assert not {"?", "#", " "} & set(mount.path)

    def test_public_paths_begin_with_a_slash_or_are_the_mount_itself(self, mount: ProtocolMount) -> None:
        assert [path for path in mount.public_paths if not path.startswith("/") and (path or not mount.path)] == []

    async def test_an_unauthenticated_request_is_refused_with_401(self, mount: ProtocolMount) -> None:
        answer = await ask(mount.refuse(UnauthenticatedError("no badge")), "POST", mount.path or "/")
        assert answer.status == 401
        assert answer.body

    async def test_a_body_that_is_too_large_is_refused_with_413(self, mount: ProtocolMount) -> None:
        answer = await ask(mount.refuse(BodyTooLargeError(5)), "POST", mount.path or "/", body=b"123456")
        assert answer.status == 413
        assert answer.body

    async def test_a_websocket_that_is_refused_is_closed_and_gets_nothing(self, mount: ProtocolMount) -> None:
        sent = await open_socket(mount.refuse(UnauthenticatedError()), mount.path or "/")
        kinds = [message["type"] for message in sent if message["type"] != "websocket.http.response.body"]
        assert kinds in (
            ["websocket.close"],
            ["websocket.http.response.start"],
            ["websocket.accept", "websocket.close"],  # for pages: they cannot read the status of a refused upgrade
        )

    async def test_it_starts_and_stops_without_a_lifespan_event(self, mount: ProtocolMount) -> None:
        async with serve_mount(mount) as app:
            assert (await ask(app, "GET", mount.path + _UNKNOWN)).status == 404

    async def test_an_unknown_path_is_answered_with_404(self, mount: ProtocolMount) -> None:
        async with serve_mount(mount) as app:
            for method in ("GET", "POST", "DELETE"):
                answer = await ask(app, method, mount.path + _UNKNOWN, body=b"{}" if method == "POST" else b"")
                assert answer.status == 404

    async def test_public_paths_exist_and_need_no_credentials(self, mount: ProtocolMount) -> None:
        async with serve_mount(mount, [_OneToken()]) as app:
            for path in sorted(mount.public_paths):
                answer = await ask(app, "GET", mount.path + path)
                assert answer.status not in (401, 403), path
                assert answer.status != 404 or "{" in path, path  # nothing of that name needs to be there
                assert answer.status < 500, path

    async def test_other_paths_need_credentials(self, mount: ProtocolMount) -> None:
        async with serve_mount(mount, [_OneToken()]) as app:
            assert (await ask(app, "GET", mount.path + _UNKNOWN)).status == 401
            assert (await ask(app, "GET", mount.path + _UNKNOWN, headers=_GOOD)).status == 404

    async def test_a_body_that_announces_to_be_too_large_is_refused_unread(self, mount: ProtocolMount) -> None:
        async with serve_mount(mount) as app:
            headers = {"content-length": str(_MAX_BODY + 1)}
            answer = await ask(app, "POST", mount.path + _UNKNOWN, headers=headers)
            assert answer.status == 413
