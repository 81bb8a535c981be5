"""Parse single values of config.toml: each function returns the value ready for use, or raises ValueError."""

from __future__ import annotations

import re
from datetime import timedelta
from email.headerregistry import Address as Mailbox
from email.utils import parseaddr
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from digest.limits.limits import domain_of, parse_limit
from digest.message.reader_links import with_token
from digest.model.errors import hint
from digest.model.links import web_url
from digest.model.publication import LINK_PLACES
from digest.model.tags import slug
from digest.render.writing.markdown import refused_links
from digest.schedule.schedule import ScheduleError
from digest.schedule.text import parse_schedule
from subscribers.address import parse_address
from subscribers.errors import AddressError
from subscribers.hosts import ascii_host
from subscribers.text import has_controls
from subscribers.tokens import SEAL_DIGITS

_LONGEST_LOCAL = 64  # characters before the @ (RFC 5321, 4.5.3.1.1)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}
_LONGEST = timedelta(days=3650)


def line(text: str) -> str:
    """Refuse blank text, and line breaks and control characters, because they would break a header."""
    if not text.strip():
        raise ValueError("is empty")
    if has_controls(text):
        raise ValueError("contains a line break or a control character")
    return text.strip()


def lines(text: str) -> str:
    """Refuse blank text and control characters; line breaks are allowed."""
    line(text.replace("\n", " "))
    return text.strip()


def text(written: str) -> str:
    """Refuse a text in Markdown that is blank, has control characters, or links to what no email may."""
    line(written.replace("\n", " ").replace("\t", " "))
    for address in refused_links(written):
        raise ValueError(
            f"{address!r} cannot be linked to: write an address that begins with https://, http:// or mailto:"
        )
    return written.strip()


def colour(text: str) -> str:
    """Refuse text that is not a colour of six hexadecimal digits; return it in small letters."""
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return text.lower()
    short = re.fullmatch(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", text)
    digits = "".join(digit * (6 // len(short[1])) for digit in short[1]) if short else "2f6a3c"
    raise ValueError(f'{text!r} is not a colour: write "#" and six digits or letters a-f, as in "#{digits}"')


def host(text: str) -> str:
    """Refuse text that is not a host name, and return a name beyond ASCII in the form used by DNS."""
    name = line(text)
    if name.isascii():
        return name
    found = ascii_host(name)
    if found is None:
        raise ValueError(f"{text!r} is not a host name")
    return found


def slug_word(text: str) -> str:
    """Refuse text that cannot be part of a link, which allows only a-z, 0-9 and hyphens."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        advice = slug(text)
        suggestion = f", for example {advice!r}" if advice.isascii() and advice else ""
        raise ValueError(
            f"{text!r} cannot be part of a link: use lowercase letters, digits and hyphens{suggestion}"
        )
    return text


def duration(value: object) -> timedelta:
    """Parse a length of time: "30m", "4 hours", "1h 30m", "7 days"."""
    text = str(value).casefold().strip()
    found = _AMOUNT.findall(text)
    if not isinstance(value, str) or not found or _AMOUNT.sub("", text).strip(" ,"):
        raise ValueError(f'{value!r} is not a length of time. Examples: "30m", "4h", "7 days"')
    total = timedelta()
    for amount, unit in found:
        if unit not in _UNITS:
            raise ValueError(f'{unit!r} is not a unit of time. Examples: "30m", "4h", "7 days"')
        if float(amount) * _UNITS[unit].total_seconds() > _LONGEST.total_seconds():
            raise ValueError(f"{value!r} is longer than ten years")
        total += float(amount) * _UNITS[unit]
    return total


def zone(name: str) -> str:
    """Refuse text that is not the name of an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        places = {place.rsplit("/", 1)[-1].casefold(): place for place in sorted(available_timezones())}
        guess = places.get(name.strip().replace(" ", "_").casefold())
        meant = f"; did you mean {guess!r}?" if guess else hint(name, available_timezones())
        raise ValueError(f"{name!r} is not a time zone{meant}") from None
    return name


def schedule(text: str) -> str:
    """Refuse a schedule that cannot be read."""
    try:
        parse_schedule(text)
    except ScheduleError as error:
        raise ValueError(str(error)) from None
    return text


def mailbox(text: str) -> str:
    """Parse "Name <address>" or a bare address, and return it ready for a From header."""
    line(text)
    name, bare = parseaddr(text)
    if not bare or (bare != text.strip() and not text.rstrip().endswith(">")):
        raise ValueError(f'{text!r} is not a sender: write "Name <address>"')
    try:
        parsed = parse_address(bare)
    except AddressError as error:
        raise ValueError(f"{text!r} is not a sender: {error}") from None
    return str(Mailbox(name, addr_spec=parsed.address)) if name else parsed.address


def address(text: str) -> str:
    """Refuse text that is not a single bare address."""
    try:
        return parse_address(text).address
    except AddressError as error:
        raise ValueError(f"{text!r} is not an address: {error}") from None


def unsubscribe_address(text: str) -> str:
    """Refuse text that is not a single bare address with room for a reader's token before the @."""
    found = address(text)
    length = len(with_token(found, "0" * SEAL_DIGITS).rpartition("@")[0])
    if length > _LONGEST_LOCAL:
        raise ValueError(
            f"{text!r} is too long: with a token, {length} characters stand before the @,"
            f" and at most {_LONGEST_LOCAL} may"
        )
    return found


def web_address(text: str) -> str:
    """Refuse text that is not an absolute http or https address."""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or has_controls(text) or " " in text:
        raise ValueError(
            f"{text!r} is not a web address: it must begin with http:// or https:// and name a host"
        )
    return text


def link_pattern(text: str) -> str:
    """Refuse text that is no web address, or that names a place in braces which does not exist."""
    for name in re.findall(r"\{(.*?)\}", web_address(text)):
        if name not in LINK_PLACES:
            raise ValueError(f"{{{name}}} has no meaning here{hint(name, LINK_PLACES)}")
    return text


def base_url(text: str) -> str:
    """Refuse an address that a path cannot be added to; return it in ASCII, without a slash at the end."""
    parts = urlsplit(web_address(text))
    if parts.query or parts.fragment:
        raise ValueError(f"{text!r} contains ? or #, but links are made by adding a path to it")
    bare = text.rstrip("/")
    url = bare if bare.isascii() else web_url(bare)
    if url is None:
        raise ValueError(f"{text!r} names a host that cannot exist")
    return url


def language(text: str) -> str:
    """Refuse text that does not have the form of a language tag (BCP 47)."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise ValueError(f'{text!r} is not a language tag. Examples: "en", "pt-BR"')
    return text


def database_url(text: str) -> str:
    """Refuse a database of an unsupported kind; any other mistake shows when the database is opened."""
    if not re.match(r"sqlite://|postgresql://", text):
        raise ValueError('must have the form "sqlite:///data/digest.db" or "postgresql://user@host/name"')
    return text


def limit(text: str) -> str:
    """Refuse text that is not a limit such as "100 per second" or "5000 per day"."""
    return str(parse_limit(text))


def domain(text: str) -> str:
    """Refuse text that cannot follow the @ of an address."""
    name = domain_of(text)
    if "@" in text or not re.fullmatch(r"([a-z0-9-]+\.)+[a-z0-9-]+", name):
        raise ValueError(f'{text!r} is not a domain: write the part after the @, for example "gmail.com"')
    return name
