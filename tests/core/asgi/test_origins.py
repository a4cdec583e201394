"""Which names a server answers to, and whose pages may call it."""

import pytest

from longline.asgi.origins import RequestGuard
from longline.asgi.types import Scope


def scope_of(host: str = "", origin: str = "", server: str = "127.0.0.1") -> Scope:
    headers = [(name, value.encode()) for name, value in ((b"host", host), (b"origin", origin)) if value]
    return {"type": "http", "headers": headers, "server": (server, 2024)}


OPEN = RequestGuard(hosts=(), origins=(), is_open=True)
CLOSED = RequestGuard(hosts=(), origins=(), is_open=False)
NAMED = RequestGuard(
    hosts=("agents.example", "*.ships.example", "10.0.0.1:80"), origins=("https://app.example/",), is_open=True
)


@pytest.mark.parametrize(
    ("guard", "host", "server", "expected"),
    [
        (OPEN, "localhost:2024", "127.0.0.1", True),
        (OPEN, "LOCALHOST", "::1", True),
        (OPEN, "127.0.0.1:1", "127.0.0.1", True),
        (OPEN, "[::1]:2024", "::1", True),
        (OPEN, "evil.localhost", "127.0.0.1", True),
        (OPEN, "", "127.0.0.1", True),
        (OPEN, "evil.example", "127.0.0.1", False),
        (OPEN, "localhost.evil.example", "127.0.0.1", False),
        (OPEN, "127.0.0.1.evil.example", "127.0.0.1", False),
        (OPEN, "10.0.0.7", "127.0.0.1", False),
        (OPEN, "anything.example", "10.0.0.7", True),
        (CLOSED, "anything.example", "127.0.0.1", True),
        (NAMED, "agents.example", "127.0.0.1", True),
        (NAMED, "Agents.Example:443", "10.0.0.7", True),
        (NAMED, "a.b.ships.example", "10.0.0.7", True),
        (NAMED, "ships.example", "10.0.0.7", False),
        (NAMED, "10.0.0.1:80", "10.0.0.1", True),
        (NAMED, "10.0.0.1:81", "10.0.0.1", False),
        (NAMED, "localhost", "127.0.0.1", False),
        (NAMED, "", "10.0.0.1", False),
    ],
)
def test_only_names_of_this_server_are_answered(guard: RequestGuard, host: str, server: str, expected: bool) -> None:
    assert guard.is_meant(scope_of(host, server=server)) is expected


@pytest.mark.parametrize(
    ("guard", "host", "origin", "expected"),
    [
        (CLOSED, "agents.example", "https://agents.example", True),
        (CLOSED, "agents.example:8443", "https://agents.example:8443", True),
        (CLOSED, "agents.example", "https://agents.example:8443", False),
        (CLOSED, "agents.example", "https://evil.example", False),
        (CLOSED, "agents.example", "null", False),
        (CLOSED, "agents.example", "evil", False),
        (CLOSED, "", "https://", False),
        (CLOSED, "agents.example", "https://[", False),
        (OPEN, "127.0.0.1:2024", "http://localhost:3000", True),
        (OPEN, "127.0.0.1:2024", "http://evil.example", False),
        (CLOSED, "agents.example", "http://localhost:3000", False),
        (NAMED, "agents.example", "https://app.example", True),
        (NAMED, "agents.example", "HTTPS://APP.example", True),
        (NAMED, "agents.example", "http://app.example", False),
        (RequestGuard(hosts=(), origins=("*",), is_open=False), "agents.example", "null", True),
    ],
)
def test_only_pages_that_may_call_are_answered(guard: RequestGuard, host: str, origin: str, expected: bool) -> None:
    assert guard.is_allowed(scope_of(host, origin)) is expected


def test_every_origin_that_a_request_names_must_be_allowed() -> None:
    scope = scope_of("agents.example", "https://agents.example")
    assert CLOSED.is_allowed(scope)
    scope["headers"].append((b"Origin", b"https://evil.example"))
    assert not CLOSED.is_allowed(scope)
