"""Read the styles of an email: declarations, and rules with their media."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
_BRACE = re.compile(r"[{}]")
_WIDTH_OF_MEDIA = re.compile(r"(min|max)-width\s*:\s*([\d.]+)px")


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


@lru_cache(maxsize=1_024)  # most elements of an email share their styles
def declarations(style: str) -> Mapping[str, Declared]:
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
    for found in _BRACE.finditer(css, brace):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return found.start()
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
