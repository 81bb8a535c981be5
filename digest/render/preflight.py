"""Check a rendered email: nothing clips or breaks it, and everybody can read it and unsubscribe."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from digest.model.editions import Edition
from digest.model.messages import Email
from digest.model.publication import HEADLINES
from digest.render.brand.colours import contrast, shown
from digest.render.reading.footer import Footer
from digest.render.reading.page import Element, Page, is_blank
from digest.render.reading.styles import Screen
from digest.render.writing.text import width

WARN_SIZE = 80 * 1024  # bytes of the encoded HTML part; Gmail clips emails of about 102 KB
BLOCK_SIZE = 100 * 1024
STYLE_SIZE = 16 * 1024  # Gmail ignores longer styles in the head
SUBJECT_LENGTH = 150

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PLACEHOLDER = re.compile(r"\w+", re.ASCII)
_DEAD_TAGS = frozenset({"script", "iframe", "object", "embed", "form", "video", "audio", "svg"})
_UNSEEN_IMAGES = (".svg", ".webp", ".avif", ".heic")
_URL = re.compile(r"url\(\s*[\"']?([^\"')]*)")
_HANDLER = re.compile(r"on[a-z]+")

# Characters that are shown in a list of messages; the width of letters differs, so these are round numbers.
_PHONE_SUBJECT, _LONG_FOR_PHONES, _GMAIL_SUBJECT, _PREHEADER = 45, 50, 70, 90

PHONE = 360  # pixels; a narrow phone
WIDE = 480  # pixels; no phone that is held upright is wider
READABLE = 4.5  # contrast of text (WCAG 2.2, level AA)
UNREADABLE = 2.0
_SCREENS = (("light", Screen(width=PHONE)), ("dark", Screen(width=PHONE, dark=True)))


class Level(StrEnum):
    """The severity of a finding."""

    WARN = "warn"  # the email can be sent
    BLOCK = "block"  # the email must not be sent


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of an email, in one plain sentence."""

    level: Level
    message: str


def preflight(email: Email, footer: Footer | None = None) -> tuple[Finding, ...]:
    """Return the problems of `email`, the worst first. Links may still be placeholders.

    With `footer`, the email must have its link to unsubscribe and its postal address.
    """
    page = Page(email.html)
    found = [
        *_lines(email),
        *_size(email),
        *_controls(email),
        *_images(page),
        *_links(page),
        *_markup(page),
        *_width(page),
        *_contrast(page),
        *(_footer(page, email, footer) if footer else ()),
    ]
    return tuple(sorted(found, key=lambda finding: finding.level is Level.WARN))


def cut_lines(email: Email, edition: Edition) -> Iterator[Finding]:
    """Yield a finding for the subject and one for the preheader, if lists of messages cut them.

    Nothing is said about a preheader of headlines or of the first blurb: it fills the room that there is.
    """
    length = width(email.subject)
    if length > _LONG_FOR_PHONES:
        gmail = f"Gmail shows about {_GMAIL_SUBJECT} characters, and " if length > _GMAIL_SUBJECT else ""
        phones = f"{gmail}phones show about {_PHONE_SUBJECT}: {_begin(email.subject, _PHONE_SUBJECT)}"
        yield Finding(Level.WARN, f"The subject is long; {phones}")
    if edition.preheader_template not in ("", HEADLINES) and width(email.preheader) > _PREHEADER:
        part = _begin(email.preheader, _PREHEADER)
        yield Finding(Level.WARN, f"The preheader is long; lists of messages show about {_PREHEADER}: {part}")


def _begin(line: str, columns: int) -> str:
    """Return the beginning of a line that fits into so many columns, as a quotation."""
    ends = (end for end in range(len(line), 0, -1) if width(line[:end]) <= columns)
    return f"“{line[: next(ends, 0)].rstrip()}…”"


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
    if size >= BLOCK_SIZE:
        message = f"The HTML has {size // 1024} KB and Gmail would clip it; lower `maximum` or topic quotas."
        yield Finding(Level.BLOCK, message)
    elif size >= WARN_SIZE:
        yield Finding(Level.WARN, f"The HTML has {size // 1024} KB; Gmail clips emails of 102 KB.")


def _controls(email: Email) -> Iterator[Finding]:
    for name, part in (("subject", email.subject), ("HTML", email.html), ("plain text", email.text)):
        found = _CONTROLS.search(part)
        if found:
            character = f"U+{ord(found[0]):04X}"
            message = f"The {name} contains the control character {character}, which can clip the email."
            yield Finding(Level.BLOCK, message)


def _images(page: Page) -> Iterator[Finding]:
    for image in (each.attributes for each in page.elements if each.tag == "img"):
        source = image.get("src", "")
        name = source[:80] or "without address"
        if urlsplit(source).scheme not in ("http", "https"):
            yield Finding(Level.BLOCK, f"Image {name}: its address is not an absolute http(s) address.")
        elif urlsplit(source).path.casefold().endswith(_UNSEEN_IMAGES):
            yield Finding(Level.WARN, f"Image {name}: many mail programs do not show this format.")
        if "alt" not in image:
            yield Finding(Level.WARN, f"Image {name}: it has no alt text.")
        if not image.get("width", "").isdigit() or not image.get("height", "").isdigit():
            yield Finding(Level.WARN, f"Image {name}: it has no width and height.")
    for source in dict.fromkeys(_backgrounds(page)):
        if urlsplit(source).scheme not in ("http", "https"):
            yield Finding(Level.BLOCK, f"Background {source[:80]}: it is not an absolute http(s) address.")


def _backgrounds(page: Page) -> Iterator[str]:
    for element in page.elements:
        yield from (element.attributes[name] for name in ("background",) if element.attributes.get(name))
        yield from _URL.findall(element.attributes.get("style", ""))
    yield from _URL.findall(page.style)


def _links(page: Page) -> Iterator[Finding]:
    links = (each.attributes.get("href", "") for each in page.elements if each.tag in ("a", "area"))
    for link in dict.fromkeys(links):
        if link.startswith("#"):
            yield Finding(
                Level.WARN, f"Link {link[:80]}: several mail programs ignore links inside an email."
            )
        elif urlsplit(link).scheme not in ("http", "https", "mailto") and not _PLACEHOLDER.fullmatch(link):
            yield Finding(Level.BLOCK, f"Link {link[:80]!r}: it is not an absolute http(s) address.")


def _markup(page: Page) -> Iterator[Finding]:
    tags = {each.tag for each in page.elements}
    for tag in sorted(tags & _DEAD_TAGS):
        yield Finding(Level.BLOCK, f"The HTML contains a <{tag}>, which mail programs remove or refuse.")
    for name in sorted({name for each in page.elements for name in each.attributes}):
        if _HANDLER.fullmatch(name):
            yield Finding(Level.BLOCK, f"The HTML has the script {name}, which mail programs refuse.")
    if len(page.style.encode()) > STYLE_SIZE:
        yield Finding(Level.WARN, "The styles in the head have more than 16 KB, so Gmail drops them all.")
    if "@import" in page.style.casefold():
        yield Finding(Level.BLOCK, "The styles use @import.")
    if not any(each.tag == "html" and "lang" in each.attributes for each in page.elements):
        yield Finding(Level.WARN, "The HTML does not name its language (lang).")


def _width(page: Page) -> Iterator[Finding]:
    """Find what is wider than a phone: one element, or the cells of a row together."""
    screen = Screen(width=PHONE)
    widths = {each: page.fixed_width(each, screen) for each in page.elements}
    for element in page.elements:
        if element.tag == "tr":
            widths[element] = sum(widths[cell] for cell in element.children)
    wide = [each for each, width in widths.items() if width > PHONE and not page.is_hidden(each, screen)]
    if wide:
        widest = max(wide, key=lambda each: widths[each])
        level = Level.BLOCK if widths[widest] > WIDE else Level.WARN
        what = f"A <{widest.tag}> is {widths[widest]:.0f} pixels wide, wider than a phone"
        yield Finding(level, f'{what}; write width="100%" and a max-width in its style.')


def _contrast(page: Page) -> Iterator[Finding]:
    """Find text that can hardly be read, in light and in dark mode; each pair of colours counts once."""
    for mode, screen in _SCREENS:
        told = set()
        for element in page.elements:
            colours = None if is_blank(element.text) else page.colours(element, screen)
            if colours is None or colours in told or page.is_hidden(element, screen):
                continue
            told.add(colours)
            found = contrast(*colours)
            if found < READABLE:
                text, pair = element.text.strip()[:40], " on ".join(map(shown, colours))
                yield Finding(
                    Level.BLOCK if found < UNREADABLE else Level.WARN,
                    f"In {mode} mode, the text {text!r} cannot be read well: {pair} has a contrast of "
                    f"{found:.1f}, and {READABLE} is needed.",
                )


def _footer(page: Page, email: Email, footer: Footer) -> Iterator[Finding]:
    missing = footer.missing(email)
    yield from (Finding(Level.BLOCK, sentence) for sentence in missing)
    links = [each for each in page.elements if footer.unsubscribe in each.attributes.get("href", "")]
    if links and not any(_is_seen(page, each) for each in links):
        yield Finding(Level.BLOCK, "The link to unsubscribe cannot be seen in the HTML.")


def _is_seen(page: Page, link: Element) -> bool:
    shown_in = [each for each in link.inside() if each.tag == "img" or not is_blank(each.text)]
    return any(not page.is_hidden(each, screen) for each in shown_in for _, screen in _SCREENS[:1])
