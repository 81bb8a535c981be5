"""Write the name of a host in ASCII, exactly as browsers do, and shorten addresses of clients."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import idna

_NAME = re.compile(r"[a-z0-9._-]+")
_PREFIX = "xn--"  # begins an A-label, which stands for a label beyond ASCII
_JOINERS = "\u200c\u200d"
_RIGHT_TO_LEFT = ("R", "AL", "AN")  # classes of bidirectional characters


def ascii_host(host: str) -> str | None:
    """Return the name of a host in lower-case ASCII, or None when it is not a usable name.

    This is "domain to ASCII" of the WHATWG URL Standard: UTS 46 without transitional processing, and without
    the rules of DNS on hyphens and lengths. "gruß.example" keeps its ß, and "i❤.example" is a name although
    IDNA 2008 refuses it. Do not use Python's codec "idna": it follows RFC 3490 of 2003 and turns the first
    name into "gruss.example", which may belong to somebody else.

    The result differs from a browser's in two cases. "-", "_" and "." are the only signs that a name may
    have, because others are not in use and could break out of markup. Addresses are not converted: an IPv6
    address is not a name, and an IPv4 address is returned as it is written. As in Chromium, a name that is
    all ASCII is not decoded.
    """
    try:
        name = host.lower() if host.isascii() else _encoded(host)
    except ValueError:  # the root of all errors of idna and of the codec
        return None
    return name if _NAME.fullmatch(name) else None


def network_of(client: str) -> str:
    """Return the network of a client's address, /24 or /48, as evidence of consent; empty for any other text.

    The network is enough to tell a country and a provider, and does not tell a person.
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(client)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return str(ip_network(f"{address}/{48 if address.version == 6 else 24}", strict=False))


def _encoded(host: str) -> str:
    """Map, check and encode a name (UTS 46, section 4); raises ValueError."""
    labels = [_decoded(label) for label in idna.uts46_remap(host, std3_rules=False).split(".")]
    mixed = any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in "".join(labels))
    for label in filter(None, labels):
        idna.check_initial_combiner(label)
        if mixed:  # if one label is right to left, all labels must pass the check (RFC 5893)
            idna.check_bidi(label, check_ltr=True)
        if not all(idna.valid_contextj(label, at) for at, char in enumerate(label) if char in _JOINERS):
            raise ValueError("a joiner has nothing to join")
    return ".".join(label if label.isascii() else _PREFIX + _punycode(label) for label in labels)


def _decoded(label: str) -> str:
    """Return a label in Unicode; raises ValueError for an A-label that does not stand for a valid one."""
    if not label.startswith(_PREFIX):
        return label
    decoded = label.removeprefix(_PREFIX).encode("ascii").decode("punycode")
    if decoded.isascii() or idna.uts46_remap(decoded, std3_rules=False) != decoded:
        raise ValueError("the label is not a valid A-label")
    return decoded


def _punycode(label: str) -> str:
    return label.encode("punycode").decode("ascii")
