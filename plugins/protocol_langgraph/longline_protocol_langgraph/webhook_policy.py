"""Where a run's webhook may point. Names are not resolved here: who delivers must look at the address again."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from longline_protocol_langgraph.errors import (
    WebhookLoopbackError,
    WebhookNotAUrlError,
    WebhookRelativeError,
    WebhookSchemeError,
)

_SCHEMES = ("http", "https")


def check_webhook(url: str | None, *, allow_loopback: bool) -> None:
    """Raises WebhookRefusedError for a URL that is not absolute http(s), or that points at this machine."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # looking at it checks it
    except ValueError:
        raise WebhookNotAUrlError from None
    if not parts.scheme:
        raise WebhookRelativeError
    if parts.scheme not in _SCHEMES:
        raise WebhookSchemeError(parts.scheme)
    if not host:
        raise WebhookNotAUrlError
    if not allow_loopback and _is_loopback(host):
        raise WebhookLoopbackError


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and (address.is_loopback or address.is_unspecified)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is, in any spelling that resolvers take: `127.1`, `0x7f000001` and `2130706433` too."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
