"""Find what makes an email hard to read for somebody: its language, its headings, and its colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from digest.render.brand.colours import Colour, contrast, shown
from digest.render.languages.dates import direction
from digest.render.languages.dates import tag as language_tag
from digest.render.preflight.findings import Finding, Level, Place
from digest.render.preflight.rules import found
from digest.render.reading.page import Element, Page, is_blank
from digest.render.reading.styles import Screen

PHONE = 360  # pixels; a narrow phone

_READABLE = 4.5  # contrast of text (WCAG 2.2, level AA)
_READABLE_LARGE = 3.0  # of large letters
_UNREADABLE = 2.0
_LARGE, _LARGE_BOLD = 24.0, 18.66  # pixels
_SCREENS = (("light", Screen(width=PHONE)), ("dark", Screen(width=PHONE, dark=True)))
_HEADING = re.compile(r"h[1-6]")
_FILE = re.compile(
    r"https?://\S+|.*\.(?:jpe?g|png|gif|webp|svg|avif|heic|bmp|tiff?)"
    r"|(?:img|dsc[nf]?|pxl|image|photo|picture|screenshot|bild|foto|imagen|untitled)[-_ ]*\d*",
    re.IGNORECASE,
)
_HTML = Place(part="HTML")


def hard_to_read(page: Page) -> Iterator[Finding]:
    """Yield what makes an email hard to read, whatever its language is."""
    if not _named(page, "html", "lang"):
        yield found("language", "The HTML does not name its language (lang).", _HTML)
    yield from _headings(page)
    yield from _links(page)
    yield from _contrast(page)


def wrong_language(page: Page, language: str) -> Iterator[Finding]:
    """Yield a finding if the HTML names another language than its own, or the direction of another one."""
    named = _named(page, "html", "lang")
    if named and _first(named) != _first(language_tag(language)):
        yield found("language", f"The HTML names the language {named!r}, and is in another one.", _HTML)
    if (own := direction(language)) != _direction(page):
        way = "right to left" if own == "rtl" else "left to right"
        yield found("language", f"The HTML does not say that it is written from {way} (dir).", _HTML)


def _direction(page: Page) -> str:
    """Return the direction that the whole page is said to have, by an element around its first heading."""
    heading = next((each for each in page.elements if each.tag == "h1"), None)
    around = reversed(list(heading.outside())[1:]) if heading else page.elements[:1]
    told = (each.attributes.get("dir", "").casefold() for each in around)
    return next(filter(None, told), "ltr")


def _named(page: Page, tag: str, attribute: str) -> str:
    values = (each.attributes.get(attribute, "").strip() for each in page.elements if each.tag == tag)
    return next(filter(None, values), "")


def _first(tag: str) -> str:
    return re.split("[-_]", tag.casefold())[0]


def names_a_file(alt: str) -> bool:
    """Tell whether the alt text of a picture is the name of its file, or says no more than "image"."""
    return bool(_FILE.fullmatch(alt.strip()))


def _links(page: Page) -> Iterator[Finding]:
    """Find links of which a screen reader has nothing to say: a picture without an alt text, and no words."""
    for link in (each for each in page.elements if each.tag == "a" and "href" in each.attributes):
        pictures = [each for each in link.inside() if each.tag == "img"]
        if pictures and "alt" in pictures[0].attributes and not _says_something(link) and not _is_quiet(link):
            message = f"Link {link.attributes['href'][:80]}: a picture without alt text, and no words."
            yield found("alt", message, Place(part="picture"))


def _is_quiet(link: Element) -> bool:
    return any(each.attributes.get("aria-hidden") == "true" for each in link.outside())


# ── headings ────────────────────────────────────────────────────────────────────────────────


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


# ── colours ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pale:
    """A text that can hardly be read: its contrast, and the one that it needs."""

    ratio: float
    needed: float
    behind: Colour
    mode: str
    text: str


def _contrast(page: Page) -> Iterator[Finding]:
    """Find text that can hardly be read, in light and in dark mode; each colour of a text counts once."""
    pale: dict[Colour, list[_Pale]] = {}
    for mode, screen in _SCREENS:
        for element in page.elements:
            colours = None if is_blank(element.text) else page.colours(element, screen)
            if colours is None or contrast(*colours) >= _READABLE or page.is_hidden(element, screen):
                continue
            ratio, needed = contrast(*colours), _needed(page, element, screen)
            if ratio < needed:
                text = element.text.strip()[:40]
                one = _Pale(ratio=ratio, needed=needed, behind=colours[1], mode=mode, text=text)
                pale.setdefault(colours[0], []).append(one)
    yield from (_too_pale(colour, texts) for colour, texts in pale.items())


def _needed(page: Page, element: Element, screen: Screen) -> float:
    size, bold = page.letters(element, screen)
    return _READABLE_LARGE if size >= (_LARGE_BOLD if bold else _LARGE) else _READABLE


def _too_pale(colour: Colour, texts: list[_Pale]) -> Finding:
    worst = min(texts, key=lambda each: each.ratio)
    modes = " and ".join(dict.fromkeys(each.mode for each in texts if each.behind == worst.behind))
    message = (
        f"In {modes} mode, the text {worst.text!r} cannot be read well: {shown(colour)} on "
        f"{shown(worst.behind)} has a contrast of {worst.ratio:.1f}, and {worst.needed} is needed."
    )
    level = Level.BLOCK if worst.ratio < _UNREADABLE else None
    return found("contrast", message, _HTML, level=level).because(shown(colour))
