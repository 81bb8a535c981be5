"""Clean links for emails, and bring the spellings of one link to the same canonical form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from subscribers.hosts import ascii_host

LONGEST = 2048  # characters; longer links break mail programs and are never a post's address

# Joiners stay inside a link, because Persian and Sinhala names and paths are spelled with them.
_UNSEEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_AT_THE_ENDS = " \u200c\u200d"
_TRACKING = re.compile(
    r"(utm_|at_(medium|campaign|custom\d|format|link|ptr|bbc)|mc_[ce]id$|_hs(enc|mi)$|hsa_|ns_(campaign|source|mchannel)"
    r"|wt[._](mc|z)|(fb|gc|dc|msc|yc|tt|tw|g)lid$|fbclid$|gclid$|dclid$|msclkid$|yclid$|twclid$|igshid$|gclsrc$|wbraid$|gbraid$"
    r"|cmp(id)?$|ncid$|ftag$|guccounter$|guce_|mkt_tok$|xtor$|smid$|soc_src$|soc_trk$|sr_share$|ref_src$|rss_?id$|__twitter_)",
    re.IGNORECASE,
)
_FEED_MARKS = {("ref", "rss"), ("src", "rss"), ("source", "rss"), ("partner", "rss"), ("from", "rss")}
_IDLE_FRAGMENTS = {"", "rss", "atom", "feed", "comments", "respond", "more", "top"}
_GOOGLE = re.compile(r"(?:www\.)?google(?:\.[a-z]{2,3}){1,2}")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAnswer:
    """The answer at the address of a link; with a `problem`, the end of a sentence, readers find no page."""

    url: str
    checked_at: datetime
    problem: str = ""
    leads_to: str = ""  # after redirects; empty: the address itself
    answered: bool = True  # False: nothing is known, because there was no answer in time, or no permission


def web_url(link: str | None, base: str | None = None) -> str | None:
    """Return `link` as an absolute http(s) address in ASCII, or None if that is not possible.

    A relative link is resolved against `base`. A name and password before the host are removed.
    """
    # In an email, a name before the host only serves to deceive, and the password of a private feed must not
    # leak to readers.
    text = _UNSEEN.sub(" ", link or "").strip(_AT_THE_ENDS)
    if not text or text.startswith("#"):
        return None
    try:
        parts = urlsplit(urljoin(base, text) if base else text)
        host = _host_and_port(parts)
    except ValueError:
        return None
    if parts.scheme.lower() not in _PORTS or not host:
        return None
    path, query, fragment = (_quoted(part) for part in (parts.path, parts.query, parts.fragment))
    url = urlunsplit((parts.scheme.lower(), host, path, query, fragment))
    return url if len(url) <= LONGEST else None


def canonical_url(url: str) -> str:
    """Return a form of an absolute web address that is the same for all its spellings; it is never shown.

    The scheme, `www.`, a slash at the end and tracking parameters do not count. Fragments do count, because
    they are the only difference between the posts of some sites.
    """
    try:
        parts = urlsplit(url)
        host = _host_and_port(parts).removeprefix("www.")
    except ValueError:
        return url
    query = urlencode([pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _tracks(*pair)])
    fragment = "" if _idle(parts.fragment) else parts.fragment
    return urlunsplit(("https", host, parts.path.rstrip("/"), query, fragment))


def is_rest(url: str) -> bool:
    """Return whether an address is that of a REST interface of WordPress."""
    parts = urlsplit(url)
    return "/wp-json/" in f"{parts.path}/" or "rest_route" in dict(parse_qsl(parts.query))


def shown_url(url: str) -> str:
    """Return a web address as readers get it: without tracking parameters, and everything else as it is.

    An address of Google that only leads to another one, as in Google Alerts, is replaced by that address.
    """
    if "?" not in url and "#" not in url:
        return url
    parts = urlsplit(url)
    if _GOOGLE.fullmatch(parts.hostname or "") and parts.path == "/url":
        given = dict(parse_qsl(parts.query))
        return shown_url(web_url(given.get("url") or given.get("q")) or "") or url
    fragment = "" if _TRACKING.match(parts.fragment.partition("=")[0]) else parts.fragment
    pairs = parts.query.split("&")
    kept = [pair for pair in pairs if not _tracks(*map(unquote, pair.partition("=")[::2]))]
    if fragment == parts.fragment and len(kept) == len(pairs):
        return url
    return urlunsplit(parts._replace(query="&".join(kept), fragment=fragment))


def host_of(url: str) -> str:
    """Return the host of an address, or "" where there is none; fit for people and logs."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


_LOGIN = re.compile(r"(://[^/@\s:\"]*):[^/\s\"]+@")
_SECRET_NAME = (
    r"(?:[\w.-]{0,60}(?:password|passwd|token|secret|auth(?!or)|api_?key)[\w.-]{0,60}|key|sig|signature)="
)
_SECRET_VALUE = re.compile(rf"([?&;]{_SECRET_NAME})[^&;#\s\"]+", re.IGNORECASE)
_IS_SECRET = re.compile(_SECRET_NAME, re.IGNORECASE)


def without_secrets(text: str) -> str:
    """Return an address, or a text with addresses, with "***" in the place of each password and token."""
    return _SECRET_VALUE.sub(r"\1***", _LOGIN.sub(r"\1:***@", text))


def public_url(url: str) -> str:
    """Return an address that may be given away: without a password, and without tokens in its query."""
    parts = urlsplit(url)
    query = "&".join(pair for pair in parts.query.split("&") if not _IS_SECRET.match(pair))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def site_of(url: str) -> str:
    """Return the part of a host that its owner has registered, as far as its labels show it."""
    labels = host_of(url).split(".")
    short_second = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3  # "co.uk"
    return ".".join(labels[-3 if short_second else -2 :])


_FEED_SCHEME = re.compile(r"^feed:(?://)?(?=(?P<whole>https?:)?)", re.IGNORECASE)
_SMALL = "-small"
_COPY_NAME = re.compile(rf"([0-9a-f]{{64}})({_SMALL})?\.jpg")


def picture_url(base_url: str, name: str) -> str:
    """Return the address of our copy of a picture; `name` is its hash."""
    return f"{base_url.rstrip('/')}/pictures/{name}.jpg"


def is_copy(url: str, base_url: str) -> bool:
    """Return whether an address is that of one of our copies."""
    start = f"{base_url.rstrip('/')}/pictures/"
    match = _COPY_NAME.fullmatch(url.removeprefix(start)) if url.startswith(start) else None
    return bool(match and not match[2])


def small_picture_url(url: str, base_url: str) -> str:
    """Return the address of the smaller version of one of our copies; any other address stays."""
    return f"{url.removesuffix('.jpg')}{_SMALL}.jpg" if is_copy(url, base_url) else url


def parse_copy_name(name: str) -> tuple[str, bool] | None:
    """Return the hash in the last part of a copy's address, and whether the smaller one is meant."""
    match = _COPY_NAME.fullmatch(name)
    return (match[1], bool(match[2])) if match else None


def without_feed_scheme(url: str) -> str:
    """Return feed:https://… and feed://… as the addresses for which they stand; others stay as they are."""
    return _FEED_SCHEME.sub(lambda match: "" if match["whole"] else "http://", url.strip())


def with_ascii_host(url: str) -> str:
    """Return a link with its host in ASCII and the rest as it is; raises ValueError for a bad host."""
    parts = urlsplit("" if url.isascii() else url)
    login, at, place = parts.netloc.rpartition("@")
    if place.isascii():
        return url
    host, colon, port = place.partition(":")
    return urlunsplit(parts._replace(netloc=f"{login}{at}{_named(host)}{colon}{port}"))


def _host_and_port(parts: SplitResult) -> str:
    """Return the host in ASCII, with the port unless it is the usual one; raises ValueError."""
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        if not re.fullmatch(r"[0-9a-f:.]+", host):
            raise ValueError("not an IPv6 address")
        host = f"[{host}]"
    else:
        # `hostname` cannot be used: Python turns a Σ at the end of a word into a ς there, and this gives
        # another name.
        host = _named(parts.netloc.rpartition("@")[2].partition(":")[0]).rstrip(".")
    usual = parts.port in (None, _PORTS.get(parts.scheme.lower()))
    return host if usual else f"{host}:{parts.port}"


def _named(host: str) -> str:
    name = ascii_host(host)
    if not (name and name.strip(".")):
        raise ValueError("not a host name")
    return name


def _quoted(part: str) -> str:
    """Escape the characters that are not allowed in a URL; existing escapes stay as they are."""
    return quote(part, safe="%/:=&?~#+!$,;@()*[]", errors="replace")


def _tracks(name: str, value: str) -> bool:
    return bool(_TRACKING.match(name)) or (name.lower(), value.lower()) in _FEED_MARKS


def _idle(fragment: str) -> bool:
    name = unquote(fragment).lower()
    return name in _IDLE_FRAGMENTS or name.startswith(":~:") or bool(_TRACKING.match(name.split("=")[0]))
