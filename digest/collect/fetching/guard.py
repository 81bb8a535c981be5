"""Connect only to public addresses: a name is resolved once, its addresses are checked, then connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache

import httpcore2
import httpx2

from digest.collect.fetching.addresses import is_public
from subscribers.hosts import ascii_host

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

UNKNOWN_HOST = "the name cannot be found"

_CONNECT_SECONDS = 10.0  # for one address, so that there is time to try the next

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


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections to the addresses that were checked."""

    # The connection goes to a checked address and not to the name. Otherwise the name could resolve to an
    # internal address the second time (DNS rebinding).

    def __init__(
        self,
        allow_hosts: frozenset[str] = frozenset(),
        *,
        resolve: Resolve = resolve,
        connect: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allowed = frozenset(_folded(host) for host in allow_hosts)
        self._resolve = resolve
        self._connect = connect or Sockets()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve `host` once, refuse it if any of its addresses is not public, and try them in turn."""
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
        """Wait; the connection pool calls this between retries."""
        await asyncio.sleep(seconds)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(UNKNOWN_HOST) from error
        if _folded(host) not in self._allowed and not all(map(is_public, addresses)):
            raise RefusedError(host)
        return addresses


@cache
def _trusting() -> ssl.SSLContext:
    """Return the settings for TLS, with the authorities of this system; reading these takes 40 ms."""
    return ssl.create_default_context()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends requests of httpx2 over a guarded backend, without proxies, environment variables or retries.

    Each request has a connection of its own, which is closed with its answer.
    """

    # The connection pool of httpcore2 would cost a third of the time that a feed takes if it has not changed.

    def __init__(
        self, backend: httpcore2.AsyncNetworkBackend, *, tls: Callable[[], ssl.SSLContext] = _trusting
    ) -> None:
        self._backend = backend
        self._tls = tls

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; errors of httpcore2 are raised as errors of httpx2."""
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore2.Request(
            request.method,
            url,
            headers=request.headers.raw,
            content=request.content,
            extensions=request.extensions,
        )
        with _translated():
            connection = await self._opened(url.origin, request.extensions.get("timeout", {}).get("connect"))
            try:
                answer = await connection.handle_async_request(sent)
            except BaseException:
                await connection.aclose()
                raise
        assert isinstance(answer.stream, AsyncIterable)
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_Stream(answer.stream, connection.aclose),
            extensions=answer.extensions,
        )

    async def _opened(
        self, origin: httpcore2.Origin, timeout: float | None
    ) -> httpcore2.AsyncHTTP11Connection:
        host = origin.host.decode("ascii")
        stream = await self._backend.connect_tcp(host, origin.port, timeout)
        if origin.scheme == b"https":
            stream = await stream.start_tls(self._tls(), host, timeout)
        return httpcore2.AsyncHTTP11Connection(origin=origin, stream=stream)


class Sockets(httpcore2.AsyncNetworkBackend):
    """Opens connections with the streams of asyncio."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - the signature is httpcore2's
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002 - as above
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to an address; errors are raised as errors of httpcore2."""
        with _raised_as(httpcore2.ConnectError, httpcore2.ConnectTimeout):
            async with asyncio.timeout(timeout):
                return _Socket(*await asyncio.open_connection(host, port))


class _Socket(httpcore2.AsyncNetworkStream):
    """A connection, with or without TLS."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, below: _Socket | None = None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._below = below  # a writer that is forgotten closes its connection

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _raised_as(httpcore2.ReadError, httpcore2.ReadTimeout):
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _raised_as(httpcore2.WriteError, httpcore2.WriteTimeout):
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.transport.abort()  # the answer is read, or is of no use

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            with _raised_as(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                async with asyncio.timeout(timeout):
                    upgraded = await loop.start_tls(
                        self._writer.transport, protocol, ssl_context, server_hostname=server_hostname
                    )
        except BaseException:
            await self.aclose()
            raise
        if upgraded is None:
            raise httpcore2.ConnectError("the server closed the connection")
        protocol.connection_made(upgraded)
        return _Socket(reader, asyncio.StreamWriter(upgraded, protocol, reader, loop), self)

    def get_extra_info(self, info: str) -> None:  # noqa: ARG002 - the signature is httpcore2's
        return None


@contextmanager
def _raised_as(failure: type[Exception], too_late: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise too_late("there was no answer in time") from error
    except OSError as error:
        raise failure(str(error)) from error


class _Stream(httpx2.AsyncByteStream):
    """The body of an answer, read as it arrives."""

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
    return (ascii_host(host) or host.lower()).rstrip(".").strip("[]")  # the second is an IPv6 address
