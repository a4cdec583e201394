"""Calls go to the address that was checked, whatever the name leads to a moment later."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.plugins.webhooks.receiver import Receiver, receiving

from longline.auth.addresses import Address
from longline.auth.urls import UrlPolicy
from longline.errors import CallFailedError, UrlRefusedError
from longline_webhooks.transport import HttpSender

pytestmark = pytest.mark.anyio

HERE = UrlPolicy(purpose="webhook", allow_loopback=True)
PUBLIC = UrlPolicy(purpose="webhook")


class Names:
    """A resolver that answers in turn, and then as the last time."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append((host, port))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ip_address(text) for text in answer]


async def _post(policy: UrlPolicy, url: str, names: Names, trust: ssl.SSLContext | None = None) -> int:
    async with HttpSender(policy, timeout_seconds=5, resolver=names, trust=trust) as sender:
        return (await sender.post(url, {"x-a": "b"}, b"{}")).status


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def test_a_name_is_resolved_once_and_the_call_goes_to_that_address(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["93.184.216.34"])
    assert await _post(HERE, f"http://hook.test:{receiver.port}/x?y=1", names) == 200
    assert names.asked == [("hook.test", receiver.port)]
    (call,) = receiver.calls
    assert (call.path, call.headers["host"], call.headers["x-a"]) == ("/x?y=1", f"hook.test:{receiver.port}", "b")


async def test_a_name_that_leads_to_this_machine_is_refused_before_anybody_is_called(receiver: Receiver) -> None:
    for found in (["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"]):
        with pytest.raises(UrlRefusedError, match="loopback"):
            await _post(PUBLIC, f"http://hook.test:{receiver.port}/", Names(found))
    assert receiver.calls == []


@pytest.mark.parametrize(
    "url",
    ["http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://2130706433/", "http://[::ffff:7f00:1]/", "http://xn--a/"],
)
async def test_a_url_is_judged_as_the_http_client_reads_it(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        await _post(PUBLIC, url, Names(["127.0.0.1"]))


async def test_each_call_looks_again(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with HttpSender(HERE, timeout_seconds=5, resolver=names) as sender:
        url = f"http://hook.test:{receiver.port}/"
        assert (await sender.post(url, {}, b"")).status == 200
        with pytest.raises(UrlRefusedError, match="private"):
            await sender.post(url, {}, b"")
    assert len(receiver.calls) == 1


async def test_the_next_address_is_tried_where_nobody_listens(receiver: Receiver) -> None:
    assert await _post(HERE, f"http://hook.test:{receiver.port}/", Names(["127.0.0.2", "127.0.0.1"])) == 200


async def test_a_redirect_is_not_followed() -> None:
    async with receiving((302, {"location": "/elsewhere"})) as receiver:
        assert await _post(HERE, receiver.url, Names(["127.0.0.1"])) == 302
        assert len(receiver.calls) == 1


async def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await _post(HERE, receiver.url, Names([])) == 200


async def test_who_does_not_answer_in_time_or_speaks_no_http_counts_as_failed() -> None:
    async with receiving() as receiver:
        receiver.hold = asyncio.Event()
        async with HttpSender(HERE, timeout_seconds=0.2) as sender:
            with pytest.raises(CallFailedError, match="Timeout"):
                await sender.post(receiver.url, {}, b"")
    with pytest.raises(CallFailedError, match="ConnectError"):
        await _post(HERE, receiver.url, Names([]))


async def test_the_head_of_an_answer_is_bounded() -> None:
    async with receiving((200, {"x-big": "y" * 1_000_000})) as receiver:
        with pytest.raises(CallFailedError):
            await _post(HERE, receiver.url, Names([]))


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What serves under a name, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    trusting = ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
    return serving, trusting


async def test_tls_asks_for_the_certificate_of_the_name_not_of_the_address(tmp_path: Path) -> None:
    serving, trusting = _certificate(tmp_path, "hook.test")
    async with receiving(tls=serving) as receiver:
        names = Names(["127.0.0.1"])
        assert await _post(HERE, f"https://hook.test:{receiver.port}/", names, trusting) == 200
        with pytest.raises(CallFailedError, match="ConnectError"):
            await _post(HERE, f"https://other.test:{receiver.port}/", names, trusting)
        with pytest.raises(CallFailedError, match="ConnectError"):
            await _post(HERE, f"https://hook.test:{receiver.port}/", names)
        assert len(receiver.calls) == 1


@pytest.mark.parametrize("host", ["fa\u00df.test", "xn--fa-hia.test", "FA\u00df.test"])
async def test_tls_asks_for_the_name_that_was_resolved(tmp_path: Path, host: str) -> None:
    serving, trusting = _certificate(tmp_path, "xn--fa-hia.test")
    async with receiving(tls=serving) as receiver:
        names = Names(["127.0.0.1"])
        assert await _post(HERE, f"https://{host}:{receiver.port}/", names, trusting) == 200
        assert names.asked == [("xn--fa-hia.test", receiver.port)]
