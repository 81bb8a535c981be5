"""Check a rendered email: nothing clips or breaks it, and everybody can read it and unsubscribe."""

from __future__ import annotations

import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from digest.model.messages import Email
from digest.render.preflight.findings import Finding, Level, Place, worst_first
from digest.render.preflight.readable import PHONE, hard_to_read, names_a_file
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
_PLACEHOLDER = re.compile(r"[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+")
_LINKED = ("http", "https", "mailto", "tel", "sms")
_DEAD_TAGS = frozenset({"script", "iframe", "object", "embed", "form", "video", "audio", "svg"})
_UNSEEN_IMAGES = (".svg", ".webp", ".avif", ".heic")
_URL = re.compile(r"url\(\s*[\"']?([^\"')]*)")
_HANDLER = re.compile(r"on[a-z]+")

WIDE = 480  # pixels; no phone that is held upright is wider
_HTML = Place(part="HTML")


def preflight(email: Email, footer: Footer | None = None) -> tuple[Finding, ...]:
    """Return the problems of `email` alone, the worst first. Links may still be placeholders.

    With `footer`, the email must have its link to unsubscribe and its postal address.
    """
    page = Page(email.html)
    return worst_first((*size_of(encoded_size(email.html)), *problems(email, page, footer)))


def problems(email: Email, page: Page, footer: Footer | None, own: Collection[str] = ()) -> Iterator[Finding]:
    """Yield all problems of an email but its size; `page` is its HTML.

    Addresses that are the edition's `own` are told beside its stories.
    """
    foot = tuple(without_foot(email, footer)) if footer else ()
    # A link that leads nowhere may stand in the place of the one to unsubscribe, which is told already.
    lost = any(each.rule == "unsubscribe" for each in foot)
    yield from foot
    yield from subject_lines(email)
    yield from _parts(email)
    yield from _controls(email)
    yield from _images(page, own)
    told = {*own, *(("", "#", "#unsubscribe") if lost else ())}
    yield from (each for link, each in _links(page) if link not in told)
    yield from _markup(page)
    yield from _width(page)
    yield from hard_to_read(page)
    yield from unsupported(page)
    if footer:
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


def _images(page: Page, own: Collection[str]) -> Iterator[Finding]:
    """Find faults of pictures; those of an edition's `own` pictures are told beside their stories."""
    faults: dict[tuple[str, str], list[str]] = {}
    for image in (each.attributes for each in page.elements if each.tag == "img"):
        source = image.get("src", "")
        for fault in _faults_of_image(image, is_own=source in own):
            faults.setdefault(fault, []).append(source[:80] or "without address")
    for (rule, sentence), names in faults.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield found(rule, f"Image {names[0]}{more}: {sentence}", Place(part="picture"))
    for source in dict.fromkeys(_backgrounds(page)):
        if urlsplit(source).scheme not in ("http", "https"):
            message = f"Background {source[:80]}: it is not an absolute http(s) address."
            yield found("picture_address", message, _HTML)


def _faults_of_image(image: Mapping[str, str], *, is_own: bool) -> Iterator[tuple[str, str]]:
    """Yield the rule and the sentence of each fault of a picture."""
    source = image.get("src", "")
    if is_own:
        pass
    elif urlsplit(source).scheme not in ("http", "https"):
        yield "picture_address", "its address is not an absolute http(s) address."
    elif is_unseen(source):
        yield "picture_format", "many mail programs do not show this format."
    if "alt" not in image:
        yield "alt", "it has no alt text."
    elif names_a_file(image["alt"]) and not is_own:
        yield "alt", "its alt text is the name of a file."
    if not image.get("width", "").isdigit() or not image.get("height", "").isdigit():
        yield "picture_size", "it has no width and height."


def is_unseen(url: str) -> bool:
    """Tell whether the address of a picture names a format that many mail programs do not show."""
    return urlsplit(url).path.casefold().endswith(_UNSEEN_IMAGES)


def _backgrounds(page: Page) -> Iterator[str]:
    for element in page.elements:
        yield from (element.attributes[name] for name in ("background",) if element.attributes.get(name))
        yield from _URL.findall(element.attributes.get("style", ""))
    yield from _URL.findall(page.style)


def _links(page: Page) -> Iterator[tuple[str, Finding]]:
    links = (each.attributes.get("href", "") for each in page.elements if each.tag in ("a", "area"))
    for link in dict.fromkeys(links):
        if link.startswith("#"):
            message = f"Link {link[:80]}: several mail programs ignore links inside an email."
            yield link, found("link_inside", message, _HTML)
        elif urlsplit(link).scheme not in _LINKED and not _PLACEHOLDER.fullmatch(link):
            message = f"Link {link[:80]!r}: it is not an absolute http(s) address."
            yield link, found("link_address", message, _HTML)


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


def _hidden_foot(page: Page, footer: Footer) -> Iterator[Finding]:
    """Find a foot that is in the HTML and that nobody sees."""
    links = [each for each in page.elements if footer.unsubscribe in each.attributes.get("href", "")]
    if links and not any(_is_seen(page, each) for each in links):
        yield found("unsubscribe", "The link to unsubscribe cannot be seen in the HTML.", _HTML)
    screen = Screen(width=PHONE)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for element in page.elements:
        texts[page.is_hidden(element, screen)].append(element.text)
    if footer.lines_in("".join(texts[True])) - footer.lines_in("".join(texts[False])):
        yield found("postal_address", "The postal address cannot be seen in the HTML.", _HTML)


def _is_seen(page: Page, link: Element) -> bool:
    shown_in = [each for each in link.inside() if each.tag == "img" or not is_blank(each.text)]
    return any(not page.is_hidden(each, Screen(width=PHONE)) for each in shown_in)
