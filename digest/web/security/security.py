"""Secure every request: headers, size, requests in progress, the client's key and the origin of forms."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from subscribers.hosts import network_of

MAX_BODY = 65_536  # bytes; the longest genuine form has a few thousand
STREAMED = (
    "/hub/"  # requests of hubs are larger; their page reads them piece by piece, and limits them itself
)
MAX_REQUESTS = 200  # in progress at once
_LEVEL = 6  # of compression: 150 KB take 4 ms
_OWN = ("same-origin", "none")  # Sec-Fetch-Site: one of our pages, or the address bar

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src {images}; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
POLICY = _POLICY.format(images="'self'")
PICTURES = _POLICY.format(images="'self' https: http:")  # an edition shows the pictures of its feeds

_HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class SecurityMiddleware:
    """Wrap an application: refuse bodies over MAX_BODY while they arrive, and add headers to answers.

    The application gets a request when its whole body has arrived, so it never waits for a client. It gets
    no request whose client drops the connection before that. Requests of hubs are the exception. Paths with
    control characters are refused too: we have none, and databases reject some of them.
    """

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal():
            await JSONResponse({"detail": "the request is too large"}, 413)(
                scope, receive, _with_headers(send)
            )
            return
        if min(scope["path"], default="/") < " " or b"%00" in scope["query_string"]:
            await JSONResponse({"detail": "not found"}, 404)(scope, receive, _with_headers(send))
            return
        if scope["path"].startswith(STREAMED) and scope["method"] == "POST":
            await self.app(scope, receive, _with_headers(send))
            return
        body = await _arrived(receive) if int(announced) <= MAX_BODY else _TOO_LARGE
        if body is not None:
            await self.app(scope, _given(body, receive), _with_headers(send))


_TOO_LARGE = bytes(MAX_BODY + 1)


async def _arrived(receive: Receive) -> bytes | None:
    """Return the body when it has arrived or is larger than MAX_BODY; None when the client has gone."""
    body, more = bytearray(), True
    while more and len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _given(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def given() -> Message:
        if len(body) > MAX_BODY:
            raise HTTPException(413, "the request is too large")
        return {"type": "http.request", "body": waiting.pop()} if waiting else await receive()

    return given


@dataclass(frozen=True, slots=True)
class RequestsMiddleware:
    """Wrap an application: at most `most` requests are in progress, and others get the answer `busy`.

    A request is in progress until its answer begins. Clients that take their answers slowly hold no place.
    """

    app: ASGIApp
    most: int
    busy: Callable[[Request], Response]
    _places: set[object] = field(init=False, default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] == "http" and len(self._places) >= self.most:
            await self.busy(Request(scope))(scope, receive, send)
            return
        place = object()
        if scope["type"] == "http":
            self._places.add(place)

        async def begun(message: Message) -> None:
            self._places.discard(place)
            await send(message)

        try:
            await self.app(scope, receive, begun)
        finally:
            self._places.discard(place)


class CompressionMiddleware:
    """Wrap an application: compress its texts by gzip for clients that take it.

    An answer to a request with a cookie is compressed only if the browser says that one of our own pages or
    the address bar asked for it. Otherwise another site could ask for pages with texts of its choice, and
    somebody who sees the lengths of the answers could guess what else is in them (BREACH).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain, self._packed = app, GZipMiddleware(app, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        may_pack = scope["type"] == "http" and _is_safe_to_compress(Headers(scope=scope))
        await (self._packed if may_pack else self._plain)(scope, receive, send)


def _is_safe_to_compress(headers: Headers) -> bool:
    return "cookie" not in headers or headers.get("sec-fetch-site") in _OWN


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return with_headers


def own_page(request: Request) -> None:
    """Refuse a form from another site with 403 (a dependency for our own forms)."""
    if not is_own_page(request):
        raise HTTPException(403, "the form came from another site")


def is_own_page(request: Request) -> bool:
    """Tell whether a form was sent by one of our own pages, as far as the browser reports it.

    New browsers send Sec-Fetch-Site, older ones Origin. A request with neither passes: there is no cookie
    to abuse, and only a signed token gives a request any rights.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN
    origin = request.headers.get("origin", "null")
    base_url: str = request.app.state.base_url
    ours = (host_of(base_url), request.headers.get("host", "").lower())
    return origin == "null" or host_of(origin) in ours


def host_of(origin: str) -> str | None:
    """Return the host and port of an origin, in small letters; None for what is no origin."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Client:
    """The sender of a request: a keyed hash for counting, and its network as evidence of consent."""

    key: str
    shown: str


def client_of(host: str | None, secret: bytes) -> Client:
    """Return the client at a network address. IPv6 is counted by /64, because a client has a whole /64."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return Client(_hashed(secret, host or "nowhere"), "")
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    counted = 64 if address.version == 6 else 32
    return Client(
        _hashed(secret, str(ip_network(f"{address}/{counted}", strict=False))), network_of(str(address))
    )


def _hashed(secret: bytes, text: str) -> str:
    mac = hmac.digest(secret, b"client\0" + text.encode(errors="replace"), "sha256")
    return "client:" + urlsafe_b64encode(mac[:18]).decode("ascii")
