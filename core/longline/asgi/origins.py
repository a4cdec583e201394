"""Who may call from where: the Host and Origin of requests. A page in a browser can make its visitor's machine call a
server that only that machine reaches; the two headers are what tells (DNS rebinding, cross-site requests)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from longline.asgi.types import Scope
from longline.auth.addresses import is_loopback, parse_address

_LOCAL: Final = "localhost"
_ALL: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestGuard:
    """What is answered. `hosts` are names, with a port or for any; `*.example.com` is every name below, `*` all; empty:
    all, but only this machine's own where the server `is_open` (nobody needs to show who they are) and was reached over
    its loopback address. `origins` are pages that may call, `*` all; the server's own always may, and this machine's
    may call a server on this machine."""

    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    is_open: bool

    def is_meant(self, scope: Scope) -> bool:
        """Whether the request was sent to a name that this server answers to."""
        host = header(scope, b"host").lower()
        if self.hosts:
            return any(_is_named(host, name.lower()) for name in self.hosts)
        reached = str((scope.get("server") or ("",))[0] or "")
        return not (self.is_open and _is_local(reached)) or not host or _is_local(_name_in(host))

    def is_allowed(self, scope: Scope) -> bool:
        """Whether the page that sent the request may call, if a page did."""
        host = header(scope, b"host").lower()
        return all(self._may_call(origin.lower(), host) for origin in headers(scope, b"origin"))

    def _may_call(self, origin: str, host: str) -> bool:
        if _ALL in self.origins or origin in (known.lower().rstrip("/") for known in self.origins):
            return True
        if "://" not in origin or not host:
            return False
        try:
            place = urlsplit(origin).netloc
        except ValueError:
            return False
        return place == host or (_is_local(_name_in(place)) and _is_local(_name_in(host)))


def headers(scope: Scope, name: bytes) -> list[str]:
    """All headers of this name (lower case), without blanks round them."""
    return [value.decode("latin-1").strip() for line, value in scope["headers"] if line.lower() == name]


def header(scope: Scope, name: bytes) -> str:
    """The first header of this name; empty if there is none."""
    return next(iter(headers(scope, name)), "")


def _is_named(host: str, name: str) -> bool:
    bare = _name_in(host)
    return bare.endswith(name[1:]) if name.startswith("*.") else name in (_ALL, host, bare)


def _name_in(host: str) -> str:
    """A host without its port."""
    return host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]


def _is_local(name: str) -> bool:
    """Whether a name or an address is this machine's own, by itself: names are not looked up."""
    if name == _LOCAL or name.endswith(f".{_LOCAL}"):
        return True
    address = parse_address(name) if name else None
    return address is not None and is_loopback(address)
