"""Decide about WebSub (W3C, 23 January 2018): what is asked of a hub, and what its requests to us mean."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

from digest.collect.fetching.addresses import is_public
from digest.model.links import web_url
from digest.model.posts import HubRow, HubState

LEASE = timedelta(days=10)  # we ask for it; the hub decides
SHORTEST_LEASE = timedelta(hours=1)
LONGEST_LEASE = timedelta(days=30)
RENEWED = 0.8  # of the lease
ANSWERED = timedelta(days=1)  # a hub may verify what we have asked for so long
# A new hub waits so long too. A feed that names another one in each document makes us ask none of them.
FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(days=1)
REFUSED_PAUSE = timedelta(days=30)  # of a hub that is gone or has denied
LONGEST_WAIT = max(LONGEST_LEASE, REFUSED_PAUSE)
METHODS = frozenset(["sha1", "sha256", "sha384", "sha512"])
_CHALLENGE = 1_000  # characters
_LONGEST = 20_000  # characters of the headers, and of the head of a document, that are read
_GONE = frozenset([404, 410])
_ENTRY = re.compile(rb"<(?:item|entry)[\s>]")
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_ELEMENT = re.compile(rb"<(?:\w{1,20}:)?link\s([^<>]{1,3000})>")
_ATTRIBUTE = re.compile(r"(rel|href)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_HEADER = re.compile(r"<([^<>]{1,1000})>([^<]{0,1000})")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\",;]+))", re.IGNORECASE)
_RESERVED = re.compile(r"(?:.+\.)?(?:test|example|invalid|localhost|local|internal|example\.(?:com|net|org))")
_SIGNATURE = re.compile(r"(sha1|sha256|sha384|sha512)=([0-9a-fA-F]{40,128})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A hub that a document names, and the topic: the address of the feed as the hub knows it."""

    url: str
    topic: str


# ── what a document says ────────────────────────────────────────────────────────────────────


def in_headers(links: str, address: str) -> Hub | None:
    """Return the hub that the Link headers of an answer name; `address` is that of the document."""
    found = [
        (rel[1] or rel[2] or "", match[1])
        for match in _HEADER.finditer(links[:_LONGEST])
        if (rel := _REL.search(match[2]))
    ]
    return _hub(found, address)


def in_xml(document: bytes, address: str) -> Hub | None:
    """Return the hub that an Atom or RSS document in UTF-8 names before its entries."""
    head = _COMMENT.sub(b"", _ENTRY.split(document[:_LONGEST], maxsplit=1)[0])
    return _hub(_elements(head), address)


def named(hubs: Collection[str], topic: str, address: str) -> Hub | None:
    """Return the first hub of a JSON Feed; the topic is its `feed_url`."""
    return _hub([*(("hub", url) for url in hubs), ("self", topic)], address)


def _elements(head: bytes) -> Iterator[tuple[str, str]]:
    for match in _ELEMENT.finditer(head):
        pairs = _ATTRIBUTE.findall(match[1].decode("utf-8", "replace"))
        stated = {name: (double or single).replace("&amp;", "&") for name, double, single in pairs}
        yield stated.get("rel", ""), stated.get("href", "")


def _hub(links: Iterable[tuple[str, str]], address: str) -> Hub | None:
    """Return the first usable hub; None without a self link, because the address may hold a token of ours."""
    known: dict[str, str] = {}
    for rels, href in links:
        if url := web_url(href, address):
            for rel in rels.casefold().split():
                known.setdefault(rel, url)
    return Hub(url=known["hub"], topic=known["self"]) if {"hub", "self"} <= known.keys() else None


# ── what we ask ─────────────────────────────────────────────────────────────────────────────


def can_be_reached(base_url: str, allowed: Collection[str]) -> bool:
    """Return whether hubs can call the pages: their host is public, or the operator allows it on purpose."""
    host = (urlsplit(base_url).hostname or "").rstrip(".").casefold()
    if host in allowed:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host and not _RESERVED.fullmatch(host)
    return is_public(host)


def callback_key(secret: bytes, feed_id: str, hub: str) -> str:
    """Return the part of a callback that cannot be guessed; another hub of the feed has another one."""
    return hmac.digest(secret, f"hub callback\0{feed_id}\0{hub}".encode(), "sha256")[:24].hex()


def signing_secret(secret: bytes, row: HubRow) -> str:
    """Return the secret with which the hub signs its pushes."""
    return hmac.digest(secret, f"hub secret\0{row.feed_id}\0{row.hub}\0{row.topic}".encode(), "sha256").hex()


def callback(base_url: str, secret: bytes, row: HubRow) -> str:
    """Return the address at which the hub calls us."""
    return f"{base_url.rstrip('/')}/hub/{row.feed_id}/{callback_key(secret, row.feed_id, row.hub)}"


def asking(base_url: str, secret: bytes, row: HubRow) -> bytes:
    """Return the form that asks a hub for a subscription (section 5.1)."""
    form = {
        "hub.callback": callback(base_url, secret, row),
        "hub.mode": "subscribe",
        "hub.topic": row.topic,
        "hub.secret": signing_secret(secret, row),
        "hub.lease_seconds": str(int(LEASE.total_seconds())),
    }
    return urlencode(form).encode()


# ── what an answer or a request means ───────────────────────────────────────────────────────


def asked(row: HubRow, now: datetime) -> HubRow:
    """Return the row when the hub is asked; until the hub verifies this, it is asked again after pauses."""
    pause = min(FIRST_PAUSE * (1 << min(row.failures, 10)), LONGEST_PAUSE)
    state = row.state if is_active(row, now) else HubState.PENDING
    return replace(row, state=state, asked_at=now, next_at=now + pause, failures=row.failures + 1)


def refused(row: HubRow, status: int | None, now: datetime) -> HubRow:
    """Return the row after a hub has not taken our request; a hub that is gone is left alone for a month."""
    if status in _GONE:
        return replace(row, state=HubState.GONE, asked_at=None, next_at=now + REFUSED_PAUSE)
    return replace(row, asked_at=None)


def verified(row: HubRow, query: Mapping[str, str], now: datetime) -> HubRow | None:
    """Return the row after a hub's verification or denial (5.2, 5.3); None if we have not asked for this."""
    if query.get("hub.topic") != row.topic:
        return None
    if query.get("hub.mode") == "denied":
        return replace(row, state=HubState.DENIED, asked_at=None, next_at=now + REFUSED_PAUSE)
    lease = _lease(query.get("hub.lease_seconds", ""))
    challenge = query.get("hub.challenge", "")
    is_asked = row.asked_at is not None and timedelta(0) <= now - row.asked_at <= ANSWERED
    if query.get("hub.mode") != "subscribe" or not is_asked or not 0 < len(challenge) <= _CHALLENGE:
        return None
    return replace(
        row,
        state=HubState.ACTIVE,
        asked_at=None,
        lease_until=now + lease,
        next_at=now + lease * RENEWED,
        failures=0,
    )


def _lease(text: str) -> timedelta:
    stated = timedelta(seconds=int(text[:9])) if text.isascii() and text.isdecimal() else LEASE
    return min(max(stated, SHORTEST_LEASE), LONGEST_LEASE)


def is_active(row: HubRow, now: datetime) -> bool:
    """Return whether the hub has promised to tell of new posts, and the time for this is not over."""
    return row.state is HubState.ACTIVE and row.lease_until is not None and now < row.lease_until


def read_signature(header: str) -> tuple[str, bytes] | None:
    """Return the method and the digest of an `X-Hub-Signature` header, or None if it is unusable."""
    found = _SIGNATURE.fullmatch(header.strip())
    if not found or len(found[2]) % 2:
        return None
    return found[1], bytes.fromhex(found[2])


def pushed(row: HubRow, now: datetime) -> HubRow | None:
    """Return the row after a signed push; None if the lease is over."""
    return replace(row, pushed_at=now) if is_active(row, now) else None
