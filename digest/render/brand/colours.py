"""Compute with colours: their contrast, and the nearest colour that can be read."""

from __future__ import annotations

Colour = tuple[float, float, float]  # red, green and blue, from 0 to 1


def colour_of(text: str) -> Colour:
    """Return the colour that "#rrggbb" means; raises ValueError for any other text."""
    if len(text) != 7 or text[0] != "#":
        raise ValueError(f"{text!r} is not a colour")
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def shown(colour: Colour) -> str:
    """Return a colour as it is written in styles."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = map(linear, colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(part: float) -> float:
    """Return the amount of light of a part of a colour in sRGB."""
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
