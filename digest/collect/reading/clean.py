"""Turn untrusted HTML into plain text and pictures: nh3 removes dangerous markup, then we remove noise."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import lxml.html
import nh3
from lxml.etree import ParserError
from lxml.html import HtmlElement

from digest.collect.reading.noise import is_box, is_line, is_read_on, is_short, without_read_on
from digest.collect.reading.pictures.offers import ATTRIBUTES as PICTURE_ATTRIBUTES
from digest.collect.reading.pictures.offers import Picture, pictures_in
from digest.collect.reading.prose import BLURB, feed_line
from digest.collect.wording.marks import emoji, lowered, raised, without_shortcodes
from digest.collect.wording.table import any_of, small
from digest.collect.wording.via import Link, is_opening, leads_on, led_to, names_source, via_of
from digest.model.links import web_url
from digest.model.posts import Via

LONGEST = 100_000  # characters of one body that are read; the blurb is made from its beginning
_LONGEST_PARAGRAPH = 4_000
_LONGEST_LINK = 200
_LINKS = 20  # of a paragraph
_OPENING = 2_000
_ENOUGH = 20  # paragraphs; more are never read
_FIRST, _LAST = 5, 12  # paragraphs that may name the source of a post

_EMBEDDED = frozenset(["iframe", "object", "embed", "svg", "math", "canvas", "audio", "video", "noscript"])
_CONTROLS = frozenset(["form", "button", "select", "textarea"])
_DROPPED = _EMBEDDED | _CONTROLS | {"script", "style", "template", "title", "head"}
_STRUCK = frozenset(["s", "del", "strike"])
_PICTURED = frozenset(["noscript", "video"])  # their pictures are used, but not their text
_NOT_PROSE = _PICTURED | {"figcaption", "cite", "pre", "nav", "aside", "footer", "dialog", "table"}
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6", "dt", "th", "legend", "summary"])
_LISTS = frozenset(["ul", "ol", "dl", "li", "dd"])
_BLOCKS = frozenset(["p", "div", "blockquote", "section", "article", "header", "main", "hr", "figure"])
_BORDERS = _BLOCKS | _LISTS | _HEADINGS | _NOT_PROSE - {"cite"} | {"picture", "center", "address", "details"}
_KEPT = set(
    (nh3.ALLOWED_TAGS | _BORDERS | _STRUCK | {"img", "source", "br", "cite"}) - (_DROPPED - _PICTURED)
)
_ATTRIBUTES = {"*": {"class", "id"}, "a": {"href"}, **PICTURE_ATTRIBUTES}
_STYLED = {**_ATTRIBUTES, "*": {"class", "id", "style"}}
_UNSEEN = re.compile(r"line-through|display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

_MARKUP = re.compile(r"<[a-zA-Z/!]")
# Markup that was escaped twice; an element that is only named ("the <b> tag") has no end.
_ESCAPED = re.compile(
    r"<(em|i|b|strong|sup|sub|span|a|u|small|s|del|font|q|mark|cite)\b[^<>]{0,500}>.{0,1000}?</\1>",
    re.IGNORECASE,
)
_WARNING = re.compile(rf"\W*{any_of('warning')}\s*[:：]\s*")
_SCRIPT = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAK = "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The paragraphs and pictures of a piece of HTML, in their order."""

    paragraphs: tuple[str, ...] = ()  # plain text, one line each
    pictures: tuple[Picture, ...] = ()
    opening: str = ""  # the first characters of all its text, with share bars and headings
    via: tuple[Via, ...] = ()  # the publications that it names as its source
    warning: str = ""  # a microblog's content warning: the rest should not be shown at once


@dataclass(slots=True)
class _Paragraph:
    """The text between two borders, while it is being collected."""

    heading: bool = False
    parts: list[str] = field(default_factory=list)
    linked: int = 0  # characters inside links
    spans: list[tuple[int, int, str]] = field(default_factory=list)  # of links: the parts, and the address
    line: str | None = None  # the text, once it is known
    source: bool = False  # it names the source of the post

    def add(self, text: str | None, *, link: bool = False) -> None:
        if text:
            self.parts.append(text)
            self.linked += len(text.strip()) if link else 0

    def empty(self) -> bool:
        """Return whether there is nothing but spaces and line breaks."""
        return all(part.isspace() for part in self.parts)

    def text(self) -> str:
        """Return the text as one line."""
        if self.line is None:
            self.line = feed_line("".join(self.parts)[:_LONGEST_PARAGRAPH])
        return self.line

    def links(self) -> tuple[Link, ...]:
        """Return the links with their texts."""
        texts = (feed_line("".join(self.parts[begin:end])[:_LONGEST_LINK]) for begin, end, _ in self.spans)
        return tuple(
            Link(text, web_url(url)) for text, (_, _, url) in zip(texts, self.spans[:_LINKS], strict=False)
        )

    def broken(self) -> bool:
        """Return whether the text so far ends with a line break, apart from spaces."""
        return next((part for part in reversed(self.parts) if part.strip(" ") != ""), "") == _BREAK


def read_html(html: str, base: str | None = None) -> Body:
    """Return the paragraphs and the pictures of a piece of HTML or of plain text.

    Scripts, share bars, advertisements, captions, note marks, struck text and "read more" lines are left
    out. Relative addresses are resolved against `base`. It never raises, whatever `html` is.
    """
    root = _tree(without_shortcodes(html[:LONGEST]), base)
    if root is None:
        return Body()
    opening = str(root.text_content())[:_OPENING]
    _tidy(root)
    around = [element for element in root.iterdescendants() if _is_around(element)]
    boxes = frozenset(each for each in around if each.tag != "a")
    pictures = tuple(pictures_in(root, base, boxes=boxes))
    led = tuple(_led(element for element in around if boxes.isdisjoint(element.iterancestors())))
    for element in (*around, *_captions(root)):
        element.drop_tree()
    found = [paragraph for paragraph in _paragraphs(root) if not paragraph.empty()]
    vias = (*_vias(found), *led)
    prose = list(islice(_all_prose(found, strict=True), _ENOUGH))
    # If a post contains nothing but links or a heading, these are used.
    loose = prose or list(islice(_all_prose(found, strict=False), _ENOUGH))
    return Body(
        paragraphs=tuple(loose),
        pictures=pictures,
        opening=opening,
        via=vias,
        warning=_warning(found[0].text()) if found else "",
    )


def plain(text: str, limit: int | None = None) -> str:
    """Return a title or a name as one line of plain text, without markup and with entities decoded once."""
    shown = text[:LONGEST]
    shown = _text_of(shown) if _MARKUP.search(shown) else entities.unescape(shown)
    if _ESCAPED.search(shown):
        shown = _text_of(shown)
    # Scripts that were escaped twice are harmless, but would look like an attack to a reader.
    return feed_line(_SCRIPT.sub("", shown), limit)


def feed_link(html: str, base: str) -> str | None:
    """Return the address of the feed that a web page names in its head, or None."""
    for tag in re.findall(r"<link\b[^>]{0,2000}>", html[:LONGEST], re.IGNORECASE):
        attributes = {
            name.lower(): entities.unescape(value)
            for name, _, value in re.findall(r"([a-zA-Z]+)\s*=\s*(['\"])(.*?)\2", tag)
        }
        if re.search(r"\b(rss|atom|feed)\+(xml|json)", attributes.get("type", "")):
            return web_url(attributes.get("href"), base)
    return None


def _tree(html: str, base: str | None) -> HtmlElement | None:
    """Clean `html` with nh3 and parse the rest; None if nothing is left."""
    text = _CONTROL.sub("", html)
    if not _MARKUP.search(text):
        text = "".join(f"<p>{part}</p>" for part in re.split(r"\n\s*\n", text))
    safe = nh3.clean(
        text,
        tags=_KEPT,
        clean_content_tags=set(_DROPPED - _PICTURED),
        attributes=_STYLED if _UNSEEN.search(text) else _ATTRIBUTES,
        generic_attribute_prefixes={"data-"},
        link_rel=None,
        url_relative=("rewrite_with_base", base) if web_url(base) and base else "deny",
    )
    try:
        return lxml.html.fragment_fromstring(safe, create_parent="div")
    except ParserError:
        return None


def _text_of(html: str) -> str:
    """Return the text of a title with markup, with spaces where it has lines or boxes."""
    root = _tree(without_shortcodes(html), None)
    if root is None:
        return ""
    _tidy(root)
    texts: list[str] = []
    for starts, element in _walk(root, prose=False):
        gap = " " if element.tag in _BORDERS or element.tag == "br" else ""
        texts += (gap, (element.text if starts else element.tail) or "")
    return "".join(texts)


def _tidy(root: HtmlElement) -> None:
    """Turn raised numbers and emoji into characters; leave out note marks and struck text."""
    for element in list(root.iterdescendants()):
        if element.getparent() is None:
            continue  # it went with the element around it
        if element.tag in _STRUCK or _UNSEEN.search(element.get("style", "")):
            element.drop_tree()
        elif element.tag in ("sup", "sub"):
            _as_text(element, _small_text(element))
        elif element.tag == "img":
            shown = emoji(element.get("alt", ""), element.get("class", ""), element.get("src", ""))
            if shown is not None:
                _as_text(element, shown)


def _small_text(element: HtmlElement) -> str:
    text = str(element.text_content())
    if element.tag == "sub":
        return lowered(text)
    around = [element, *element.iterdescendants(), element.getparent()]
    names = " ".join(f"{each.get('class', '')} {each.get('id', '')}" for each in around if each is not None)
    return raised(text, _before(element), names=names, linked=element.find(".//a") is not None)


def _before(element: HtmlElement) -> str:
    """Return the text right before an element, as far as no other element comes between."""
    previous, parent = element.getprevious(), element.getparent()
    if previous is None:
        return (parent.text or "") if parent is not None else ""
    return previous.tail or str(previous.text_content())


def _as_text(element: HtmlElement, text: str) -> None:
    for child in list(element):
        element.remove(child)
    element.tag, element.text = "span", text


def _is_around(element: HtmlElement) -> bool:
    if element.tag == "a":
        return is_read_on(text := _text(element)) and not names_source(text)
    names = f"{element.get('class', '')} {element.get('id', '')}".split()
    return element.tag != "img" and any(map(is_box, names)) and is_short(_text(element))


def _captions(root: HtmlElement) -> list[HtmlElement]:
    """Return what stands in italics or small beside a picture in its paragraph, if there is more to read."""
    found: list[HtmlElement] = []
    for paragraph in root.iter("p", "center"):
        if paragraph.find(".//img") is None:
            continue
        beside = [each for each in paragraph.iter("em", "i", "small") if each.find(".//img") is None]
        text = _text(paragraph)
        alone = "".join(map(_text, beside)).replace(" ", "") == text.replace(" ", "")
        if text and alone and len(_text(root)) > 2 * len(text):
            found += [each for each in beside if not any(around in beside for around in each.iterancestors())]
    return found


def _led(around: Iterable[HtmlElement]) -> Iterator[Via]:
    """Yield the publications to which "Read more at …" leads."""
    for element in around:
        text = _text(element)
        if element.tag == "a" and (via := led_to(text, [Link(text, web_url(element.get("href", "")))])):
            yield via


def _text(element: HtmlElement) -> str:
    return " ".join(str(element.text_content()).split())


def _paragraphs(root: HtmlElement) -> Iterator[_Paragraph]:
    """Yield the texts between borders; two line breaks count as a border too."""
    current = _Paragraph()
    links: list[tuple[_Paragraph, int]] = []  # those that are open, and where their text begins
    for starts, element in _walk(root):
        if element.tag in _BORDERS or (element.tag == "br" and starts and current.broken()):
            yield current
            current = _Paragraph(heading=starts and element.tag in _HEADINGS)
        elif element.tag == "br" and starts:
            current.add(_BREAK)
        elif element.tag == "a" and starts:
            links.append((current, len(current.parts)))
        elif element.tag == "a":
            paragraph, begin = links.pop()
            paragraph.spans.append((begin, len(paragraph.parts), element.get("href", "")))
        current.add(element.text if starts else element.tail, link=bool(links))
    yield current


def _walk(root: HtmlElement, *, prose: bool = True) -> Iterator[tuple[bool, HtmlElement]]:
    """Yield every element in reading order, when it starts (True) and ends; with `prose`, only prose."""
    stack = [(False, root), (True, root)]
    while stack:
        starts, element = stack.pop()
        if starts and prose and element.tag in _NOT_PROSE:
            continue
        yield starts, element
        if starts:
            for child in reversed(element):
                stack += [(False, child), (True, child)]


def _all_prose(found: Sequence[_Paragraph], *, strict: bool) -> Iterator[str]:
    return (text for paragraph in found if (text := _prose(paragraph, strict=strict)))


def _prose(paragraph: _Paragraph, *, strict: bool) -> str | None:
    """Return the text of a paragraph, or None if it is noise."""
    text = without_read_on(paragraph.text()).strip()
    if paragraph.source or not any(char.isalnum() for char in text) or is_line(text):
        return None
    if strict and (paragraph.heading or paragraph.linked > 0.8 * len(text)):
        return None
    return text


def _vias(found: Sequence[_Paragraph]) -> Iterator[Via]:
    """Yield the sources that lines at the beginning and the end name, perhaps in the line after "Source:"."""
    opened = ""
    for paragraph in (*found[:_FIRST], *found[_FIRST:][-_LAST:]):
        text = paragraph.text()
        line = f"{opened} {text}".strip()
        links = paragraph.links() if names_source(line) or leads_on(line) else ()
        if via := via_of(line, links) or led_to(line, links):
            paragraph.source = len(line) <= BLURB
            yield via
        opened = f"{text.rstrip(': ')}:" if is_opening(text) else ""


def _warning(text: str) -> str:
    """Return the first paragraph if it is a content warning, in the language of its site."""
    return text if len(text) <= BLURB and _WARNING.match(small(text)) else ""
