"""Compute with colours: their contrast, their lightness and hue, and the nearest colour that can be read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

Colour = tuple[float, float, float]  # red, green and blue, from 0 to 1

READABLE = 4.5  # the least contrast of text with what is behind it (WCAG 2.2, 1.4.3)
VISIBLE = 3.0  # the least contrast of a line that tells something (1.4.11)

_BLACK, _WHITE = "#000000", "#ffffff"
_STEPS = 18  # of a bisection; the last one is far below what 8 bits can tell apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """A colour as people see it, in OKLCH: `lightness` from 0 to 1, `chroma` from 0 (grey) to about 0.3.

    `hue` is in radians. Two tones of one lightness look equally light, and a change of lightness keeps the
    hue, which is not so with red, green and blue.
    """

    lightness: float
    chroma: float
    hue: float


def colour_of(text: str) -> Colour:
    """Return the colour that "#rrggbb" means; raises ValueError for any other text."""
    if len(text) != 7 or text[0] != "#":
        raise ValueError(f"{text!r} is not a colour")
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def shown(colour: Colour) -> str:
    """Return a colour as it is written in styles."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


# ── contrast ────────────────────────────────────────────────────────────────────────────────


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def least_contrast(text: str, behind: Iterable[str]) -> float:
    """Return the contrast of a colour with the one of several others that it stands out from the least."""
    return min(contrast(colour_of(text), colour_of(each)) for each in behind)


def nearest_readable(text: str, behind: Iterable[str], least: float = READABLE) -> str:
    """Return the nearest colour of the same hue that has at least this contrast with all of several others.

    It becomes darker on light colours, and lighter on dark ones. If black and white are not enough, it is
    black or white.
    """
    grounds = tuple(behind)
    if least_contrast(text, grounds) >= least:
        return text
    tone = tone_of(text)
    darker = least_contrast(_BLACK, grounds) >= least_contrast(_WHITE, grounds)
    wrong, right = tone.lightness, 0.0 if darker else 1.0
    for _ in range(_STEPS):
        middle = (wrong + right) / 2
        if least_contrast(written(replace(tone, lightness=middle)), grounds) >= least:
            right = middle
        else:
            wrong = middle
    return written(replace(tone, lightness=right))


def _luminance(colour: Colour) -> float:
    red, green, blue = map(_linear, colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _gamma(part: float) -> float:
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


# ── tones (Björn Ottosson, "A perceptual color space for image processing") ─────────────────


def tone_of(text: str) -> Tone:
    """Return "#rrggbb" as a tone."""
    lightness, green_red, blue_yellow = _lab(text)
    chroma = math.hypot(green_red, blue_yellow)
    return Tone(lightness=lightness, chroma=chroma, hue=math.atan2(blue_yellow, green_red))


def written(tone: Tone) -> str:
    """Return a tone as "#rrggbb"; if no screen can show it, its chroma is reduced until screens can."""
    if _fits(_light(tone)):
        return shown(_screen(tone))
    inside, outside = 0.0, tone.chroma
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if _fits(_light(replace(tone, chroma=middle))):
            inside = middle
        else:
            outside = middle
    return shown(_screen(replace(tone, chroma=inside)))


def mixed(one: str, other: str, share: float) -> str:
    """Return a colour between two; `share` is that of the second, from 0 to 1."""
    first, second = _lab(one), _lab(other)
    lightness, green_red, blue_yellow = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    hue = math.atan2(blue_yellow, green_red)
    return written(Tone(lightness=lightness, chroma=math.hypot(green_red, blue_yellow), hue=hue))


def _lab(text: str) -> tuple[float, float, float]:
    red, green, blue = map(_linear, colour_of(text))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _light(tone: Tone) -> Colour:
    """Return the amounts of red, green and blue light; those that no screen has are below 0 or above 1."""
    green_red, blue_yellow = tone.chroma * math.cos(tone.hue), tone.chroma * math.sin(tone.hue)
    long = (tone.lightness + 0.3963377774 * green_red + 0.2158037573 * blue_yellow) ** 3
    middle = (tone.lightness - 0.1055613458 * green_red - 0.0638541728 * blue_yellow) ** 3
    short = (tone.lightness - 0.0894841775 * green_red - 1.2914855480 * blue_yellow) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


def _fits(light: Colour) -> bool:
    return all(-0.0005 <= part <= 1.0005 for part in light)


def _screen(tone: Tone) -> Colour:
    red, green, blue = (_gamma(min(max(part, 0.0), 1.0)) for part in _light(tone))
    return red, green, blue
