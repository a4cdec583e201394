"""May this server call a URL that a caller gave? Asked when it is given, and with the address when it is used.

Core decides; the HTTP client is the plugin's. It must connect to the address that was checked (a name may lead
somewhere else a moment later), follow no redirect, and bound what it waits for and reads.
"""

import asyncio
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from longline.auth.addresses import Address, Network, blocked_range, is_loopback, parse_address
from longline.errors import UrlRefusedError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_RESOLVING: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="longline-names")
"""Names that callers gave: whoever lets them take long holds up neither nodes nor what the server itself looks up."""

Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Host name and port → its addresses, in the order in which they should be tried. Raises OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlPolicy:
    """Where URLs of one purpose may point: anywhere public by default. `purpose` is its name ("webhook").

    `allowed_domains` are host names, `*.example.com` any name below example.com; empty: every name. `allowed_ports`
    empty: every port. `allow_loopback` lets calls go to this machine, paths of this server (`/path`) included;
    `allowed_networks` to networks that are not public."""

    purpose: str
    require_https: bool = False
    allowed_domains: tuple[str, ...] = ()
    allowed_ports: tuple[int, ...] = ()
    allowed_networks: tuple[Network, ...] = ()
    allow_loopback: bool = False
    max_length: int = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlTarget:
    """A URL that passed: where to connect. `host` is None for a path of this server."""

    url: str
    scheme: str
    host: str | None
    port: int
    address: Address | None
    """The address, where the host is one."""


def check_url(policy: UrlPolicy, url: str) -> UrlTarget:
    """What can be told without asking anybody: form, scheme, length, port, host. Raises UrlRefusedError."""
    if len(url) > policy.max_length:
        raise UrlRefusedError(policy.purpose, f"longer than {policy.max_length} characters")
    target = _parse(policy, url)
    if target.host is None:
        return target
    if policy.allowed_ports and target.port not in policy.allowed_ports:
        raise UrlRefusedError(policy.purpose, f"port {target.port} not allowed")
    if policy.allowed_domains and not any(_is_below(target.host, domain) for domain in policy.allowed_domains):
        raise UrlRefusedError(policy.purpose, "domain not allowed")
    if target.address is not None:
        check_address(policy, target.address)
    elif not policy.allow_loopback and (target.host == "localhost" or target.host.endswith(".localhost")):
        raise UrlRefusedError(policy.purpose, "loopback IP range")
    return target


def check_address(policy: UrlPolicy, address: Address) -> None:
    """Whether an address may be connected to. Raises UrlRefusedError."""
    blocked = blocked_range(address)
    if blocked is None or (policy.allow_loopback and is_loopback(address)):
        return
    if any(address in network for network in policy.allowed_networks if network.version == address.version):
        return
    raise UrlRefusedError(policy.purpose, blocked)


async def resolve_url(policy: UrlPolicy, url: str, *, resolver: Resolver | None = None) -> Sequence[Address]:
    """The addresses to connect to, checked: connect to one of these and no other. One that is not allowed spoils all: a
    name that leads to public and private places alike is not trusted. Raises UrlRefusedError; OSError if the name has
    no address."""
    target = check_url(policy, url)
    if target.host is None:
        return []
    if target.address is not None:
        return [target.address]
    addresses = await (resolver or resolve)(target.host, target.port)
    if not addresses:
        raise OSError(f"no address for {target.host!r}")  # noqa: TRY003  # as a resolver would
    for address in addresses:
        check_address(policy, address)
    return addresses


async def resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses of a name, as this machine resolves it. Raises OSError."""
    look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.get_running_loop().run_in_executor(_RESOLVING, look)
    except UnicodeError as error:
        raise OSError(f"{host!r} is no host name") from error  # noqa: TRY003  # as a resolver would
    parsed = (parse_address(str(entry[4][0])) for entry in found)
    return list(dict.fromkeys(address for address in parsed if address is not None))


class UrlPolicies:
    """The policies of this server by purpose. Without one of its own, a purpose may go anywhere public."""

    def __init__(self, policies: Iterable[UrlPolicy] = ()) -> None:
        self._policies = {policy.purpose: policy for policy in policies}

    def get(self, purpose: str) -> UrlPolicy:
        """The policy."""
        return self._policies.get(purpose) or UrlPolicy(purpose=purpose)

    def check(self, purpose: str, url: str) -> UrlTarget:
        """See check_url. Raises UrlRefusedError."""
        return check_url(self.get(purpose), url)


def _parse(policy: UrlPolicy, url: str) -> UrlTarget:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UrlRefusedError(policy.purpose, "not an absolute URL with a host") from None
    if any(ord(character) <= 0x20 or character == "\\" for character in url):  # noqa: PLR2004  # blanks and controls
        raise UrlRefusedError(policy.purpose, "not an absolute URL with a host")
    if not parts.scheme:
        if not policy.allow_loopback:
            raise UrlRefusedError(policy.purpose, "relative URLs are not allowed")
        if not url.startswith("/") or url.startswith("//"):
            raise UrlRefusedError(policy.purpose, "not an absolute URL with a host")
        return UrlTarget(url=url, scheme="", host=None, port=0, address=None)
    if parts.scheme not in _DEFAULT_PORTS or (policy.require_https and parts.scheme != "https"):
        raise UrlRefusedError(policy.purpose, f"scheme {parts.scheme!r} not allowed")
    # HTTP clients read digits and dots of any script as plain ones.
    name = unicodedata.normalize("NFKC", host or "").replace("\u3002", ".").rstrip(".").lower()
    if not name or parts.username is not None or parts.password is not None:
        raise UrlRefusedError(policy.purpose, "not an absolute URL with a host and without a password")
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    return UrlTarget(url=url, scheme=parts.scheme, host=name, port=port, address=parse_address(name))


def _is_below(host: str, domain: str) -> bool:
    wanted = domain.lower().rstrip(".")
    if wanted.startswith("*."):
        return host.endswith(wanted[1:]) and len(host) > len(wanted) - 1
    return host == wanted
