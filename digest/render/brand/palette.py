"""Define the colours of emails and pages, in light and in dark mode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from digest.model.publication import Brand


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """The colours for one mode. No template names any other colour."""

    page: str  # around the column
    card: str  # the column itself
    tint: str  # the contents, the foot
    tile: str  # a picture that is not shown
    rule: str  # a fine line between stories
    edge: str  # a strong line
    ink: str  # headlines, and buttons with `card` on them
    text: str
    quiet: str  # sources
    label: str
    print: str  # small print
    accent: str
    underline: str  # of headlines
    band: str  # behind the logo
    on_band: str
    quiet_on_band: str
    field: str  # the border of a form's field
    fault: str
    flag: str  # the line above a test message
    on_flag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """All colours of a brand."""

    light: Colours
    dark: Colours


_LIGHT = Colours(
    page="#efece5",
    card="#fffefb",
    tint="#f6f3ec",
    tile="#ebe6dc",
    rule="#dcd6ca",
    edge="#1d1b18",
    ink="#1d1b18",
    text="#3d3933",
    quiet="#625c53",
    label="#4b463f",
    print="#58534a",
    accent="#9c2a1c",
    underline="#bb7b6e",
    band="#1d1b18",
    on_band="#fffefb",
    quiet_on_band="#c9c1b4",
    field="#8a8378",
    fault="#a3211b",
    flag="#f7d774",
    on_flag="#1d1b18",
)
_DARK = Colours(
    page="#12110f",
    card="#1c1a18",
    tint="#262320",
    tile="#332f2a",
    rule="#3b3731",
    edge="#cfc7b9",
    ink="#f3eee5",
    text="#d6cfc3",
    quiet="#b3ab9e",
    label="#c9c1b4",
    print="#b3ab9e",
    accent="#f5a08c",
    underline="#94665c",
    band="#332f2a",
    on_band="#f3eee5",
    quiet_on_band="#c9c1b4",
    field="#8d8578",
    fault="#ff9d8a",
    flag="#f7d774",
    on_flag="#1d1b18",
)


@lru_cache(maxsize=64)
def palette_of(_brand: Brand) -> Palette:
    """Return the colours of a brand."""
    return Palette(light=_LIGHT, dark=_DARK)
