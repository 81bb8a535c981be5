"""Define the colours of emails and pages, and derive those of a brand, in light and in dark mode.

The colours of a brand are derived in the steps of the default ones: each keeps its place between the paper
and the ink, takes their hue, and moves on if it could not be read there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from digest.model.publication import Brand
from digest.render.brand.colours import (
    READABLE,
    VISIBLE,
    Tone,
    least_contrast,
    mixed,
    nearest_readable,
    tone_of,
    written,
)


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
    band: str  # behind the logo; the same as `card` if there is no band
    on_band: str
    quiet_on_band: str
    field: str  # the border of a form's field
    fault: str
    warn: str
    good: str
    mark: str  # behind words that differ
    on_mark: str
    flag: str  # the line above a test message
    on_flag: str

    @property
    def grounds(self) -> tuple[str, str]:
        """Return the colours on which text stands."""
        return self.card, self.tint


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
    band="#fffefb",
    on_band="#1d1b18",
    quiet_on_band="#625c53",
    field="#8a8378",
    fault="#a3211b",
    warn="#7a5200",
    good="#2f6044",
    mark="#f7e3a8",
    on_mark="#1d1b18",
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
    band="#1c1a18",
    on_band="#f3eee5",
    quiet_on_band="#b3ab9e",
    field="#8d8578",
    fault="#ff9d8a",
    warn="#e3b868",
    good="#8fc7a5",
    mark="#5b4612",
    on_mark="#f3eee5",
    flag="#f7d774",
    on_flag="#1d1b18",
)

# Each looks good as it is. "warm" is the default, because Brand() means the colours above.
PRESETS: Mapping[str, Brand] = {
    "warm": Brand(),
    "cool": Brand(paper="#ffffff", ink="#12242a", accent="#0b6470", band="#0b4f59", headings="sans"),
    "plain": Brand(paper="#ffffff", ink="#161616", accent="#1d4fc4", headings="sans"),
}

_GREY = 0.004  # a paper or an ink with less chroma has no hue that anybody sees
_TINGE = 0.008  # the chroma that backgrounds have in addition to those of the paper and the ink
_NIGHT_ACCENT = 0.79  # the lightness of an accent in dark mode
_NIGHT_BAND = 0.33  # and at most that of a band
_CHROMA_AT_NIGHT = 0.85  # strong colours glow on black
_MOST_AT_NIGHT = 0.106
_SPARE = 0.1  # more contrast than needed, because mail programs round colours


@lru_cache(maxsize=64)
def palette_of(brand: Brand) -> Palette:
    """Return the colours of a brand."""
    light, dark = _LIGHT, _DARK
    if brand.paper or brand.ink:
        paper, ink = brand.paper or _LIGHT.card, brand.ink or _LIGHT.ink
        light, dark = _by_day(paper, ink), _by_night(paper, ink)
    if brand.accent or brand.paper or brand.ink:
        light = _accented(light, brand.accent or nearest_readable(light.accent, light.grounds))
        dark = _accented(dark, _at_night(light.accent, dark))
    return Palette(light=_banded(light, brand.band), dark=_banded(dark, _band_at_night(brand)))


def topic_colour(colour: str, brand: Brand) -> tuple[str, str]:
    """Return the colour of a topic for light and for dark mode."""
    return colour, _at_night(colour, palette_of(brand).dark)


def _at_night(colour: str, dark: Colours) -> str:
    """Return the counterpart of a colour for dark mode: of the same hue, and light."""
    tone = tone_of(colour)
    chroma = min(tone.chroma * _CHROMA_AT_NIGHT, _MOST_AT_NIGHT)
    light = written(replace(tone, lightness=max(tone.lightness, _NIGHT_ACCENT), chroma=chroma))
    return nearest_readable(light, dark.grounds)


def _accented(colours: Colours, accent: str) -> Colours:
    """Return colours with another accent. The lines under headlines are as pale as can be."""
    steps = (mixed(accent, colours.card, share / 50) for share in range(50, 0, -1))
    seen = (each for each in steps if least_contrast(each, colours.grounds) >= VISIBLE + _SPARE)
    return replace(colours, accent=accent, underline=next(seen, accent))


def _banded(colours: Colours, band: str) -> Colours:
    if not band:
        band, on_band, quiet = colours.card, colours.ink, colours.quiet
    else:
        candidates = sorted((colours.card, colours.ink), key=lambda each: -least_contrast(each, [band]))
        on_band = nearest_readable(candidates[0], [band])
        quiet = nearest_readable(mixed(on_band, band, 0.2), [band], READABLE)
    return replace(colours, band=band, on_band=on_band, quiet_on_band=quiet)


def _band_at_night(brand: Brand) -> str:
    """Return the band in dark mode; a logo that has no version for it keeps the band that it is made for."""
    if brand.logo and not brand.logo_dark:
        return brand.band or brand.paper or _LIGHT.card
    if not brand.band:
        return ""
    tone = tone_of(brand.band)
    chroma = tone.chroma * _CHROMA_AT_NIGHT
    return written(replace(tone, lightness=min(tone.lightness, _NIGHT_BAND), chroma=chroma))


# ── the steps between paper and ink ─────────────────────────────────────────────────────────


def _by_day(paper: str, ink: str) -> Colours:
    """Return the light colours of a paper and an ink; each is between them where the default one is."""
    tinge = _tinge_of(paper, ink)

    def step(name: str) -> str:
        plain = tone_of(mixed(paper, ink, _place(getattr(_LIGHT, name))))
        return written(replace(plain, chroma=plain.chroma + min(tinge.chroma, 1) * _TINGE, hue=tinge.hue))

    stepped = {name: step(name) for name in ("page", "tint", "tile", "rule", "field")}
    return _readable(replace(_LIGHT, card=paper, ink=ink, edge=ink, **stepped, **_texts(paper, ink)))


def _by_night(paper: str, ink: str) -> Colours:
    """Return the dark colours: as light as the default ones, in the hue of the paper or the ink."""
    tinge = _tinge_of(paper, ink)

    def step(name: str) -> str:
        tone = tone_of(getattr(_DARK, name))
        strength = min(tinge.chroma, 1) if tone.lightness > 0.5 else tinge.chroma
        return written(replace(tone, chroma=tone.chroma * strength, hue=tinge.hue))

    return _readable(replace(_DARK, **{name: step(name) for name in _NEUTRAL}))


_NEUTRAL = ("page", "card", "tint", "tile", "rule", "field", "edge", "ink", "text", "quiet", "label", "print")
_TEXTS = ("text", "quiet", "label", "print")


def _texts(paper: str, ink: str) -> dict[str, str]:
    return {name: mixed(paper, ink, _place(getattr(_LIGHT, name))) for name in _TEXTS}


def _readable(colours: Colours) -> Colours:
    """Return colours whose texts can be read and whose fields can be seen, whatever they are made from."""
    texts = ((name, getattr(colours, name)) for name in (*_TEXTS, "fault", "warn", "good"))
    seen = {name: nearest_readable(text, colours.grounds) for name, text in texts}
    seen["on_mark"] = nearest_readable(colours.ink, [colours.mark])
    return replace(colours, **seen, field=nearest_readable(colours.field, colours.grounds, VISIBLE))


def _place(default: str) -> float:
    """Return where a default colour is between the default paper and ink, from 0 to 1."""
    paper, ink = tone_of(_LIGHT.card).lightness, tone_of(_LIGHT.ink).lightness
    return (paper - tone_of(default).lightness) / (paper - ink)


def _tinge_of(paper: str, ink: str) -> Tone:
    """Return the hue of greys beside a paper and an ink; its chroma is relative to the default, at most 2."""
    tones = tone_of(paper), tone_of(ink)
    tinged = next((tone for tone in tones if tone.chroma >= _GREY), tones[0])
    chromas = (tone.chroma if tone.chroma >= _GREY else 0.0 for tone in tones)
    defaults = tone_of(_LIGHT.card).chroma, tone_of(_LIGHT.ink).chroma
    strength = max(chroma / default for chroma, default in zip(chromas, defaults, strict=True))
    return replace(tinged, chroma=min(strength, 2.0))
