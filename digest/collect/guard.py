"""Keep fetching away from addresses inside: every name is resolved once, checked, and then connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import httpcore2
import httpx2

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REFUSED_V4 = [
    *map(ipaddress.IPv4Network, ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8"]),
    *map(ipaddress.IPv4Network, ["169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"]),
    *map(ipaddress.IPv4Network, ["192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"]),
    *map(ipaddress.IPv4Network, ["192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"]),
    *map(ipaddress.IPv4Network, ["224.0.0.0/4", "240.0.0.0/4"]),  # multicast, reserved, broadcast
]
# Only 2000::/3 is public at all; these parts of it are not.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = [
    *map(ipaddress.IPv6Network, ["2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20"]),
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_CONNECT_SECONDS = 10.0  # for one of several addresses, so that a dead one leaves time for the next

_ERRORS: dict[type[Exception], type[httpx2.TransportError]] = {
    httpcore2.ConnectTimeout: httpx2.ConnectTimeout,
    httpcore2.TimeoutException: httpx2.ReadTimeout,
    httpcore2.ConnectError: httpx2.ConnectError,
    httpcore2.NetworkError: httpx2.ReadError,
    httpcore2.RemoteProtocolError: httpx2.RemoteProtocolError,
    httpcore2.ProtocolError: httpx2.LocalProtocolError,
    httpcore2.UnsupportedProtocol: httpx2.UnsupportedProtocol,
}


class RefusedError(Exception):
    """A host is, or has, an address that is not public; `host` names it."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"{host} has an address that is not public")


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the public internet, whatever it is wrapped in.

    IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo) is unwrapped and judged as well.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _unwrapped(parsed)
    if inner:
        return all(map(_is_public, inner))
    return _is_public(parsed)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host, best first; raises OSError when there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections to checked addresses alone, so that a name that changes its mind gains nothing."""

    def __init__(
        self,
        allow_hosts: frozenset[str] = frozenset(),
        *,
        resolve: Resolve = resolve,
        connect: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = frozenset(_folded(host) for host in allow_hosts)
        self._resolve = resolve
        self._connect = connect or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve `host` once, refuse it if any address is not public, else try its addresses in turn."""
        addresses = await self._checked(host, port)
        share = min(timeout or _CONNECT_SECONDS, _CONNECT_SECONDS)
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for address in addresses:
            try:
                return await self._connect.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait; the pool asks for it between retries."""
        await asyncio.sleep(seconds)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("the name cannot be found") from error
        if _folded(host) not in self._allowed and not all(map(is_public, addresses)):
            raise RefusedError(host)
        return addresses


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Carries requests of httpx2 over a guarded backend; no proxy, no environment, no retries."""

    def __init__(self, backend: httpcore2.AsyncNetworkBackend, *, connections: int) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=connections,
            max_keepalive_connections=0,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; errors of httpcore2 come out as those of httpx2."""
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore2.Request(
            request.method, url, headers=request.headers.raw, extensions=request.extensions
        )
        with _translated():
            answer = await self._pool.handle_async_request(sent)
        assert isinstance(answer.stream, AsyncIterable)
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_Stream(answer.stream, answer.aclose),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Stream(httpx2.AsyncByteStream):
    """The body of an answer as it arrives."""

    def __init__(self, parts: AsyncIterable[bytes], close: Callable[[], Awaitable[None]]) -> None:
        self._parts = parts
        self._close = close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for part in self._parts:
                yield part

    async def aclose(self) -> None:
        await self._close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except tuple(_ERRORS) as error:
        kind = next(ours for theirs, ours in _ERRORS.items() if isinstance(error, theirs))
        raise kind(str(error)) from error


def _folded(host: str) -> str:
    return host.casefold().rstrip(".").strip("[]")


def _unwrapped(address: _Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses an IPv6 address carries inside."""
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
