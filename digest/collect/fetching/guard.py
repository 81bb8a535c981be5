"""Connect only to public addresses: a name is resolved once, its addresses are checked, then connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial

import httpx2

from digest.collect.fetching.addresses import is_public
from digest.collect.fetching.connection import Connection, Head, connect
from subscribers.hosts import ascii_host

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Connect = Callable[[str, int, ssl.SSLContext | None, str], Awaitable[Connection]]

UNKNOWN_HOST = "the name cannot be found"
NO_SERVER = "no server answers at port"  # a message that begins so names the port
KEPT = 16  # connections that wait for another request

_CONNECT_SECONDS = 10.0  # for one address, so that there is time to try the next

_Origin = tuple[str, str, int]


class RefusedError(Exception):
    """A host is not public, or has an address that is not public; `host` names it."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"{host} has an address that is not public")


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, best first, from the system; raises OSError if there are none."""
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host))]  # asking the system would take a thread
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend:
    """Opens connections to the addresses that were checked."""

    # The connection goes to a checked address and not to the name. Otherwise the name could resolve to an
    # internal address the second time (DNS rebinding).

    def __init__(
        self,
        allow_hosts: frozenset[str] = frozenset(),
        *,
        resolve: Resolve = resolve,
        connect: Connect = connect,
    ) -> None:
        self._allowed = frozenset(_folded(host) for host in allow_hosts)
        self._resolve = resolve
        self._connect = connect

    async def connect(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> Connection:
        """Resolve `host` once, refuse it if any of its addresses is not public, and try them in turn."""
        failure: httpx2.TransportError = httpx2.ConnectError("the name has no address")
        for address in await self._checked(host, port):
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await self._connect(address, port, tls, host)
            except ssl.SSLError as error:
                raise httpx2.ConnectError("there is no secure connection") from error
            except TimeoutError:
                failure = httpx2.ConnectTimeout("there was no connection in time")
            except ConnectionRefusedError:
                failure = httpx2.ConnectError(f"{NO_SERVER} {port}")
            except OSError as error:
                failure = httpx2.ConnectError(str(error))
        raise failure

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpx2.ConnectError(UNKNOWN_HOST) from error
        if _folded(host) not in self._allowed and not all(map(is_public, addresses)):
            raise RefusedError(host)
        return addresses


@cache
def _trusting() -> ssl.SSLContext:
    """Return the settings for TLS, with the authorities of this system; reading these takes 40 ms."""
    return ssl.create_default_context()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends requests of httpx2 over guarded connections, without proxies or environment variables.

    A few connections are kept until the transport is closed, for other requests to the same host.
    """

    def __init__(self, backend: GuardedBackend, *, tls: Callable[[], ssl.SSLContext] = _trusting) -> None:
        self._backend = backend
        self._tls = tls
        self._kept: list[tuple[_Origin, Connection]] = []  # the oldest is first

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; errors of the connection are raised as errors of httpx2."""
        origin = _origin(request.url)
        head = None
        if connection := self._take(origin) if request.method == "GET" else None:  # a form is not sent twice
            with suppress(httpx2.TransportError):  # the server may have closed it just now
                head = await _asked(connection, request)
        if connection is None or head is None:
            connection = await self._backend.connect(
                *origin[1:], self._tls() if origin[0] == "https" else None
            )
            head = await _asked(connection, request)
        return httpx2.Response(
            head.status, headers=head.headers, stream=_Body(connection, partial(self._keep, origin))
        )

    async def aclose(self) -> None:
        """Close the connections that were kept."""
        for _, connection in self._kept:
            connection.close()

    def _take(self, origin: _Origin) -> Connection | None:
        """Return a connection to a host that was kept and is still open."""
        self._kept = [(of, connection) for of, connection in self._kept if connection.is_idle]
        place = next((place for place, (of, _) in enumerate(self._kept) if of == origin), None)
        return None if place is None else self._kept.pop(place)[1]

    def _keep(self, origin: _Origin, connection: Connection) -> None:
        if connection.finish():
            self._kept.append((origin, connection))
            if len(self._kept) > KEPT:
                self._kept.pop(0)[1].close()


def _origin(url: httpx2.URL) -> _Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)


async def _asked(connection: Connection, request: httpx2.Request) -> Head:
    """Return the head of the answer to a request; if there is none, the connection is closed."""
    try:
        with _translated():
            return await connection.ask(
                request.method, request.url.raw_path, request.headers.raw, request.content
            )
    except BaseException:
        connection.close()
        raise


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, read as it arrives."""

    def __init__(self, connection: Connection, keep: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._keep = keep

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for part in self._connection.body():
                yield part

    async def aclose(self) -> None:
        self._keep(self._connection)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise httpx2.ReadError(str(error)) from error


def _folded(host: str) -> str:
    return (ascii_host(host) or host.lower()).rstrip(".").strip("[]")  # the second is an IPv6 address
