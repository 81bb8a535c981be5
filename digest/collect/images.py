"""Choose the one picture of a post that fits a mail, out of all a feed offers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from digest.collect.addresses import leads_inside
from digest.collect.clean import Picture
from digest.collect.noise import is_beacon
from digest.collect.prose import feed_line
from digest.model import Image

NARROWEST = 200  # pixels, where a size is known
WIDEST = 1600  # wider ones are taken only where there is no other
_ALT = 200  # characters

_WRONG_KIND = re.compile(r"\.(svgz?|webp|avif|ico|bmp|tiff?|heic|mp4|webm|mp3|pdf)$", re.IGNORECASE)
_RIGHT_KIND = re.compile(r"image/(jpe?g|pjpeg|png|gif|\*)?$", re.IGNORECASE)
_WRONG_FORMAT = frozenset(["webp", "avif", "svg"])
_ORNAMENT = re.compile(
    r"smil(ey|ies)|emoji|avatar|gravatar\.com|profile[-_]?(pic|image|photo)|[-_/.](favicon|logo|icon)s?[-_./]|^(icon|logo)\b",
    re.IGNORECASE,
)
_SIZE_IN_NAME = re.compile(r"-(\d{2,4})x(\d{2,4})\.(?:jpe?g|png|gif)$", re.IGNORECASE)
_FILE_NAME = re.compile(
    r"[\w.-]+\.(jpe?g|png|gif|webp)|(img|dsc|image|screenshot)[-_ ]?[\d_-]*", re.IGNORECASE
)


def choose(groups: Iterable[Iterable[Picture]]) -> Image | None:
    """Return the best picture of the first group that has a fitting one; groups stand best first.

    A mail shows PNG, JPEG and GIF. Counters of readers, smileys, avatars and what is known to be
    narrower than 200 pixels do not fit, nor what makes a reader's program ask inside its own network.
    """
    for group in groups:
        fitting = [picture for picture in map(_sized, group) if fits(picture)]
        if fitting:
            best = max(fitting, key=_rank)
            return Image(url=best.url, alt=_alt(best.alt), width=best.width, height=best.height)
    return None


def fits(picture: Picture) -> bool:
    """Say whether a picture may stand in a mail."""
    parts = urlsplit(picture.url)
    formats = {value.lower() for name in ("format", "fm") for value in parse_qs(parts.query).get(name, ())}
    wrong_kind = bool(picture.kind) and not _RIGHT_KIND.match(picture.kind)
    narrow = picture.width is not None and picture.width < NARROWEST
    flat = picture.height is not None and picture.height < NARROWEST / 4
    ornament = bool(_ORNAMENT.search(f"{picture.label} {parts.netloc}{parts.path}"))
    bad_format = bool(_WRONG_KIND.search(parts.path)) or bool(formats & _WRONG_FORMAT)
    kept_out = is_beacon(picture.url) or leads_inside(picture.url)
    return not (wrong_kind or narrow or flat or ornament or bad_format or kept_out)


def _sized(picture: Picture) -> Picture:
    """Add the size WordPress writes into the names of scaled pictures, where no other is known."""
    named = _SIZE_IN_NAME.search(urlsplit(picture.url).path)
    if picture.width or not named:
        return picture
    return Picture(
        url=picture.url,
        alt=picture.alt,
        width=int(named[1]),
        height=int(named[2]),
        kind=picture.kind,
        label=picture.label,
    )


def _rank(picture: Picture) -> int:
    """Prefer the widest a mail can use; among equals `max` keeps the first."""
    width = picture.width or NARROWEST
    return width if width <= WIDEST else NARROWEST + 1


def _alt(text: str) -> str:
    """Keep a description of a picture; a file name is none."""
    return "" if _FILE_NAME.fullmatch(text) else feed_line(text, _ALT)
