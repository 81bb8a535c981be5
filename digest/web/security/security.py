"""Secure every request: response headers, a size limit, the client's key and the origin of forms."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 65_536  # bytes; the longest genuine form has a few thousand

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

    Paths with control characters are refused too: we have none, and databases reject some of them.
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
        await self.app(scope, _bounded(receive, int(announced)), _with_headers(send))


def _bounded(receive: Receive, announced: int) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive() if announced <= MAX_BODY else {}
        taken += len(message.get("body", b""))
        if max(taken, announced) > MAX_BODY:
            raise HTTPException(413, "the request is too large")
        return message

    return bounded


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
        return site in ("same-origin", "none")
    origin = request.headers.get("origin", "null")
    base_url: str = request.app.state.base_url
    ours = (urlsplit(base_url).netloc, request.headers.get("host"))
    return origin == "null" or urlsplit(origin).netloc in ours


@dataclass(frozen=True, slots=True)
class Client:
    """The sender of a request: a keyed hash for counting, and its network as evidence of consent."""

    key: str
    shown: str


def client_of(host: str | None, secret: bytes) -> Client:
    """Return the client at a network address. IPv6 is counted by /64, because a client has a whole /64.

    The evidence is only the network, /24 or /48: enough to tell a country and a provider, not a person.
    """
    try:
        address = ip_address(host or "")
    except ValueError:
        return Client(_hashed(secret, host or "nowhere"), "")
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    counted, kept = (64, 48) if address.version == 6 else (32, 24)
    return Client(
        _hashed(secret, str(ip_network(f"{address}/{counted}", strict=False))),
        str(ip_network(f"{address}/{kept}", strict=False)),
    )


def _hashed(secret: bytes, text: str) -> str:
    mac = hmac.digest(secret, b"client\0" + text.encode(errors="replace"), "sha256")
    return "client:" + urlsafe_b64encode(mac[:18]).decode("ascii")
