"""Look over a rendered mail before it goes: what would clip it, break it, or have it refused."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from html.parser import HTMLParser
from urllib.parse import urlsplit

from digest.model import Mail

WARN_SIZE = 80 * 1024  # bytes of the encoded HTML part; Gmail clips at about 102 KB
BLOCK_SIZE = 100 * 1024
STYLE_SIZE = 16 * 1024  # Gmail reads no more of the head
SUBJECT_LENGTH = 150

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PLACEHOLDER = re.compile(r"\w+", re.ASCII)
_DEAD_TAGS = frozenset({"script", "iframe", "object", "embed", "form", "video", "audio", "svg"})
_UNSEEN_IMAGES = (".svg", ".webp", ".avif", ".heic")


class Level(StrEnum):
    """How bad a finding is."""

    WARN = "warn"  # it can go
    BLOCK = "block"  # it must not go


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a mail, in one plain sentence."""

    level: Level
    message: str


def preflight(mail: Mail) -> tuple[Finding, ...]:
    """Return what is wrong with `mail`, the worst first. Links may still be placeholders."""
    page = _Page()
    page.feed(mail.html)
    page.close()
    found = [*_lines(mail), *_size(mail), *_controls(mail), *_images(page), *_links(page), *_markup(page)]
    return tuple(sorted(found, key=lambda finding: finding.level is Level.WARN))


def encoded_size(html: str) -> int:
    """Return the bytes `html` takes on the wire, in quoted-printable."""
    return len(binascii.b2a_qp(html.encode(), istext=True))


def _lines(mail: Mail) -> Iterator[Finding]:
    if not mail.subject.strip():
        yield Finding(Level.BLOCK, "The subject is empty.")
    if "\n" in mail.subject or "\r" in mail.subject:
        yield Finding(Level.BLOCK, "The subject has more than one line.")
    if len(mail.subject) > SUBJECT_LENGTH:
        yield Finding(Level.WARN, f"The subject has {len(mail.subject)} characters.")
    if not mail.text.strip():
        yield Finding(Level.BLOCK, "The plain text is empty.")
    if not mail.html.strip():
        yield Finding(Level.BLOCK, "The HTML is empty.")


def _size(mail: Mail) -> Iterator[Finding]:
    size = encoded_size(mail.html)
    if size > BLOCK_SIZE:
        message = (
            f"The HTML takes {size // 1024} KB and Gmail would cut it off; lower `maximum` or topic quotas."
        )
        yield Finding(Level.BLOCK, message)
    elif size > WARN_SIZE:
        yield Finding(Level.WARN, f"The HTML takes {size // 1024} KB; Gmail cuts off at 102 KB.")


def _controls(mail: Mail) -> Iterator[Finding]:
    for name, part in (("subject", mail.subject), ("HTML", mail.html), ("plain text", mail.text)):
        found = _CONTROLS.search(part)
        if found:
            message = f"The {name} holds the control character U+{ord(found[0]):04X}, which clips mails."
            yield Finding(Level.BLOCK, message)


def _images(page: _Page) -> Iterator[Finding]:
    for image in page.images:
        source = image.get("src") or ""
        name = source[:80] or "without address"
        if urlsplit(source).scheme not in ("http", "https"):
            yield Finding(Level.BLOCK, f"Image {name}: its address is not absolute http(s).")
        elif urlsplit(source).path.casefold().endswith(_UNSEEN_IMAGES):
            yield Finding(Level.WARN, f"Image {name}: many mail clients do not show this format.")
        if "alt" not in image:
            yield Finding(Level.WARN, f"Image {name}: it has no alt text.")
        if not (image.get("width") or "").isdigit() or not (image.get("height") or "").isdigit():
            yield Finding(Level.WARN, f"Image {name}: it has no width and height.")


def _links(page: _Page) -> Iterator[Finding]:
    for link in dict.fromkeys(page.links):
        if link.startswith("#"):
            yield Finding(Level.WARN, f"Link {link[:80]}: links within a mail are dead in several clients.")
        elif urlsplit(link).scheme not in ("http", "https", "mailto") and not _PLACEHOLDER.fullmatch(link):
            yield Finding(Level.BLOCK, f"Link {link[:80]!r}: it is not absolute http(s).")


def _markup(page: _Page) -> Iterator[Finding]:
    for tag in sorted(page.tags & _DEAD_TAGS):
        yield Finding(Level.BLOCK, f"The HTML has a <{tag}>, which mail clients remove or refuse.")
    if len(page.style.encode()) > STYLE_SIZE:
        yield Finding(Level.WARN, "The styles in the head take over 16 KB; Gmail drops them all.")
    if "@import" in page.style.casefold():
        yield Finding(Level.BLOCK, "The styles use @import.")
    if "lang" not in page.html:
        yield Finding(Level.WARN, "The HTML does not say its language (lang).")


class _Page(HTMLParser):
    """What of a mail is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.html: dict[str, str | None] = {}
        self.style = ""
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._in_style = tag == "style"
        if tag == "img":
            self.images.append(dict(attrs))
        elif tag == "a":
            self.links.append(dict(attrs).get("href") or "")
        elif tag == "html":
            self.html = dict(attrs)

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"
