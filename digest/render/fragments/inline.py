"""Write the styles of an email into its elements, for mail programs that drop the head."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from html import escape, unescape
from threading import Lock
from typing import NamedTuple

from lxml import etree

from digest.model.errors import TemplateError

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
_OTHER = "other"  # replaces names of elements like <o:p>, which a style sheet can select only by class


class _Element(NamedTuple):
    """The parts of a start tag that decide about its style, or that its style may change."""

    tag: str
    attributes: tuple[tuple[str, str], ...]  # class, id, style, bgcolor, as far as they are there


class _Scan(NamedTuple):
    """The elements and styles of a piece of a page; `css` is None if only premailer can handle the styles."""

    elements: frozenset[_Element]
    css: str | None


_DECISIVE = frozenset({"class", "id", "style", "bgcolor"})


def inline(html: str) -> str:
    """Return `html` with the rules of its plain <style> written into style attributes.

    A <style data-premailer="ignore"> stays the same, byte for byte, and so do comments and the doctype. A
    placeholder of a link stays if it consists of letters, digits and underscores. The same input gives the
    same output. Raises TemplateError for @import, because it would be fetched.
    """
    return "".join(Inliner().inline([html]))


def ends_outside(piece: str) -> bool:
    """Return whether a piece that begins outside tags, comments and styles also ends outside them."""
    position = 0
    for token in _TOKEN.finditer(piece):
        if _BEGUN.search(piece, position, token.start()) or (token["tag"] or "").lower() == "style":
            return False
        position = token.end()
    return not _BEGUN.search(piece, position)


class Inliner:
    """Inlines pages that share pieces; each piece is processed once.

    If every selector consists of a tag, classes and ids of one element, the style of an element depends only
    on its own start tag, so a page may be cut anywhere outside tags. With any other selector or rule,
    premailer gets the whole page.
    """

    def __init__(self) -> None:
        self._scans: dict[str, _Scan] = {}
        self._done: dict[str, str] = {}
        self._css = ""

    def inline(self, pieces: Sequence[str]) -> list[str]:
        """Return the inlined pieces of a page; joined, they equal `inline` of the joined pieces.

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
    """The styles that one style sheet gives to elements; premailer computes each kind of element once."""

    def __init__(self, css: str) -> None:
        self.css = css
        bare = _COMMENT.sub("", css)
        selectors = [each for rule in _SELECTORS.findall(bare) for each in rule.split(",")]
        self.simple = bool(_RULES.fullmatch(bare)) and all(
            _OF_ITSELF.fullmatch(selector.strip()) for selector in selectors
        )
        self._styled: dict[_Element, dict[str, str]] = {}

    def learn(self, elements: Iterable[_Element]) -> None:
        """Let premailer compute the styles of new `elements`, on a page that is made for this purpose."""
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
        """Return a start tag with its styles, and nothing for a plain <style>; other tokens stay the same."""
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
        raise TemplateError("mail", "@import is not allowed; write the styles into the template")
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
    """Return a start tag with `changes` in place of its old attributes, or after them."""
    written = {name: f'{name}="{escape(value)}"'.replace("&#x27;", "'") for name, value in changes.items()}
    text = _ATTRIBUTE.sub(lambda had: written.pop(had[1].lower(), had[0]), token["attributes"])
    body, slash = (text[:-1], "/") if text.endswith("/") else (text, "")
    return f"<{token['tag']}{' '.join([body, *written.values()])}{slash}>"


def _by_premailer(html: str) -> str:
    if _IMPORT.search(html):
        raise TemplateError("mail", "@import is not allowed; write the styles into the template")
    return str(_premailer(html))


def _premailer(html: str | etree._Element) -> object:
    # Imported late, because premailer loads requests: 0.1 s and 17 MB that most commands can spare.
    import cssutils
    from premailer import Premailer

    with _ONE_AT_A_TIME:
        # It warns about every property for Outlook ("mso-…"), and operators cannot do anything about it.
        cssutils.log.setLevel(logging.CRITICAL + 1)
        return Premailer(
            html,
            # The default would remove "!important" from media queries too, and break the dark mode.
            strip_important=False,
            keep_style_tags=False,
            remove_classes=False,
            disable_leftover_css=True,
            disable_validation=True,
            # The template has sizes and alignments as attributes already, where Outlook needs them.
            disable_basic_attributes=["width", "height", "align", "valign"],
            align_floating_images=False,
            allow_network=False,
            allow_loading_external_files=False,
        ).transform(pretty_print=False)
