"""A request for a feed, its outcome as a value, and how long an answer is fresh."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from digest.collect.fetching.folder import Folder

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?([0-9]+)")
_NO_CACHE = re.compile(r"(?:^|[,\s])no-(?:cache|store)\s*(?:,|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """A feed to fetch, with the validators of its last answer."""

    feed_id: str
    url: str  # http, https or file; may contain a name and password
    etag: str | None = None
    last_modified: str | None = None
    page: bool = False  # a web page is wanted, and not a feed
    form: bytes | None = None  # it is sent by POST; the answer's body is not read then,
    answer: bool = False  # unless it is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A document. `url` is the address where it was found, without name and password."""

    url: str
    body: bytes
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    moved_to: str | None = None  # the new address, if the feed has moved permanently
    links: str = ""  # the Link headers (RFC 8288), joined by commas
    folder: Folder | None = None  # instead of the body, if the address is that of a folder
    fresh: int | None = None  # seconds for which the server does not want to be asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """The feed has not changed; the answer may have new validators (RFC 9111, 4.3.4)."""

    moved_to: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    fresh: int | None = None  # seconds for which the server does not want to be asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailure:
    """The reason why there is no document, as one sentence without addresses or secrets."""

    detail: str
    status: int | None = None  # the HTTP status, if there was an answer
    retry_after: str | None = None  # the value of the header: seconds or a date


Result = Fetched | NotModified | FetchFailure
Exchange = tuple[FetchRequest, Result]


def freshness(headers: Mapping[str, str], now: datetime) -> int | None:
    """Return for how many seconds an answer is fresh (RFC 9111, 4.2); None if its server does not say.

    `s-maxage` is for caches that many people share.
    """
    control = headers.get("cache-control", "").lower()
    ages = [int(found[:9]) for found in _MAX_AGE.findall(control)]
    if _NO_CACHE.search(control) or ages:
        age = headers.get("age", "").strip()
        passed = int(age[:9]) if age.isascii() and age.isdecimal() else 0
        return max(0, min(ages) - passed) if ages and not _NO_CACHE.search(control) else 0
    expires = moment(headers.get("expires"))
    if expires is None:
        return None
    return max(0, int((expires - (moment(headers.get("date")) or now)).total_seconds()))


def moment(text: str | None) -> datetime | None:
    """Return the time in a header (RFC 9110, 5.6.7), or None if it is not a time."""
    try:
        found = parsedate_to_datetime((text or "").strip())
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
