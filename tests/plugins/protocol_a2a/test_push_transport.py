"""Notifications go to the address that was checked, whatever the name leads to a moment later."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address

import pytest
from tests.plugins.webhooks.receiver import Receiver, receiving

from longline.auth.addresses import Address
from longline.auth.urls import UrlPolicy
from longline.errors import CallFailedError, UrlRefusedError
from longline_protocol_a2a.push_settings import PushSettings
from longline_protocol_a2a.push_transport import PushSender

pytestmark = pytest.mark.anyio

PUBLIC = PushSettings().policy(allow_loopback=False)
HERE = PushSettings().policy(allow_loopback=True)


class Names:
    """A resolver that answers in turn, and then as the last time."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ip_address(text) for text in answer]


async def _post(policy: UrlPolicy, url: str, names: Names) -> int:
    async with PushSender(policy, timeout_seconds=5, resolver=names) as sender:
        return (await sender.post(url, {"x-a": "b"}, b"{}")).status


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def test_a_name_is_resolved_once_and_the_call_goes_to_that_address(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["93.184.216.34"])
    assert await _post(HERE, f"http://hook.test:{receiver.port}/x", names) == 200
    (call,) = receiver.calls
    assert (call.path, call.headers["host"], call.headers["x-a"]) == ("/x", f"hook.test:{receiver.port}", "b")


async def test_a_name_that_leads_inside_by_now_is_refused_before_anybody_is_called(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"], ["93.184.216.34", "169.254.169.254"], ["::ffff:192.168.0.1"])
    url = f"http://hook.test:{receiver.port}/"
    async with PushSender(HERE, timeout_seconds=5, resolver=names) as sender:
        assert (await sender.post(url, {}, b"")).status == 200
        for reason in ("private", "link-local", "private"):
            with pytest.raises(UrlRefusedError, match=reason):
                await sender.post(url, {}, b"")
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hook.test/", "scheme"), ("https://127.0.0.1/", "loopback"), ("https://0x7f.1/", "loopback"),
        ("https://[::1]/", "loopback"), ("https://localhost/", "loopback"), ("https://100.64.0.1/", "CGNAT"),
        ("/threads", "absolute"), ("https://a:b@hook.test/", "password"), ("ftp://hook.test/", "scheme"),
    ],
)  # fmt: skip
async def test_where_no_notification_goes_by_default(url: str, reason: str) -> None:
    with pytest.raises(UrlRefusedError, match=reason):
        await _post(PUBLIC, url, Names(["93.184.216.34"]))


async def test_paths_of_this_server_are_not_called_even_where_loopback_is_allowed() -> None:
    with pytest.raises(UrlRefusedError):
        await _post(HERE, "/threads", Names(["127.0.0.1"]))


async def test_a_redirect_is_not_followed() -> None:
    async with receiving((302, {"location": "/elsewhere"})) as receiver:
        assert await _post(HERE, receiver.url, Names(["127.0.0.1"])) == 302
        assert len(receiver.calls) == 1


async def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await _post(HERE, receiver.url, Names([])) == 200


async def test_who_does_not_answer_in_time_counts_as_failed() -> None:
    async with receiving() as receiver:
        receiver.hold = asyncio.Event()
        async with PushSender(HERE, timeout_seconds=0.2) as sender:
            with pytest.raises(CallFailedError, match="Timeout"):
                await sender.post(receiver.url, {}, b"")
