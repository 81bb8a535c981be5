"""Turn the answer of a server, or an error on the way to it, into a result in plain words."""

from __future__ import annotations

import re
import ssl
import zlib
from datetime import UTC, datetime

import httpx2

from digest.collect.fetching.answers import Fetched, FetchFailure, NotModified, Result, freshness
from digest.collect.fetching.guard import NO_SERVER, UNKNOWN_HOST
from digest.model.posts import FetchLimits

BAD_ADDRESS = "This is not a usable web address; correct the feed's url."
AGAIN = "the feed is tried again later."
_COMPLETE = frozenset([200, 203])  # 203: a proxy on the way has changed the document
_GZIP = b"\x1f\x8b\x08"
_LAYERS = 2  # a file that is compressed may be compressed once more on its way
_MEMBERS = 100
_VALIDATOR = re.compile(r"[\x20-\x7e]{1,500}")


async def outcome(response: httpx2.Response, limits: FetchLimits, moved_to: str | None) -> Result:
    """Return the result of an answer, whose body is read here; `moved_to` is its permanent address."""
    etag, last_modified = (_validator(response.headers.get(name)) for name in ("etag", "last-modified"))
    fresh = freshness(response.headers, datetime.now(UTC))
    if response.status_code == 304:
        return NotModified(moved_to=moved_to, etag=etag, last_modified=last_modified, fresh=fresh)
    if response.status_code not in _COMPLETE:
        return _refusal(response)
    body = await _body(response, limits)
    if body is None:
        return too_large(limits)
    return Fetched(
        url=str(response.url.copy_with(userinfo=b"")),
        body=body,
        content_type=response.headers.get("content-type", ""),
        moved_to=moved_to,
        links=response.headers.get("link", ""),
        fresh=fresh,
        etag=etag,
        last_modified=last_modified,
    )


def taken(response: httpx2.Response) -> Result:
    """Return the answer to a form: only its status matters."""
    if not response.is_success:
        return _refusal(response)
    return Fetched(url=str(response.url.copy_with(userinfo=b"")), body=b"")


async def _body(response: httpx2.Response, limits: FetchLimits) -> bytes | None:
    """Read and decode a body; stop reading and return None if it is too large."""
    stated = response.headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > limits.max_bytes:
        return None
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limits.max_bytes:
            return None
    return unpacked(bytes(body), limits)


def unpacked(body: bytes, limits: FetchLimits) -> bytes | None:
    """Unpack a body that is compressed without a header that we know; return None if it is too large."""
    for _ in range(_LAYERS):
        if body.startswith(_GZIP):
            body = _gunzipped(body, limits.max_bytes + 1)
        if len(body) > limits.max_bytes:
            return None
    return body


def _gunzipped(packed: bytes, most: int) -> bytes:
    """Unpack at most `most` bytes; a file may have several members. Raises DecodingError."""
    body = b""
    for _ in range(_MEMBERS):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            body += member.decompress(packed, most - len(body))
        except zlib.error as error:
            raise httpx2.DecodingError("not gzip") from error
        packed = member.unused_data
        if len(body) >= most or not packed.startswith(_GZIP):
            break
    if len(body) < most and not member.eof:
        raise httpx2.DecodingError("cut off")
    return body


def _refusal(response: httpx2.Response) -> FetchFailure:
    status = response.status_code
    after = response.headers.get("retry-after")
    known = {
        401: "The feed requires a name and password (401); add them to its url.",
        403: "The publisher refuses access (403); ask the publisher whether programs may read the feed.",
        404: "There is nothing at this address (404); look for the feed's new address.",
        410: "The publisher has removed this feed permanently (410); remove it from the configuration.",
        429: f"The publisher asks us to fetch less often (429); {AGAIN}",
    }
    default = f"The publisher's server answered with an error ({status}); {AGAIN}"
    return FetchFailure(detail=known.get(status, default), status=status, retry_after=after)


def too_large(limits: FetchLimits) -> FetchFailure:
    """Return the failure of a document that has more bytes than the limits allow."""
    size = f"{limits.max_bytes:,} bytes"
    return FetchFailure(
        detail=f"The document is larger than {size}; to allow this, raise max_bytes under [collect]."
    )


def _validator(value: str | None) -> str | None:
    return value if value and _VALIDATOR.fullmatch(value) else None


def in_words(error: Exception) -> str:
    """Return a sentence about an error of httpx2; the library's own messages may quote addresses."""
    if tls := _tls_error(error):
        is_certificate = isinstance(tls, ssl.SSLCertVerificationError)
        return _BAD_CERTIFICATE if is_certificate else _NO_TLS
    if str(error) == UNKNOWN_HOST:
        return "There is no host with this name; check the host name in the feed's url."
    if str(error).startswith(NO_SERVER):
        return f"The host exists, but {error}; check the port in the feed's url, or try again later."
    sentences: tuple[tuple[type[Exception], str], ...] = (
        (httpx2.ConnectTimeout, f"The server could not be reached in time; {AGAIN}"),
        (httpx2.ConnectError, "The server could not be reached; check the host name in the feed's url."),
        (httpx2.TimeoutException, f"The server stopped answering; {AGAIN}"),
        (httpx2.DecodingError, f"The answer could not be decompressed; {AGAIN}"),
        (httpx2.TransportError, f"The server closed the connection or does not speak HTTP; {AGAIN}"),
    )
    return next(
        (sentence for kind, sentence in sentences if isinstance(error, kind)),
        BAD_ADDRESS,
    )


_BAD_CERTIFICATE = "The server's certificate is not valid; check the host name in the feed's url."
_NO_TLS = (
    "The server has no secure connection at this port; try http:// in place of https:// in the feed's url."
)


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None
