"""Turn untrusted HTML into plain text and pictures: nh3 removes dangerous markup, then we remove noise."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import lxml.html
import nh3
from lxml.etree import ParserError
from lxml.html import HtmlElement

from digest.collect.reading.noise import is_box, is_line, is_read_on, without_read_on
from digest.collect.reading.prose import feed_line
from digest.model.links import web_url

LONGEST = 100_000  # characters of one body that are read; the blurb is made from its beginning
_LONGEST_PARAGRAPH = 4_000

_EMBEDDED = frozenset(["iframe", "object", "embed", "svg", "math", "canvas", "audio", "video", "noscript"])
_CONTROLS = frozenset(["form", "button", "select", "textarea"])
_DROPPED = _EMBEDDED | _CONTROLS | {"script", "style", "template", "title", "head"}
_NOT_PROSE = frozenset(["figcaption", "cite", "pre", "nav", "aside", "footer", "dialog", "table"])
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6", "dt", "th", "legend", "summary"])
_LISTS = frozenset(["ul", "ol", "dl", "li", "dd"])
_BLOCKS = frozenset(["p", "div", "blockquote", "section", "article", "header", "main", "hr", "figure"])
_BORDERS = _BLOCKS | _LISTS | _HEADINGS | _NOT_PROSE - {"cite"} | {"picture", "center", "address", "details"}
_KEPT = set((nh3.ALLOWED_TAGS | _BORDERS | {"img", "br", "cite"}) - _DROPPED)
_LAZY = ("src", "data-src", "data-lazy-src")
_ATTRIBUTES = {"*": {"class", "id"}, "a": {"href"}, "img": {*_LAZY, "alt", "width", "height"}}

_MARKUP = re.compile(r"<[a-zA-Z/!]")
_BORDER_TAG = re.compile(r"</?(br|p|div|li|h[1-6]|td)\b[^>]{0,200}>", re.IGNORECASE)
_SCRIPT = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_BOX_LIMIT = 600  # characters; a box with more text than this is an article in a badly named box
_BREAK = "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as a feed offers it, before `images` decides whether it is used. Sizes are in pixels."""

    url: str
    alt: str = ""
    width: int | None = None
    height: int | None = None
    kind: str = ""  # the media type, if the feed names it
    label: str = ""  # class names, which show that a picture is a smiley or an avatar


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The paragraphs and pictures of a piece of HTML, in their order."""

    paragraphs: tuple[str, ...] = ()  # plain text, one line each
    pictures: tuple[Picture, ...] = ()


@dataclass(slots=True)
class _Paragraph:
    """The text between two borders, while it is being collected."""

    heading: bool = False
    parts: list[str] = field(default_factory=list)
    linked: int = 0  # characters inside links

    def add(self, text: str | None, *, link: bool = False) -> None:
        if text:
            self.parts.append(text)
            self.linked += len(text.strip()) if link else 0

    def broken(self) -> bool:
        """Return whether the text so far ends with a line break, apart from spaces."""
        return next((part for part in reversed(self.parts) if part.strip(" ") != ""), "") == _BREAK


def read_html(html: str, base: str | None = None) -> Body:
    """Return the paragraphs and the pictures of a piece of HTML or of plain text.

    Scripts, share bars, advertisements, captions and "read more" lines are left out. Relative addresses are
    resolved against `base`. It never raises, whatever `html` is.
    """
    root = _tree(html, base)
    if root is None:
        return Body()
    _drop_boxes(root)
    found = list(_paragraphs(root))
    prose = [text for paragraph in found if (text := _prose(paragraph, strict=True))]
    # If a post contains nothing but links or a heading, these are used.
    loose = prose or [text for paragraph in found if (text := _prose(paragraph, strict=False))]
    return Body(paragraphs=tuple(loose), pictures=tuple(_pictures(root, base)))


def plain(text: str, limit: int | None = None) -> str:
    """Return a title or a name as one line of plain text, without markup and with entities decoded once."""
    shown = text[:LONGEST]
    if _MARKUP.search(shown):
        spaced = _BORDER_TAG.sub(" ", feed_line(shown))
        shown = nh3.clean(spaced, tags=set(), clean_content_tags=set(_DROPPED))
    # Scripts that were escaped twice are harmless, but would look like an attack to a reader.
    return feed_line(_SCRIPT.sub("", entities.unescape(shown)), limit)


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


def pixels(value: object) -> int | None:
    """Return a width or height that is written as "640", "640px" or a number; None for anything else."""
    match = re.match(r"\s*(\d{1,5})(\.\d*)?\s*(px)?\s*$", str(value)) if value is not None else None
    return int(match[1]) if match else None


def _tree(html: str, base: str | None) -> HtmlElement | None:
    """Clean `html` with nh3 and parse the rest; None if nothing is left."""
    text = _CONTROL.sub("", html[:LONGEST])
    if not _MARKUP.search(text):
        text = "".join(f"<p>{part}</p>" for part in re.split(r"\n\s*\n", text))
    safe = nh3.clean(
        text,
        tags=_KEPT,
        clean_content_tags=set(_DROPPED),
        attributes=_ATTRIBUTES,
        link_rel=None,
        url_relative=("rewrite_with_base", base) if web_url(base) and base else "deny",
    )
    try:
        return lxml.html.fragment_fromstring(safe, create_parent="div")
    except ParserError:
        return None


def _drop_boxes(root: HtmlElement) -> None:
    for element in list(root.iterdescendants()):
        if _is_around(element):
            element.drop_tree()


def _is_around(element: HtmlElement) -> bool:
    if element.tag == "a":
        return is_read_on(_text(element))
    names = f"{element.get('class', '')} {element.get('id', '')}".split()
    return element.tag != "img" and any(map(is_box, names)) and len(_text(element)) <= _BOX_LIMIT


def _text(element: HtmlElement) -> str:
    return " ".join(str(element.text_content()).split())


def _paragraphs(root: HtmlElement) -> Iterator[_Paragraph]:
    """Yield the texts between borders; two line breaks count as a border too."""
    current = _Paragraph()
    links = 0
    for starts, element in _walk(root):
        if element.tag in _BORDERS or (element.tag == "br" and starts and current.broken()):
            yield current
            current = _Paragraph(heading=starts and element.tag in _HEADINGS)
        elif element.tag == "br" and starts:
            current.add(_BREAK)
        elif element.tag == "a":
            links += 1 if starts else -1
        current.add(element.text if starts else element.tail, link=links > 0)
    yield current


def _walk(root: HtmlElement) -> Iterator[tuple[bool, HtmlElement]]:
    """Yield every element in reading order, when it starts (True) and when it ends; only prose is visited."""
    stack = [(False, root), (True, root)]
    while stack:
        starts, element = stack.pop()
        if starts and element.tag in _NOT_PROSE:
            continue
        yield starts, element
        if starts:
            for child in reversed(element):
                stack += [(False, child), (True, child)]


def _prose(paragraph: _Paragraph, *, strict: bool) -> str | None:
    """Return the text of a paragraph, or None if it is noise."""
    text = without_read_on(feed_line("".join(paragraph.parts)[:_LONGEST_PARAGRAPH])).strip()
    if not any(char.isalnum() for char in text) or is_line(text):
        return None
    if strict and (paragraph.heading or paragraph.linked > 0.8 * len(text)):
        return None
    return text


def _pictures(root: HtmlElement, base: str | None) -> Iterator[Picture]:
    for image in root.iter("img"):
        url = next((url for name in _LAZY if (url := web_url(image.get(name), base))), None)
        if url:
            yield Picture(
                url=url,
                alt=feed_line(image.get("alt", "")),
                width=pixels(image.get("width")),
                height=pixels(image.get("height")),
                label=image.get("class", ""),
            )
