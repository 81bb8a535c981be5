"""Check a rendered email: nothing clips or breaks it, and everybody can read it and unsubscribe."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import urlsplit

from digest.model.messages import Email
from digest.render.brand.colours import Colour, contrast, shown
from digest.render.preflight.findings import Finding, Level, Place, worst_first
from digest.render.preflight.rules import found
from digest.render.preflight.subject import subject_lines
from digest.render.preflight.support import unsupported
from digest.render.reading.footer import Footer
from digest.render.reading.page import Element, Page, is_blank
from digest.render.reading.styles import Screen

WARN_SIZE = 80 * 1024  # bytes of the encoded HTML part; Gmail clips emails of about 102 KB
BLOCK_SIZE = 100 * 1024
STYLE_SIZE = 16 * 1024  # Gmail ignores longer styles in the head

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PLACEHOLDER = re.compile(r"\w+", re.ASCII)
_DEAD_TAGS = frozenset({"script", "iframe", "object", "embed", "form", "video", "audio", "svg"})
_UNSEEN_IMAGES = (".svg", ".webp", ".avif", ".heic")
_URL = re.compile(r"url\(\s*[\"']?([^\"')]*)")
_HANDLER = re.compile(r"on[a-z]+")
_HEADING = re.compile(r"h[1-6]")

PHONE = 360  # pixels; a narrow phone
WIDE = 480  # pixels; no phone that is held upright is wider
READABLE = 4.5  # contrast of text (WCAG 2.2, level AA)
UNREADABLE = 2.0
_SCREENS = (("light", Screen(width=PHONE)), ("dark", Screen(width=PHONE, dark=True)))
_HTML = Place(part="HTML")


def preflight(email: Email, footer: Footer | None = None) -> tuple[Finding, ...]:
    """Return the problems of `email` alone, the worst first. Links may still be placeholders.

    With `footer`, the email must have its link to unsubscribe and its postal address.
    """
    page = Page(email.html)
    return worst_first((*size_of(encoded_size(email.html)), *problems(email, page, footer)))


def problems(email: Email, page: Page, footer: Footer | None) -> Iterator[Finding]:
    """Yield all problems of an email but its size; `page` is its HTML."""
    yield from subject_lines(email)
    yield from _parts(email)
    yield from _controls(email)
    yield from _images(page)
    yield from _links(page)
    yield from _markup(page)
    yield from _headings(page)
    yield from _width(page)
    yield from _contrast(page)
    yield from unsupported(page)
    if footer:
        yield from without_foot(email, footer)
        yield from _hidden_foot(page, footer)


def encoded_size(html: str) -> int:
    """Return the size of `html` in an email, in bytes of quoted-printable."""
    # An Arabic character takes six bytes, so the number of characters would say little.
    return len(binascii.b2a_qp(html.encode(), istext=True))


def size_of(size: int, place: Place = _HTML) -> Iterator[Finding]:
    """Yield what is wrong with the encoded size of the HTML of an email, in bytes."""
    if size >= BLOCK_SIZE:
        message = f"The HTML has {size // 1024} KB and Gmail would clip it; lower `maximum` or topic quotas."
        yield found("size", message, place, level=Level.BLOCK)
    elif size >= WARN_SIZE:
        yield found("size", f"The HTML has {size // 1024} KB; Gmail clips emails of 102 KB.", place)


def without_foot(email: Email, footer: Footer) -> Iterator[Finding]:
    """Yield a finding for each part of the foot that an email lacks."""
    for sentence in footer.missing(email):
        yield found("unsubscribe" if "unsubscribe" in sentence else "postal_address", sentence)


def _parts(email: Email) -> Iterator[Finding]:
    if not email.text.strip():
        yield found("text_missing", "The plain text is empty.", Place(part="plain text"))
    if not email.html.strip():
        yield found("text_missing", "The HTML is empty.", _HTML)


def _controls(email: Email) -> Iterator[Finding]:
    for name, part in (("subject", email.subject), ("HTML", email.html), ("plain text", email.text)):
        if match := _CONTROLS.search(part):
            character = f"U+{ord(match[0]):04X}"
            message = f"The {name} contains the control character {character}, which can clip the email."
            yield found("controls", message, Place(part=name))


def _images(page: Page) -> Iterator[Finding]:
    for image in (each.attributes for each in page.elements if each.tag == "img"):
        source = image.get("src", "")
        name = source[:80] or "without address"
        if urlsplit(source).scheme not in ("http", "https"):
            yield _of_image("picture_address", f"{name}: its address is not an absolute http(s) address.")
        elif urlsplit(source).path.casefold().endswith(_UNSEEN_IMAGES):
            yield _of_image("picture_format", f"{name}: many mail programs do not show this format.")
        if "alt" not in image:
            yield _of_image("alt", f"{name}: it has no alt text.")
        if not image.get("width", "").isdigit() or not image.get("height", "").isdigit():
            yield _of_image("picture_size", f"{name}: it has no width and height.")
    for source in dict.fromkeys(_backgrounds(page)):
        if urlsplit(source).scheme not in ("http", "https"):
            message = f"Background {source[:80]}: it is not an absolute http(s) address."
            yield found("picture_address", message, _HTML)


def _of_image(rule: str, sentence: str) -> Finding:
    return found(rule, f"Image {sentence}", Place(part="picture"))


def _backgrounds(page: Page) -> Iterator[str]:
    for element in page.elements:
        yield from (element.attributes[name] for name in ("background",) if element.attributes.get(name))
        yield from _URL.findall(element.attributes.get("style", ""))
    yield from _URL.findall(page.style)


def _links(page: Page) -> Iterator[Finding]:
    links = (each.attributes.get("href", "") for each in page.elements if each.tag in ("a", "area"))
    for link in dict.fromkeys(links):
        if link.startswith("#"):
            message = f"Link {link[:80]}: several mail programs ignore links inside an email."
            yield found("link_inside", message, _HTML)
        elif urlsplit(link).scheme not in ("http", "https", "mailto") and not _PLACEHOLDER.fullmatch(link):
            message = f"Link {link[:80]!r}: it is not an absolute http(s) address."
            yield found("link_address", message, _HTML)


def _markup(page: Page) -> Iterator[Finding]:
    tags = {each.tag for each in page.elements}
    for tag in sorted(tags & _DEAD_TAGS):
        message = f"The HTML contains a <{tag}>, which mail programs remove or refuse."
        yield found("markup", message, _HTML)
    for name in sorted({name for each in page.elements for name in each.attributes}):
        if _HANDLER.fullmatch(name):
            yield found("markup", f"The HTML has the script {name}, which mail programs refuse.", _HTML)
    if len(page.style.encode()) > STYLE_SIZE:
        message = "The styles in the head have more than 16 KB, so Gmail drops them all."
        yield found("styles", message, _HTML, level=Level.WARN)
    if "@import" in page.style.casefold():
        yield found("styles", "The styles use @import.", _HTML)
    if not any(each.tag == "html" and each.attributes.get("lang", "").strip() for each in page.elements):
        yield found("language", "The HTML does not name its language (lang).", _HTML)


def _headings(page: Page) -> Iterator[Finding]:
    """Find headings that a screen reader cannot use: none, several first ones, empty or left-out levels."""
    screen = _SCREENS[0][1]
    headings = [each for each in page.elements if _HEADING.fullmatch(each.tag)]
    headings = [each for each in headings if not page.is_hidden(each, screen)]
    levels = [int(each.tag[1]) for each in headings]
    if page.elements and levels.count(1) != 1:
        yield found("headings", f"The HTML has {levels.count(1) or 'no'} h1, and must have one.", _HTML)
    # A short email shows no topics (h2), so its stories (h3) follow its title (h1).
    pairs = [pair for pair in pairwise(levels) if pair != (1, 3) or 2 in levels]
    gap = next((pair for pair in pairs if pair[1] > pair[0] + 1), None)
    if gap:
        yield found("headings", f"An h{gap[1]} follows an h{gap[0]}, so a level is left out.", _HTML)
    for tag in sorted({each.tag for each in headings if not _says_something(each)}):
        yield found("headings", f"The HTML has an {tag} without words.", _HTML)


def _says_something(element: Element) -> bool:
    return any(not is_blank(each.text) or each.attributes.get("alt") for each in element.inside())


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
        yield found("width", f'{what}; write width="100%" and a max-width in its style.', _HTML, level=level)


def _contrast(page: Page) -> Iterator[Finding]:
    """Find text that can hardly be read, in light and in dark mode; each pair of colours counts once."""
    modes: dict[tuple[Colour, Colour], dict[str, str]] = {}
    for mode, screen in _SCREENS:
        for element in page.elements:
            colours = None if is_blank(element.text) else page.colours(element, screen)
            if colours is not None and not page.is_hidden(element, screen):
                modes.setdefault(colours, {}).setdefault(mode, element.text.strip()[:40])
    for colours, texts in modes.items():
        ratio = contrast(*colours)
        if ratio < READABLE:
            pair, text = " on ".join(map(shown, colours)), next(iter(texts.values()))
            message = (
                f"In {' and '.join(texts)} mode, the text {text!r} cannot be read well: {pair} has a "
                f"contrast of {ratio:.1f}, and {READABLE} is needed."
            )
            yield found("contrast", message, _HTML, level=Level.BLOCK if ratio < UNREADABLE else None)


def _hidden_foot(page: Page, footer: Footer) -> Iterator[Finding]:
    links = [each for each in page.elements if footer.unsubscribe in each.attributes.get("href", "")]
    if links and not any(_is_seen(page, each) for each in links):
        yield found("unsubscribe", "The link to unsubscribe cannot be seen in the HTML.", _HTML)


def _is_seen(page: Page, link: Element) -> bool:
    shown_in = [each for each in link.inside() if each.tag == "img" or not is_blank(each.text)]
    return any(not page.is_hidden(each, screen) for each in shown_in for _, screen in _SCREENS[:1])
