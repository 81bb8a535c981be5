from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.fetching.addresses import is_public
from digest.collect.fetching.connection import Connection
from digest.collect.fetching.guard import GuardedBackend, RefusedError

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *(
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
        ),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "3fff::1"),
        *("100::1", "64:ff9b:1::1", "5f00::1", "fec0::1", "::127.0.0.1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1"),
        *(
            "2002:a00:1::",
            "2001:0:5db8:d822::f5ff:fffe",
            "2001:0:7f00:1::a247:27dd",
            "",
            "localhost",
            "1.2.3",
        ),
    ],
)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC,
        "1.1.1.1",
        "172.32.0.1",
        "2606:4700::1",
        "::ffff:93.184.216.34",
        "64:ff9b::5db8:d822",
        "2002:5db8:d822::1",
    ],
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_every_public_address_is_global_too(address: object) -> None:
    parsed = ipaddress.ip_address(str(address))
    wrapped = parsed.version == 6 and (parsed.ipv4_mapped or parsed.sixtofour or parsed.teredo)
    assert wrapped or not is_public(str(address)) or (parsed.is_global and not parsed.is_multicast)


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_public_name_is_connected_to_by_its_address() -> None:
    network = Network({"harbour.example.org": [PUBLIC]})
    await network.guarded().connect("harbour.example.org", 443)
    assert network.connected == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], [PUBLIC, "127.0.0.1"], ["::ffff:192.168.0.1"], ["fe80::1%eth0"]]
)
async def test_a_name_with_any_address_inside_is_refused(addresses: list[str]) -> None:
    network = Network({"sly.example.org": addresses})
    with pytest.raises(RefusedError, match=r"sly\.example\.org"):
        await network.guarded().connect("sly.example.org", 80)
    assert network.connected == []


async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    network = Network({"sly.example.org": [PUBLIC]}, afterwards={"sly.example.org": ["127.0.0.1"]})
    await network.guarded().connect("sly.example.org", 80)
    assert network.connected == [(PUBLIC, 80)]
    assert network.asked == ["sly.example.org"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "2130706433", "0x7f.1", "localhost"])
async def test_spellings_of_this_machine_are_refused(host: str) -> None:
    network = Network({}, default=["::1" if ":" in host else "127.0.0.1"])
    with pytest.raises(RefusedError):
        await network.guarded().connect(host, 80)


async def test_a_host_the_operator_names_is_allowed_and_no_other() -> None:
    network = Network({}, default=["10.0.0.7"])
    backend = network.guarded("Intranet.test")
    await backend.connect("intranet.test.", 80)
    assert network.connected == [("10.0.0.7", 80)]
    for other in ("www.intranet.test", "10.0.0.7", "test"):
        with pytest.raises(RefusedError):
            await backend.connect(other, 80)


async def test_no_other_spelling_of_an_allowed_host_is_allowed() -> None:
    network = Network({}, default=["10.0.0.7"])
    backend = network.guarded("Ankerstraße.test")
    await backend.connect("xn--ankerstrae-e4a.test", 80)
    with pytest.raises(RefusedError):
        await backend.connect("ankerstrasse.test", 80)


async def test_the_next_address_is_tried_when_one_is_dead() -> None:
    network = Network({"harbour.example.org": ["2606:4700::1", PUBLIC]}, dead={"2606:4700::1"})
    await network.guarded().connect("harbour.example.org", 443)
    assert network.connected == [(PUBLIC, 443)]


async def test_an_unknown_name_cannot_be_reached() -> None:
    with pytest.raises(httpx2.ConnectError):
        await Network({}).guarded().connect("nowhere.test", 80)


async def test_a_name_without_addresses_cannot_be_reached() -> None:
    with pytest.raises(httpx2.ConnectError):
        await Network({"empty.test": []}).guarded().connect("empty.test", 80)


class Network:
    """A network of invented names that remembers what was asked and connected to; it opens nothing."""

    def __init__(
        self,
        names: dict[str, list[str]],
        *,
        afterwards: dict[str, list[str]] | None = None,
        default: list[str] | None = None,
        dead: AbstractSet[str] = frozenset(),
    ) -> None:
        self.names = names
        self.afterwards = afterwards or {}
        self.default = default
        self.dead = dead
        self.asked: list[str] = []
        self.connected: list[tuple[str, int]] = []

    def guarded(self, *allowed: str) -> GuardedBackend:
        return GuardedBackend(frozenset(allowed), resolve=self.resolve, connect=self.connect)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        names = self.afterwards if host in self.asked else self.names
        self.asked.append(host)
        found = names.get(host, self.default)
        if found is None:
            raise OSError("name or service not known")
        return found

    async def connect(self, address: str, port: int, tls: ssl.SSLContext | None, host: str) -> Connection:
        if address in self.dead:
            raise OSError("unreachable")
        self.connected.append((address, port))
        return Connection()
