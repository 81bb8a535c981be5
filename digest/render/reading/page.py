"""Read the HTML of an email into elements, and tell how each is shown on a screen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from html.parser import HTMLParser
from typing import NamedTuple

from digest.render.brand.colours import Colour
from digest.render.reading.colours import Paint, mixed, paint_in
from digest.render.reading.styles import Declared, Rule, Screen, declarations, rules

_VOID = frozenset({"img", "br", "meta", "link", "hr", "input", "area", "base", "col", "source", "wbr"})
# The end of these elements may be left out: the next of the kind ends them.
_ENDS = {"p": {"p"}, "li": {"li"}, "td": {"td", "th"}, "th": {"td", "th"}, "tr": {"td", "th", "tr"}}
_HOLDS = {"td": "tr", "th": "tr", "tr": "table", "li": "ul", "p": "td"}
_BLANK = re.compile(r"[\s\u00a0\u00ad\u034f\u200b-\u200f\u2060\ufeff]+")
_COMPOUND = re.compile(r"([a-z][a-z0-9]*|\*)?((?:[.#][\w-]+)*)", re.IGNORECASE)
_PIXELS = re.compile(r"([\d.]+)(?:px)?")
_BLACK: Colour = (0.0, 0.0, 0.0)
_WHITE: Colour = (1.0, 1.0, 1.0)
_NIGHT: Colour = (0.07, 0.07, 0.07)
_LINK: Colour = (0.0, 0.0, 0.93)  # of links without a colour of their own, as browsers show them
_LINK_AT_NIGHT: Colour = (0.62, 0.62, 1.0)
_POINT = 4 / 3  # pixels
_BOLD_TAGS = frozenset({"b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"})


class _Ground(NamedTuple):
    """The background of a text, None if it is not known. Each veil is an opacity and the colour under it."""

    colour: Colour | None
    veils: tuple[tuple[float, Colour], ...]


class Element:
    """An element, with what stands directly in it. `text` has single spaces only."""

    __slots__ = ("attributes", "children", "classes", "declared", "parent", "tag", "text")

    def __init__(self, tag: str, attributes: Mapping[str, str], parent: Element | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.classes = frozenset(attributes.get("class", "").split())
        self.declared = declarations(attributes.get("style", ""))
        self.text = ""
        self.children: list[Element] = []
        if parent is not None:
            parent.children.append(self)

    def inside(self) -> Iterator[Element]:
        """Yield the element and all elements in it."""
        yield self
        for child in self.children:
            yield from child.inside()

    def outside(self) -> Iterator[Element]:
        """Yield the element and all elements that it stands in."""
        element: Element | None = self
        while element is not None:
            yield element
            element = element.parent


class Page(HTMLParser):
    """The HTML of an email. Comments are left out, also those that only Outlook reads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Element("#document", {}, None)
        self._open = [self.root]
        self.style = ""
        self.feed(html)
        self.close()
        self.elements = tuple(self.root.inside())[1:]
        self._rules = tuple(rules(self.style))
        self._dark = self._knows_dark()
        self._on = cache(self._declaring)
        self._won = cache(self._winner)
        self._weight = cache(_matched)
        self._hidden = cache(self._is_hidden)
        self._ground = cache(self._lies_on)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a start tag."""
        ends = _ENDS.get(tag, set[str]())
        for place in range(len(self._open) - 1, 0, -1):
            if self._open[place].tag in ends:
                del self._open[place:]
            elif self._open[place].tag in (_HOLDS.get(tag), "table"):
                break
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open[-1])
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Take an end tag; ignore one that ends nothing."""
        for place in range(len(self._open) - 1, 0, -1):
            if self._open[place].tag == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._open[-1].tag == "style":
            self.style += data
        elif self._open[-1].tag not in ("script", "title"):
            self._open[-1].text += _BLANK.sub(" ", data)

    # ── how an element is shown ─────────────────────────────────────────────────────────────

    def property(self, element: Element, name: str, screen: Screen) -> str:
        """Return the value that an element itself has for a property; empty if it has none."""
        return self._won(element, name, screen)

    def is_hidden(self, element: Element, screen: Screen) -> bool:
        """Tell whether an element, or one that it stands in, is not shown at all."""
        return self._hidden(element, screen)

    def colours(self, element: Element, screen: Screen) -> tuple[Colour, Colour] | None:
        """Return the colours of the text and of what is behind it; None if one is not known."""
        ground = self._ground(element, screen)
        front = self._front(element, screen)
        if ground.colour is None or front is None:
            return None
        text, behind = mixed(front.colour, ground.colour, front.opacity), ground.colour
        for opacity, below in reversed(ground.veils):
            text, behind = mixed(text, below, opacity), mixed(behind, below, opacity)
        return text, behind

    def letters(self, element: Element, screen: Screen) -> tuple[float, bool]:
        """Return the size of letters in pixels, 0 if it is not known, and whether they are bold."""
        sizes = (self.property(each, "font-size", screen) for each in element.outside())
        size = next(filter(None, sizes), "")
        weights = (
            self.property(each, "font-weight", screen) or ("bold" if each.tag in _BOLD_TAGS else "")
            for each in element.outside()
        )
        weight = next(filter(None, weights), "")
        points = size.endswith("pt")
        pixels = _pixels(size.removesuffix("pt")) * (_POINT if points else 1.0)
        return pixels, weight in ("bold", "bolder", "700", "800", "900")

    def fixed_width(self, element: Element, screen: Screen) -> float:
        """Return the pixels that an element takes at least; 0 if it can be as narrow as the screen."""
        least = _pixels(self.property(element, "min-width", screen))
        most = self.property(element, "max-width", screen)
        width = self.property(element, "width", screen) or element.attributes.get("width", "")
        if most.endswith("%") or 0 < _pixels(most) <= screen.width:
            return least
        return max(least, _pixels(width))

    def _front(self, element: Element, screen: Screen) -> Paint | None:
        for each in element.outside():
            value = self.property(each, "color", screen) or each.attributes.get("color", "")
            if value and value not in ("inherit", "currentcolor", "unset"):
                return paint_in(value)
            if each.tag == "a" and "href" in each.attributes and not value:
                return Paint(_LINK_AT_NIGHT if screen.dark and self._dark else _LINK, 1.0)
        return Paint(_WHITE if screen.dark and self._dark else _BLACK, 1.0)

    def _lies_on(self, element: Element, screen: Screen) -> _Ground:
        """Return what is behind the text of an element; the elements outside are painted first."""
        if element.parent is None:
            return _Ground(_NIGHT if screen.dark and self._dark else _WHITE, ())
        outer = self._ground(element.parent, screen)
        opacity = _share(self.property(element, "opacity", screen))
        veils = outer.veils
        if opacity < 1.0 and outer.colour is not None:
            veils = (*veils, (opacity, outer.colour))
        value = self._behind(element, screen)
        paint = paint_in(value) if value else None
        if not value or outer.colour is None:
            solid = paint if paint and paint.opacity == 1.0 else None
            return _Ground(solid.colour if solid else outer.colour, veils)
        return _Ground(mixed(paint.colour, outer.colour, paint.opacity) if paint else None, veils)

    def _behind(self, element: Element, screen: Screen) -> str:
        for name in ("background-color", "background"):
            value = self.property(element, name, screen)
            if value and value not in ("transparent", "none", "inherit", "initial"):
                return value
        return element.attributes.get("bgcolor", "")

    def _is_hidden(self, element: Element, screen: Screen) -> bool:
        if element.parent is not None and self._hidden(element.parent, screen):
            return True
        if "hidden" in element.attributes or element.tag in ("head", "style", "title"):
            return True
        sized = self.property(element, "font-size", screen), self.property(element, "opacity", screen)
        hidden = self.property(element, "display", screen) == "none"
        unseen = self.property(element, "visibility", screen) == "hidden"
        return hidden or unseen or any(re.fullmatch(r"0(?:\.0+)?(?:px|pt|em|%)?", each) for each in sized)

    def _knows_dark(self) -> bool:
        """Tell whether the page says that it is made for dark mode, so that default colours change."""
        metas = (each.attributes for each in self.elements if each.tag == "meta")
        named = any(
            meta.get("name") == "color-scheme" and "dark" in meta.get("content", "") for meta in metas
        )
        return named or bool(re.search(r"color-scheme\s*:[^;}]*dark", self.style))

    def _declaring(self, name: str, screen: Screen) -> tuple[Rule, ...]:
        """Return the rules that count on a screen and say something about a property."""
        return tuple(rule for rule in self._rules if name in rule.declared and rule.applies_on(screen))

    def _winner(self, element: Element, name: str, screen: Screen) -> str:
        """Return the value that wins: an important one, then the element's own, then the most specific."""
        best: tuple[tuple[bool, bool, tuple[int, int, int]], str] | None = None
        found: list[tuple[Declared, bool, tuple[int, int, int]]] = []
        for rule in self._on(name, screen):
            matching = [
                weight
                for each in rule.selectors
                if _classes(each) <= element.classes and (weight := self._weight(each, element)) is not None
            ]
            found += [(rule.declared[name], False, max(matching))] if matching else []
        if name in element.declared:
            found.append((element.declared[name], True, (0, 0, 0)))
        for declared, own, weight in found:
            rank = declared.important, own, weight
            if best is None or rank >= best[0]:
                best = rank, declared.value
        return best[1] if best else ""


def is_blank(text: str) -> bool:
    """Tell whether a text shows nothing."""
    return not _BLANK.sub("", text)


def _share(opacity: str) -> float:
    """Return an opacity as a number from 0 to 1; 1 if it is not stated, or not understood."""
    found = re.fullmatch(r"(\d*\.?\d+)(%?)", opacity)
    return min(float(found[1]) / (100 if found[2] else 1), 1.0) if found else 1.0


def _pixels(value: str) -> float:
    found = _PIXELS.fullmatch(value.strip())
    return float(found[1]) if found else 0.0


def _matched(selector: str, element: Element) -> tuple[int, int, int] | None:
    """Return the weight of a selector if it selects an element; None if not, or if it is not understood."""
    *outer, last = selector.replace(">", " ").split() or [""]
    if not _is(last, element):
        return None
    ancestors = list(element.outside())[1:]
    if not all(any(_is(each, ancestor) for ancestor in ancestors) for each in outer):
        return None
    names = "".join(re.sub(r"[.#][\w-]+", "", each) for each in (*outer, last))
    return selector.count("#"), selector.count("."), len(names)


@lru_cache(maxsize=1_024)
def _classes(selector: str) -> frozenset[str]:
    """Return the classes that an element itself must have to be selected; most elements lack them."""
    return frozenset(re.findall(r"\.([\w-]+)", selector.replace(">", " ").split(" ")[-1]))


def _is(compound: str, element: Element) -> bool:
    tag, rest = _parts(compound)
    return tag in ("*", element.tag) and all(
        name in element.classes if kind == "." else name == element.attributes.get("id")
        for kind, name in rest
    )


@lru_cache(maxsize=1_024)
def _parts(compound: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the tag of a compound selector and its classes and ids; no tag if it is not understood."""
    found = _COMPOUND.fullmatch(compound)
    if found is None or not compound:
        return "", ()
    return (found[1] or "*").casefold(), tuple(re.findall(r"([.#])([\w-]+)", found[2]))
