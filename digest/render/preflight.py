"""Check a rendered email for anything that would clip it, break it, or make a server refuse it."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from html.parser import HTMLParser
from urllib.parse import urlsplit

from digest.model.messages import Email

WARN_SIZE = 80 * 1024  # bytes of the encoded HTML part; Gmail clips emails of about 102 KB
BLOCK_SIZE = 100 * 1024
STYLE_SIZE = 16 * 1024  # Gmail ignores longer styles in the head
SUBJECT_LENGTH = 150

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PLACEHOLDER = re.compile(r"\w+", re.ASCII)
_DEAD_TAGS = frozenset({"script", "iframe", "object", "embed", "form", "video", "audio", "svg"})
_UNSEEN_IMAGES = (".svg", ".webp", ".avif", ".heic")


class Level(StrEnum):
    """The severity of a finding."""

    WARN = "warn"  # the email can be sent
    BLOCK = "block"  # the email must not be sent


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of an email, in one plain sentence."""

    level: Level
    message: str


def preflight(email: Email) -> tuple[Finding, ...]:
    """Return the problems of `email`, the worst first. Links may still be placeholders."""
    page = _Page()
    page.feed(email.html)
    page.close()
    found = [*_lines(email), *_size(email), *_controls(email), *_images(page), *_links(page), *_markup(page)]
    return tuple(sorted(found, key=lambda finding: finding.level is Level.WARN))


def encoded_size(html: str) -> int:
    """Return the size of `html` in an email, in bytes of quoted-printable."""
    # An Arabic character takes six bytes, so the number of characters would say little.
    return len(binascii.b2a_qp(html.encode(), istext=True))


def _lines(email: Email) -> Iterator[Finding]:
    if not email.subject.strip():
        yield Finding(Level.BLOCK, "The subject is empty.")
    if "\n" in email.subject or "\r" in email.subject:
        yield Finding(Level.BLOCK, "The subject has more than one line.")
    if len(email.subject) > SUBJECT_LENGTH:
        yield Finding(Level.WARN, f"The subject is long: it has {len(email.subject)} characters.")
    if not email.text.strip():
        yield Finding(Level.BLOCK, "The plain text is empty.")
    if not email.html.strip():
        yield Finding(Level.BLOCK, "The HTML is empty.")


def _size(email: Email) -> Iterator[Finding]:
    size = encoded_size(email.html)
    if size > BLOCK_SIZE:
        message = f"The HTML has {size // 1024} KB and Gmail would clip it; lower `maximum` or topic quotas."
        yield Finding(Level.BLOCK, message)
    elif size > WARN_SIZE:
        yield Finding(Level.WARN, f"The HTML has {size // 1024} KB; Gmail clips emails of 102 KB.")


def _controls(email: Email) -> Iterator[Finding]:
    for name, part in (("subject", email.subject), ("HTML", email.html), ("plain text", email.text)):
        found = _CONTROLS.search(part)
        if found:
            character = f"U+{ord(found[0]):04X}"
            message = f"The {name} contains the control character {character}, which can clip the email."
            yield Finding(Level.BLOCK, message)


def _images(page: _Page) -> Iterator[Finding]:
    for image in page.images:
        source = image.get("src") or ""
        name = source[:80] or "without address"
        if urlsplit(source).scheme not in ("http", "https"):
            yield Finding(Level.BLOCK, f"Image {name}: its address is not an absolute http(s) address.")
        elif urlsplit(source).path.casefold().endswith(_UNSEEN_IMAGES):
            yield Finding(Level.WARN, f"Image {name}: many mail programs do not show this format.")
        if "alt" not in image:
            yield Finding(Level.WARN, f"Image {name}: it has no alt text.")
        if not (image.get("width") or "").isdigit() or not (image.get("height") or "").isdigit():
            yield Finding(Level.WARN, f"Image {name}: it has no width and height.")


def _links(page: _Page) -> Iterator[Finding]:
    for link in dict.fromkeys(page.links):
        if link.startswith("#"):
            yield Finding(
                Level.WARN, f"Link {link[:80]}: several mail programs ignore links inside an email."
            )
        elif urlsplit(link).scheme not in ("http", "https", "mailto") and not _PLACEHOLDER.fullmatch(link):
            yield Finding(Level.BLOCK, f"Link {link[:80]!r}: it is not an absolute http(s) address.")


def _markup(page: _Page) -> Iterator[Finding]:
    for tag in sorted(page.tags & _DEAD_TAGS):
        yield Finding(Level.BLOCK, f"The HTML contains a <{tag}>, which mail programs remove or refuse.")
    if len(page.style.encode()) > STYLE_SIZE:
        yield Finding(Level.WARN, "The styles in the head have more than 16 KB, so Gmail drops them all.")
    if "@import" in page.style.casefold():
        yield Finding(Level.BLOCK, "The styles use @import.")
    if "lang" not in page.html:
        yield Finding(Level.WARN, "The HTML does not name its language (lang).")


class _Page(HTMLParser):
    """The elements of an email's HTML that are checked."""

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
