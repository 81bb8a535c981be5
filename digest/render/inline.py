"""Write the styles of a mail into its elements, for clients that drop what stands in the head."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from html import escape, unescape
from threading import Lock
from types import ModuleType
from typing import Any, NamedTuple

import cssutils
from lxml import etree

from digest.errors import TemplateError


def _without_requests() -> Any:
    """Import premailer without the library by which it would fetch style sheets.

    The styles of a mail never come from the network, and it takes a tenth of a sender's memory.
    """
    alone = "requests" not in sys.modules
    if alone:
        sys.modules["requests"] = ModuleType("requests")
    try:
        from premailer import Premailer
    finally:
        if alone:
            del sys.modules["requests"]
    return Premailer


_Premailer = _without_requests()
# cssutils warns about every property of Outlook's ("mso-…"); none of it is news to an operator.
cssutils.log.setLevel(logging.CRITICAL + 1)

_IMPORT = re.compile(r"<style[^>]*>[^<]*@import", re.IGNORECASE)
_ONE_AT_A_TIME = Lock()  # cssutils keeps its parser's state in its module
_KEPT = 10_000  # pieces

_TOKEN = re.compile(
    r"<!--.*?-->"
    r"|<style\b(?P<kind>[^>]*)>(?P<css>.*?)</style\s*>"
    r"|<(?P<tag>[a-z][^\s/>]*)(?P<attributes>(?:[^>\"']++|\"[^\"]*\"|'[^']*')*+)>"
    r"|</[^>]*>|<!(?!--)[^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_BEGUN = re.compile(r"<[a-z/!?]", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([^\s=/\"']+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?")
_LEFT_ALONE = re.compile(r"\s*data-premailer=[\"']?ignore[\"']?\s*", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULES = re.compile(r"(?:\s*+[^{}]++\{[^{}]*+\})*+\s*+")
_SELECTORS = re.compile(r"([^{}]+)\{[^{}]*\}")
_OF_ITSELF = re.compile(r"(?=[^\s,])[a-z0-9]*(?:[.#][\w-]+)*", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9]*")
_OTHER = "other"  # stands for elements like <o:p>, which a style sheet can only select by class


class _Element(NamedTuple):
    """All of a start tag on which its style depends, and what its style may change."""

    tag: str
    attributes: tuple[tuple[str, str], ...]  # class, id, style, bgcolor: those that are there


class _Scan(NamedTuple):
    """What a piece of a page holds for the inliner; `css` is None for styles only premailer can judge."""

    elements: frozenset[_Element]
    css: str | None


_DECISIVE = frozenset({"class", "id", "style", "bgcolor"})


def inline(html: str) -> str:
    """Return `html` with the rules of its plain <style> written into style attributes.

    A <style data-premailer="ignore"> stays byte for byte, as do comments and the doctype. A link's
    placeholder survives when it is made of letters, digits and underscores. The same input gives the
    same output. Raises TemplateError for @import, which would be fetched.
    """
    return "".join(Inliner().inline([html]))


def ends_outside(piece: str) -> bool:
    """Return whether a piece of a page that begins outside tags, comments and styles ends there too."""
    position = 0
    for token in _TOKEN.finditer(piece):
        if _BEGUN.search(piece, position, token.start()) or (token["tag"] or "").lower() == "style":
            return False
        position = token.end()
    return not _BEGUN.search(piece, position)


class Inliner:
    """Inline pages that have pieces in common: each piece once.

    As long as every selector is a tag, classes and ids of one element, its style depends on its own
    start tag alone, so a page may be cut anywhere outside tags. A sheet with any other selector or
    rule is left to premailer, with the whole page.
    """

    def __init__(self) -> None:
        self._scans: dict[str, _Scan] = {}
        self._done: dict[str, str] = {}
        self._css = ""

    def inline(self, pieces: Sequence[str]) -> list[str]:
        """Return the pieces of a page inlined: joined, they are what `inline` makes of the pieces joined.

        Every piece must end outside tags, comments and styles. Raises TemplateError for @import.
        """
        scans = [self._scans.get(piece) or self._scan(piece) for piece in pieces]
        styles = [scan.css for scan in scans if scan.css != ""]
        sheet = None if None in styles else _sheet("\n".join(css for css in styles if css))
        if sheet is None or not sheet.simple:
            return [_by_premailer("".join(pieces))]
        if sheet.css != self._css or len(self._done) > _KEPT:
            self._css, self._done = sheet.css, {}
        new = [at for at, piece in enumerate(pieces) if piece not in self._done]
        if new:
            sheet.learn(frozenset[_Element]().union(*(scans[at].elements for at in new)))
        for at in new:
            self._done[pieces[at]] = _TOKEN.sub(sheet.rewritten, pieces[at])
        return [self._done[piece] for piece in pieces]

    def _scan(self, piece: str) -> _Scan:
        if len(self._scans) > _KEPT:
            self._scans.clear()
        scan = self._scans[piece] = _scanned(piece)
        return scan


class _Sheet:
    """What one style sheet makes of elements, each kind asked of premailer once."""

    def __init__(self, css: str) -> None:
        self.css = css
        bare = _COMMENT.sub("", css)
        selectors = [each for rule in _SELECTORS.findall(bare) for each in rule.split(",")]
        self.simple = bool(_RULES.fullmatch(bare)) and all(
            _OF_ITSELF.fullmatch(selector.strip()) for selector in selectors
        )
        self._styled: dict[_Element, dict[str, str]] = {}

    def learn(self, elements: Iterable[_Element]) -> None:
        """Have premailer style one of each of `elements` that is new, on a page made for this."""
        new = sorted(element for element in elements if element not in self._styled)
        if not (new and self.css):
            return
        root = etree.Element("html")
        etree.SubElement(etree.SubElement(root, "head"), "style").text = self.css
        body = etree.SubElement(root, "body")
        samples = [etree.SubElement(body, element.tag, dict(element.attributes)) for element in new]
        _premailer(root)
        for element, sample in zip(new, samples, strict=True):
            had = dict(element.attributes)
            styled = {str(name): str(value) for name, value in sample.attrib.items()}
            self._styled[element] = {name: value for name, value in styled.items() if had.get(name) != value}

    def rewritten(self, token: re.Match[str]) -> str:
        """Return a start tag with its styles, without the <style> they came from; all else as it is."""
        if token["css"] is not None:
            return f"<style>{token['css']}</style>" if token["kind"] else ""
        if token["tag"] is None:
            return token[0]
        changes = self._styled.get(_element(token))
        return _with(token, changes) if changes else token[0]


@lru_cache(maxsize=32)
def _sheet(css: str) -> _Sheet:
    return _Sheet(css)


def _scanned(piece: str) -> _Scan:
    if _IMPORT.search(piece):
        raise TemplateError("mail", "@import is refused: write the styles into the template")
    tokens = list(_TOKEN.finditer(piece))
    blocks = [token for token in tokens if token["css"] is not None]
    blocks = [token for token in blocks if not _LEFT_ALONE.fullmatch(token["kind"])]
    plain = not any(token["kind"].strip() for token in blocks)
    elements = frozenset(_element(token) for token in tokens if token["tag"] is not None)
    return _Scan(elements, "\n".join(token["css"] for token in blocks) if plain else None)


def _element(token: re.Match[str]) -> _Element:
    tag = token["tag"].lower()
    found = ((name.lower(), value) for name, value in _attributes(token["attributes"]))
    decisive = {name: unescape(value) for name, value in found if name in _DECISIVE}
    return _Element(tag if _PLAIN_NAME.fullmatch(tag) else _OTHER, tuple(sorted(decisive.items())))


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for match in _ATTRIBUTE.finditer(text):
        value = match[2] or ""
        yield match[1], value[1:-1] if value[:1] in ('"', "'") else value


def _with(token: re.Match[str], changes: dict[str, str]) -> str:
    """Return a start tag with `changes` in place of what it had, or behind it."""
    written = {name: f'{name}="{escape(value)}"'.replace("&#x27;", "'") for name, value in changes.items()}
    text = _ATTRIBUTE.sub(lambda had: written.pop(had[1].lower(), had[0]), token["attributes"])
    body, slash = (text[:-1], "/") if text.endswith("/") else (text, "")
    return f"<{token['tag']}{' '.join([body, *written.values()])}{slash}>"


def _by_premailer(html: str) -> str:
    if _IMPORT.search(html):
        raise TemplateError("mail", "@import is refused: write the styles into the template")
    return str(_premailer(html))


def _premailer(html: str | etree._Element) -> object:
    with _ONE_AT_A_TIME:
        return _Premailer(
            html,
            # The default strips "!important" from kept media queries too, and dark mode with it.
            strip_important=False,
            keep_style_tags=False,
            remove_classes=False,
            disable_leftover_css=True,
            disable_validation=True,
            # Sizes and sides are attributes of the template already, where Outlook wants them.
            disable_basic_attributes=["width", "height", "align", "valign"],
            align_floating_images=False,
            allow_network=False,
            allow_loading_external_files=False,
        ).transform(pretty_print=False)
