"""Which IP addresses anybody may be sent to, and what the others are, in words."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# The special-purpose registries of IANA. Addresses that only lead to another one are looked at as that one; tunnels
# that nobody can look through (6to4's relays, Teredo, NAT64 with a prefix of one's own) are refused.
_NAMED: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("unspecified address", ("0.0.0.0/8", "::/128")),
    ("loopback IP range", ("127.0.0.0/8", "::1/128")),
    ("private IP range", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("link-local IP range", ("169.254.0.0/16", "fe80::/10")),
    ("shared (CGNAT) IP range", ("100.64.0.0/10",)),
    ("multicast IP range", ("224.0.0.0/4", "ff00::/8")),
    (
        "reserved IP range",
        (
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "240.0.0.0/4", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
        ),
    ),
)  # fmt: skip
_BLOCKED: Final = tuple(
    (name, IPv6Network(text) if ":" in text else IPv4Network(text)) for name, texts in _NAMED for text in texts
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


def parse_address(host: str) -> Address | None:
    """The address that a host is, in any spelling that resolvers take: `127.1`, `0x7f000001` and `2130706433` too. None
    for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def unwrap(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to (mapped, NAT64, 6to4, compatible), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    last = int(address) & 0xFFFFFFFF
    if address in _NAT64 or (address in _COMPATIBLE and last > 1):  # ::0 and ::1 are what they are
        return IPv4Address(last)
    return address


def blocked_range(address: Address) -> str | None:
    """The name of the range that keeps an address from being called; None for a public one."""
    real = unwrap(address)
    for name, network in _BLOCKED:
        if real in network:
            return name
    if isinstance(real, IPv6Address) and real not in _GLOBAL_UNICAST:
        return "reserved IP range"
    return None


def is_loopback(address: Address) -> bool:
    """Whether an address is this machine's own."""
    real = unwrap(address)
    return real.is_loopback or real.is_unspecified
