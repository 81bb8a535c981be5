"""Tell public internet addresses from internal ones, so that a feed cannot make us connect to those."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REFUSED_V4 = [
    *map(ipaddress.IPv4Network, ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8"]),
    *map(ipaddress.IPv4Network, ["169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"]),
    *map(ipaddress.IPv4Network, ["192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"]),
    *map(ipaddress.IPv4Network, ["192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"]),
    *map(ipaddress.IPv4Network, ["224.0.0.0/4", "240.0.0.0/4"]),  # multicast, reserved, broadcast
]
# Only 2000::/3 is public, except for these parts of it.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = [
    *map(ipaddress.IPv6Network, ["2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20"]),
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SAMPLES = re.compile(r"(.*\.)?(example\.(com|net|org)|example|test|invalid)")
_LOCALHOST = re.compile(r"(.+\.)?localhost")
_NUMBER = re.compile(r"(\d+|0x[0-9a-f]*)")  # browsers take 127.1, 2130706433 and 0x7f.1 for addresses


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet.

    An IPv4 address inside an IPv6 address (mapped, NAT64, 6to4, Teredo) is unwrapped and checked instead.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _unwrapped(parsed)
    if inner:
        return all(map(_is_public, inner))
    return _is_public(parsed)


def is_sample(host: str) -> bool:
    """Return whether a host exists only in samples and tests (RFC 2606), so that asking it is useless."""
    return bool(_SAMPLES.fullmatch(host.rstrip(".")))


def leads_inside(url: str) -> bool:
    """Return whether the host of a link is localhost, or an IP address that is not public."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]):
        return not is_public(host)
    return bool(_LOCALHOST.fullmatch(host))


def _unwrapped(address: _Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address contains."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return list(address.teredo)
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return []


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _REFUSED_V6)
