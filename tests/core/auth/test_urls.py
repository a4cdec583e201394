"""URLs that callers give: which addresses count as public, what a policy refuses, and that a name is not trusted."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.auth.addresses import Address, blocked_range, parse_address
from longline.auth.urls import UrlPolicies, UrlPolicy, check_url, resolve, resolve_url
from longline.errors import UrlRefusedError

PUBLIC = UrlPolicy(purpose="webhook")
HERE = UrlPolicy(purpose="webhook", allow_loopback=True)


@pytest.mark.parametrize(
    ("text", "blocked"),
    [
        ("0.0.0.0", "unspecified address"), ("0.1.2.3", "unspecified address"), ("::", "unspecified address"),
        ("127.0.0.1", "loopback IP range"), ("127.255.255.254", "loopback IP range"), ("::1", "loopback IP range"),
        ("10.0.0.1", "private IP range"), ("172.16.0.1", "private IP range"), ("172.31.255.255", "private IP range"),
        ("192.168.1.1", "private IP range"), ("fd00::1", "private IP range"), ("fec0::1", "private IP range"),
        ("169.254.169.254", "link-local IP range"), ("fe80::1", "link-local IP range"),
        ("100.64.0.1", "shared (CGNAT) IP range"), ("100.127.255.255", "shared (CGNAT) IP range"),
        ("224.0.0.1", "multicast IP range"), ("239.1.1.1", "multicast IP range"), ("ff02::1", "multicast IP range"),
        ("192.0.0.8", "reserved IP range"), ("192.0.2.1", "reserved IP range"), ("192.88.99.1", "reserved IP range"),
        ("198.18.0.1", "reserved IP range"), ("198.51.100.1", "reserved IP range"),
        ("203.0.113.1", "reserved IP range"), ("240.0.0.1", "reserved IP range"),
        ("255.255.255.255", "reserved IP range"), ("2001:db8::1", "reserved IP range"),
        ("2001::1", "reserved IP range"), ("3fff::1", "reserved IP range"), ("100::1", "reserved IP range"),
        ("64:ff9b:1::1", "reserved IP range"), ("4000::1", "reserved IP range"),
        ("::ffff:127.0.0.1", "loopback IP range"), ("::ffff:10.0.0.1", "private IP range"),
        ("64:ff9b::7f00:1", "loopback IP range"), ("64:ff9b::a9fe:a9fe", "link-local IP range"),
        ("2002:7f00:1::", "loopback IP range"), ("2002:c0a8:101::1", "private IP range"),
        ("::7f00:1", "loopback IP range"), ("::a00:1", "private IP range"),
        ("93.184.216.34", None), ("100.128.0.1", None), ("172.32.0.1", None), ("2606:4700::1111", None),
        ("::ffff:93.184.216.34", None), ("64:ff9b::5db8:d822", None), ("2002:5db8:d822::1", None),
    ],
)  # fmt: skip
def test_only_public_addresses_may_be_called(text: str, blocked: str | None) -> None:
    assert blocked_range(ip_address(text)) == blocked


@given(st.ip_addresses(v=4))
def test_what_the_standard_library_knows_as_not_public_is_blocked(address: Address) -> None:
    if not address.is_global:
        assert blocked_range(address) is not None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"), ("2130706433", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"),
        ("::1", "::1"), ("fe80::1%eth0", "fe80::1"), ("example.test", None), ("", None), ("a b", None), ("ü", None),
    ],
)  # fmt: skip
def test_an_address_is_known_in_every_spelling(host: str, address: str | None) -> None:
    assert parse_address(host) == (None if address is None else ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "/ok", "ok", "//host/path", "", "ftp://x", "file:///etc/passwd", "http://", "http:///x", "http://[::1",
        "http://h:x/", "http://h:99999/", "http://127.0.0.1/", "http://127.1/", "http://2130706433/",
        "http://0x7f000001/", "http://localhost:80/", "http://LOCALHOST./", "http://a.localhost/", "http://[::1]/",
        "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "https://[::]/", "http://user:pass@example.test/",
        "http://user@example.test/", "http://exa mple.test/", "http://example.test\\@127.0.0.1/",
        "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://ⓛocalhost/", "http://...",
        "http://example.test/\r\nx: y", "http://10.0.0.1/", "http://169.254.169.254/", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_a_url_must_be_absolute_and_leave_this_machine_for_a_public_place(url: str) -> None:
    with pytest.raises(UrlRefusedError, match=r"^webhook host blocked: ") as refused:
        check_url(PUBLIC, url)
    assert refused.value.code == "url_refused"
    assert "pass" not in str(refused.value).replace("password", "")


@pytest.mark.parametrize(
    "url", ["http://example.test/hook", "https://93.184.216.34:8443/", "HTTP://Example.TEST", "https://[2606:4700::1]/"]
)
def test_a_url_that_leads_to_a_public_place_is_taken(url: str) -> None:
    assert check_url(PUBLIC, url).host is not None


def test_where_loopback_is_allowed_paths_are_too_and_nothing_else() -> None:
    for url in ("http://localhost:8000/hook", "http://127.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/"):
        assert check_url(HERE, url).host is not None
    assert check_url(HERE, "/custom/hook?x=1").host is None
    for url in ("ftp://localhost/", "//host/x", "custom", "http://10.0.0.1/", "http://169.254.169.254/", "/a b"):
        with pytest.raises(UrlRefusedError):
            check_url(HERE, url)


@pytest.mark.parametrize(
    ("policy", "good", "bad"),
    [
        (UrlPolicy(purpose="x", require_https=True), "https://a.test/", "http://a.test/"),
        (UrlPolicy(purpose="x", allowed_domains=("a.test",)), "http://A.test./", "http://b.a.test/"),
        (UrlPolicy(purpose="x", allowed_domains=("*.a.test",)), "http://b.a.test/", "http://a.test/"),
        (UrlPolicy(purpose="x", allowed_domains=("*.a.test",)), "http://c.b.a.test/", "http://ba.test/"),
        (UrlPolicy(purpose="x", allowed_ports=(443,)), "https://a.test/", "http://a.test/"),
        (UrlPolicy(purpose="x", allowed_ports=(8080,)), "http://a.test:8080/", "http://a.test:8081/"),
        (UrlPolicy(purpose="x", max_length=14), "http://a.test/", "http://a.test/x"),
        (UrlPolicy(purpose="x", allowed_networks=(IPv4Network("10.0.0.0/8"),)), "http://10.9.9.9/", "http://192.168.0.1/"),
    ],
)  # fmt: skip
def test_a_policy_narrows_or_widens(policy: UrlPolicy, good: str, bad: str) -> None:
    check_url(policy, good)
    with pytest.raises(UrlRefusedError, match=r"^x host blocked"):
        check_url(policy, bad)


@given(st.text(max_size=40) | st.text(alphabet="htp:/@[]%.\\1270x#?a", max_size=30).map("http://".__add__))
def test_no_text_makes_the_check_stumble_or_lets_it_through_to_this_machine(text: str) -> None:
    try:
        target = check_url(PUBLIC, text)
    except UrlRefusedError:
        return
    assert target.host
    assert parse_address(target.host) is None or blocked_range(parse_address(target.host)) is None


def _answering(*texts: str):
    async def resolver(host: str, port: int) -> Sequence[Address]:
        return [ip_address(text) for text in texts]

    return resolver


@pytest.mark.anyio
async def test_a_name_is_looked_at_by_its_addresses_and_one_bad_one_spoils_all() -> None:
    good = await resolve_url(PUBLIC, "http://a.test/", resolver=_answering("93.184.216.34", "2606:4700::1"))
    assert [str(address) for address in good] == ["93.184.216.34", "2606:4700::1"]
    for bad in ("127.0.0.1", "10.0.0.1", "::ffff:192.168.0.1", "64:ff9b::7f00:1"):
        with pytest.raises(UrlRefusedError):
            await resolve_url(PUBLIC, "http://a.test/", resolver=_answering("93.184.216.34", bad))
    with pytest.raises(OSError, match="no address"):
        await resolve_url(PUBLIC, "http://a.test/", resolver=_answering())
    assert [str(a) for a in await resolve_url(PUBLIC, "http://93.184.216.34/", resolver=_answering("10.0.0.1"))] == [
        "93.184.216.34"
    ]
    assert await resolve_url(HERE, "/path", resolver=_answering()) == []


@pytest.mark.anyio
async def test_this_machine_resolves_its_own_name() -> None:
    addresses = await resolve("localhost", 80)
    assert addresses
    assert all(address.is_loopback for address in addresses)
    with pytest.raises(OSError, match="is no host name"):
        await resolve("a" * 300, 80)


@pytest.mark.anyio
async def test_names_that_take_long_hold_up_no_threads_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()

    def look(*given: object, **more: object) -> list[object]:
        is_over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    resolving = asyncio.create_task(resolve("slow.example", 443))
    await asyncio.sleep(0)
    node = asyncio.create_task(asyncio.to_thread(int))
    try:
        done, _ = await asyncio.wait({resolving, node}, return_when=asyncio.FIRST_COMPLETED)
        assert done == {node}
    finally:
        is_over.set()
    assert await resolving == []


def test_a_purpose_without_a_policy_may_go_anywhere_public() -> None:
    policies = UrlPolicies([HERE])
    policies.check("webhook", "http://127.0.0.1/")
    policies.check("push", "http://a.test/")
    with pytest.raises(UrlRefusedError, match=r"^push host blocked: loopback"):
        policies.check("push", "http://127.0.0.1/")
