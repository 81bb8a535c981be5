"""Choose the picture of a post that is shown in emails, among those that a feed offers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from digest.collect.fetching.addresses import leads_inside
from digest.collect.reading.clean import Picture
from digest.collect.reading.noise import is_beacon
from digest.collect.reading.prose import feed_line
from digest.model.posts import Image

NARROWEST = 200  # pixels; it applies only if the size is known
WIDEST = 1600  # pixels; wider pictures are used only if there is no other
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
    """Return the best usable picture of the first group that has one; the best groups come first.

    Emails can show PNG, JPEG and GIF. Tracking pixels, smileys, avatars and pictures that are known to be
    narrower than 200 pixels are not usable. Neither are addresses of internal hosts, because the reader's
    program would send requests into the reader's own network.
    """
    for group in groups:
        fitting = [picture for picture in map(_sized, group) if fits(picture)]
        if fitting:
            best = max(fitting, key=_rank)
            return Image(url=best.url, alt=_alt(best.alt), width=best.width, height=best.height)
    return None


def fits(picture: Picture) -> bool:
    """Return whether a picture can be shown in an email."""
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
    """Add the size that WordPress writes into the names of scaled pictures, if no other size is known."""
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
    """Return a rank that prefers the widest usable picture; among equal ranks `max` takes the first."""
    width = picture.width or NARROWEST
    return width if width <= WIDEST else NARROWEST + 1


def _alt(text: str) -> str:
    """Return the description of a picture, or an empty text if it is only a file name."""
    return "" if _FILE_NAME.fullmatch(text) else feed_line(text, _ALT)
