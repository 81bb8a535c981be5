"""Show an email in light mode, in dark mode, with all colours turned round, or without its pictures."""

from __future__ import annotations

import re
from enum import StrEnum

_QUERY = re.compile(r"prefers-color-scheme:\s*(light|dark)")
_BOTH = re.compile(r"""((?:\bcontent="|color-scheme:\s*))light dark\b""")
_PICTURE = re.compile(r"""(<[^>]*?\s)(src|srcset|background)(?==)""", re.IGNORECASE)
_HEAD = re.compile(r"</head\s*>|\Z", re.IGNORECASE)
# Such programs know nothing of the email's own dark colours. They leave pictures as they are.
_TURNED = (
    "<style>html{background:#101010}body{filter:invert(.93) hue-rotate(180deg)}"
    "img,[background]{filter:invert(1) hue-rotate(180deg)}</style>"
)


class Scheme(StrEnum):
    """The way in which a mail program shows colours."""

    LIGHT = "light"
    DARK = "dark"  # with the dark colours of the email
    FORCED = "forced"  # with its light colours turned round


def in_scheme(html: str, scheme: Scheme) -> str:
    """Return a page as it looks in a scheme, whatever the scheme of the browser is."""
    own = Scheme.DARK if scheme is Scheme.DARK else Scheme.LIGHT
    html = _QUERY.sub(lambda found: "min-width:0" if found[1] == own else "max-width:0", html)
    html = _BOTH.sub(rf"\g<1>{own}", html)
    if scheme is Scheme.FORCED:
        html = _HEAD.sub(lambda found: f"{_TURNED}{found[0]}", html, count=1)
    return html


def without_pictures(html: str) -> str:
    """Return a page that loads no picture, as a mail program shows an email whose pictures it blocks."""
    # An element has several such attributes at most, and each pass finds one of them.
    for _ in range(3):
        html = _PICTURE.sub(r"\1data-\2", html)
    return html
