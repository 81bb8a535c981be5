"""Read the colours of styles: as they are named, in hex digits, as rgb() and hsl(), with their opacity."""

from __future__ import annotations

import colorsys
import re
from typing import NamedTuple

from digest.render.brand.colours import Colour

_HEX = re.compile(r"#([0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})(?![0-9a-f])")
_FUNCTION = re.compile(r"(rgb|hsl)a?\(([^()]*)\)")
_NUMBER = re.compile(r"(-?(?:\d+\.?\d*|\.\d+))(%|deg)?")
_PICTURE = re.compile(r"url\([^)]*\)")
_BARE = re.compile(r"[0-9a-f]{6}")  # in attributes, the sign before hex digits may be missing

# CSS Color 4, 6.1: each name, and what it stands for.
_NAMES = [
    "aliceblue",
    "f0f8ff",
    "antiquewhite",
    "faebd7",
    "aqua",
    "00ffff",
    "aquamarine",
    "7fffd4",
    "azure",
    "f0ffff",
    "beige",
    "f5f5dc",
    "bisque",
    "ffe4c4",
    "black",
    "000000",
    "blanchedalmond",
    "ffebcd",
    "blue",
    "0000ff",
    "blueviolet",
    "8a2be2",
    "brown",
    "a52a2a",
    "burlywood",
    "deb887",
    "cadetblue",
    "5f9ea0",
    "chartreuse",
    "7fff00",
    "chocolate",
    "d2691e",
    "coral",
    "ff7f50",
    "cornflowerblue",
    "6495ed",
    "cornsilk",
    "fff8dc",
    "crimson",
    "dc143c",
    "cyan",
    "00ffff",
    "darkblue",
    "00008b",
    "darkcyan",
    "008b8b",
    "darkgoldenrod",
    "b8860b",
    "darkgray",
    "a9a9a9",
    "darkgreen",
    "006400",
    "darkgrey",
    "a9a9a9",
    "darkkhaki",
    "bdb76b",
    "darkmagenta",
    "8b008b",
    "darkolivegreen",
    "556b2f",
    "darkorange",
    "ff8c00",
    "darkorchid",
    "9932cc",
    "darkred",
    "8b0000",
    "darksalmon",
    "e9967a",
    "darkseagreen",
    "8fbc8f",
    "darkslateblue",
    "483d8b",
    "darkslategray",
    "2f4f4f",
    "darkslategrey",
    "2f4f4f",
    "darkturquoise",
    "00ced1",
    "darkviolet",
    "9400d3",
    "deeppink",
    "ff1493",
    "deepskyblue",
    "00bfff",
    "dimgray",
    "696969",
    "dimgrey",
    "696969",
    "dodgerblue",
    "1e90ff",
    "firebrick",
    "b22222",
    "floralwhite",
    "fffaf0",
    "forestgreen",
    "228b22",
    "fuchsia",
    "ff00ff",
    "gainsboro",
    "dcdcdc",
    "ghostwhite",
    "f8f8ff",
    "gold",
    "ffd700",
    "goldenrod",
    "daa520",
    "gray",
    "808080",
    "green",
    "008000",
    "greenyellow",
    "adff2f",
    "grey",
    "808080",
    "honeydew",
    "f0fff0",
    "hotpink",
    "ff69b4",
    "indianred",
    "cd5c5c",
    "indigo",
    "4b0082",
    "ivory",
    "fffff0",
    "khaki",
    "f0e68c",
    "lavender",
    "e6e6fa",
    "lavenderblush",
    "fff0f5",
    "lawngreen",
    "7cfc00",
    "lemonchiffon",
    "fffacd",
    "lightblue",
    "add8e6",
    "lightcoral",
    "f08080",
    "lightcyan",
    "e0ffff",
    "lightgoldenrodyellow",
    "fafad2",
    "lightgray",
    "d3d3d3",
    "lightgreen",
    "90ee90",
    "lightgrey",
    "d3d3d3",
    "lightpink",
    "ffb6c1",
    "lightsalmon",
    "ffa07a",
    "lightseagreen",
    "20b2aa",
    "lightskyblue",
    "87cefa",
    "lightslategray",
    "778899",
    "lightslategrey",
    "778899",
    "lightsteelblue",
    "b0c4de",
    "lightyellow",
    "ffffe0",
    "lime",
    "00ff00",
    "limegreen",
    "32cd32",
    "linen",
    "faf0e6",
    "magenta",
    "ff00ff",
    "maroon",
    "800000",
    "mediumaquamarine",
    "66cdaa",
    "mediumblue",
    "0000cd",
    "mediumorchid",
    "ba55d3",
    "mediumpurple",
    "9370db",
    "mediumseagreen",
    "3cb371",
    "mediumslateblue",
    "7b68ee",
    "mediumspringgreen",
    "00fa9a",
    "mediumturquoise",
    "48d1cc",
    "mediumvioletred",
    "c71585",
    "midnightblue",
    "191970",
    "mintcream",
    "f5fffa",
    "mistyrose",
    "ffe4e1",
    "moccasin",
    "ffe4b5",
    "navajowhite",
    "ffdead",
    "navy",
    "000080",
    "oldlace",
    "fdf5e6",
    "olive",
    "808000",
    "olivedrab",
    "6b8e23",
    "orange",
    "ffa500",
    "orangered",
    "ff4500",
    "orchid",
    "da70d6",
    "palegoldenrod",
    "eee8aa",
    "palegreen",
    "98fb98",
    "paleturquoise",
    "afeeee",
    "palevioletred",
    "db7093",
    "papayawhip",
    "ffefd5",
    "peachpuff",
    "ffdab9",
    "peru",
    "cd853f",
    "pink",
    "ffc0cb",
    "plum",
    "dda0dd",
    "powderblue",
    "b0e0e6",
    "purple",
    "800080",
    "rebeccapurple",
    "663399",
    "red",
    "ff0000",
    "rosybrown",
    "bc8f8f",
    "royalblue",
    "4169e1",
    "saddlebrown",
    "8b4513",
    "salmon",
    "fa8072",
    "sandybrown",
    "f4a460",
    "seagreen",
    "2e8b57",
    "seashell",
    "fff5ee",
    "sienna",
    "a0522d",
    "silver",
    "c0c0c0",
    "skyblue",
    "87ceeb",
    "slateblue",
    "6a5acd",
    "slategray",
    "708090",
    "slategrey",
    "708090",
    "snow",
    "fffafa",
    "springgreen",
    "00ff7f",
    "steelblue",
    "4682b4",
    "tan",
    "d2b48c",
    "teal",
    "008080",
    "thistle",
    "d8bfd8",
    "tomato",
    "ff6347",
    "turquoise",
    "40e0d0",
    "violet",
    "ee82ee",
    "wheat",
    "f5deb3",
    "white",
    "ffffff",
    "whitesmoke",
    "f5f5f5",
    "yellow",
    "ffff00",
    "yellowgreen",
    "9acd32",
]
_NAMED = dict(zip(_NAMES[::2], _NAMES[1::2], strict=True))


class Paint(NamedTuple):
    """A colour, and how opaque it is: from 0, which is transparent, to 1."""

    colour: Colour
    opacity: float


_TRANSPARENT = Paint((0.0, 0.0, 0.0), 0.0)


def paint_in(value: str) -> Paint | None:
    """Return the colour in a value such as "#fff" or "url(a.png) white"; None if it is not known.

    A value without any colour, such as a picture that may not be shown, is transparent.
    """
    text = _PICTURE.sub(" ", value.casefold())
    if "gradient(" in text:
        return None
    if found := _HEX.search(text):
        return _of_digits(found[1])
    if found := _FUNCTION.search(text):
        return _of_numbers(found[1], _NUMBER.findall(found[2]))
    if "(" in text or "currentcolor" in text:
        return None
    words = re.findall(r"[a-z0-9]+", text)
    named = next((_NAMED[word] for word in words if word in _NAMED), "")
    bare = named or (text.strip() if _BARE.fullmatch(text.strip()) else "")
    return _of_digits(bare) if bare else _TRANSPARENT


def mixed(front: Colour, behind: Colour, opacity: float) -> Colour:
    """Return the colour that is seen where a colour lies over another one."""
    red, green, blue = (a * opacity + b * (1 - opacity) for a, b in zip(front, behind, strict=True))
    return red, green, blue


def _of_digits(digits: str) -> Paint:
    whole = digits if len(digits) > 4 else "".join(2 * digit for digit in digits)
    red, green, blue, *opacity = (int(whole[at : at + 2], 16) / 255 for at in range(0, len(whole), 2))
    return Paint((red, green, blue), opacity[0] if opacity else 1.0)


def _of_numbers(function: str, parts: list[tuple[str, str]]) -> Paint | None:
    if len(parts) not in (3, 4):
        return None
    numbers = [float(number) / 100 if unit == "%" else float(number) for number, unit in parts]
    opacity = min(max(numbers[3], 0.0), 1.0) if len(numbers) == 4 else 1.0
    if function == "hsl":
        hue, saturation, lightness = numbers[0] / 360 % 1.0, numbers[1], numbers[2]
        return Paint(colorsys.hls_to_rgb(hue, lightness, saturation), opacity)
    red, green, blue = (
        min(max(number if unit == "%" else number / 255, 0.0), 1.0)
        for number, (_, unit) in zip(numbers[:3], parts, strict=False)
    )
    return Paint((red, green, blue), opacity)
