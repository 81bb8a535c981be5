"""Read the styles of an email: declarations, rules with their media, and colours with their contrast."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from digest.render.brand.colours import Colour, colour_of

_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
_WIDTH_OF_MEDIA = re.compile(r"(min|max)-width\s*:\s*([\d.]+)px")
_HEX = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})\b")
_RGB = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*(?:[,/]\s*(1|1\.0+|100%)\s*)?\)")
_NAMED = {
    "black": "#000000",
    "silver": "#c0c0c0",
    "gray": "#808080",
    "grey": "#808080",
    "white": "#ffffff",
    "maroon": "#800000",
    "red": "#ff0000",
    "purple": "#800080",
    "fuchsia": "#ff00ff",
    "green": "#008000",
    "lime": "#00ff00",
    "olive": "#808000",
    "yellow": "#ffff00",
    "navy": "#000080",
    "blue": "#0000ff",
    "teal": "#008080",
    "aqua": "#00ffff",
    "orange": "#ffa500",
}


class Declared(NamedTuple):
    """The value of one property."""

    value: str
    important: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The screen that an email is read on; the width is in CSS pixels."""

    width: int
    dark: bool = False


class Rule(NamedTuple):
    """A rule of a style sheet. `media` is empty, or the condition of its @media."""

    media: str
    selectors: tuple[str, ...]
    declared: Mapping[str, Declared]

    def applies_on(self, screen: Screen) -> bool:
        """Tell whether the rule counts on a screen; a condition that is not understood is not met."""
        return not self.media or any(_is_met(each, screen) for each in self.media.split(","))


def declarations(style: str) -> dict[str, Declared]:
    """Return the properties of a style attribute, or of the body of a rule."""
    found: dict[str, Declared] = {}
    for part in style.split(";"):
        name, colon, value = part.partition(":")
        if colon:
            text, important, _ = value.strip().casefold().partition("!important")
            found[name.strip().casefold()] = Declared(text.strip(), bool(important))
    return found


def rules(css: str, media: str = "") -> Iterator[Rule]:
    """Yield the rules of a style sheet; of the at-rules, only those inside @media."""
    css, start = _COMMENT.sub("", css), 0
    while (brace := css.find("{", start)) >= 0:
        prelude = css[start:brace].rpartition(";")[2].strip()
        end = _end_of_block(css, brace)
        body = css[brace + 1 : end]
        if prelude.casefold().startswith("@media"):
            yield from rules(body, prelude[len("@media") :].strip().casefold())
        elif not prelude.startswith("@"):
            yield Rule(media, tuple(each.strip() for each in prelude.split(",")), declarations(body))
        start = end + 1


def _end_of_block(css: str, brace: int) -> int:
    depth = 0
    for place in range(brace, len(css)):
        depth += {"{": 1, "}": -1}.get(css[place], 0)
        if depth == 0:
            return place
    return len(css)


def _is_met(condition: str, screen: Screen) -> bool:
    for bound, pixels in _WIDTH_OF_MEDIA.findall(condition):
        if screen.width < float(pixels) if bound == "min" else screen.width > float(pixels):
            return False
    scheme = re.search(r"prefers-color-scheme\s*:\s*(\w+)", condition)
    if scheme and (scheme[1] == "dark") is not screen.dark:
        return False
    rest = re.sub(r"\(\s*(?:(?:min|max)-width|prefers-color-scheme)\s*:[^)]*\)", "", condition)
    return set(re.findall(r"[\w-]+", rest)) <= {"only", "screen", "all", "and"} and "(" not in rest


# ── colours ─────────────────────────────────────────────────────────────────────────────────


def colour_in(text: str) -> Colour | None:
    """Return the first colour in a value such as "#fff" or "url(a.png) white"; None if it is not known."""
    text = text.casefold()
    if found := _HEX.search(text):
        digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
        return colour_of(f"#{digits}")
    if found := _RGB.search(text):
        return int(found[1]) / 255, int(found[2]) / 255, int(found[3]) / 255
    named = next((_NAMED[word] for word in re.findall(r"[a-z]+", text) if word in _NAMED), None)
    return colour_in(named) if named else None
