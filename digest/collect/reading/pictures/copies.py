"""Read a picture that was fetched, and make small JPEG copies of it; Pillow is used only here."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import cast

from PIL import Image, ImageCms, ImageOps

from digest.collect.reading.pictures.reasons import is_ad_format, shape_reason

PIXELS = 40_000_000  # a picture with more is not decoded; a camera makes about 24 million
LARGE = (1184, 960)  # twice the size at which an email shows the picture of its lead
SMALL = (240, 240)  # twice the size at which it shows the others
_QUALITY = 78
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")
_SHOWN = frozenset(["JPEG", "PNG", "GIF"])  # by mail programs
_ONE_COLOUR = 6  # levels of brightness; a picture with fewer is a placeholder

# Pillow's own limit only warns at first. Ours is lower, and is asked before a picture is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """A picture as it is, and two JPEG copies of it. `hash` is the SHA-256 of the larger copy."""

    width: int  # of the picture itself, in pixels, as it is meant to be turned
    height: int
    is_shown: bool  # mail programs can show the picture itself
    large: bytes
    large_size: tuple[int, int]
    small: bytes

    @property
    def hash(self) -> str:
        """Return the hash by which the copies are named."""
        return hashlib.sha256(self.large).hexdigest()


def copies_of(body: bytes) -> Copies | str:
    """Return copies of a picture, or why it cannot be a story's picture, as the end of a sentence.

    Copies are sRGB on white, turned as the camera was held, without metadata; of an animation, they show its
    first frame. It never raises, whatever `body` is.
    """
    try:
        return _copies_of(body)
    except Exception:
        # Pillow raises all kinds of errors for broken files: OSError, SyntaxError, ValueError, struct.error …
        return "it cannot be read as a picture"


def _copies_of(body: bytes) -> Copies | str:
    with Image.open(io.BytesIO(body), formats=_FORMATS) as opened:
        if opened.width * opened.height > PIXELS:
            return f"it has more than {PIXELS // 1_000_000} million pixels"
        kind, icc = opened.format, opened.info.get("icc_profile")
        turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        size = (opened.height, opened.width) if turned else opened.size
        if reason := shape_reason(*size) or ("it is an advertisement" if is_ad_format(*size) else ""):
            return reason
        opened.draft("RGB", (2 * LARGE[0], 2 * LARGE[1]))
        picture = ImageOps.exif_transpose(opened)
    large = _scaled(_on_white(_in_srgb(picture, icc)), LARGE)
    extremes = [cast(tuple[float, float], band.getextrema()) for band in large.split()]
    if all(high - low < _ONE_COLOUR for low, high in extremes):
        return "it has only one colour"
    return Copies(
        width=size[0],
        height=size[1],
        is_shown=kind in _SHOWN,
        large=_jpeg(large),
        large_size=large.size,
        small=_jpeg(_scaled(large, SMALL)),
    )


def _in_srgb(picture: Image.Image, icc: bytes | None) -> Image.Image:
    """Return a picture in the colours of the web, if its own profile can be used."""
    if not icc or picture.mode not in ("RGB", "CMYK"):
        return picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        found = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return picture
    return found or picture


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _scaled(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """Return a copy that fits into a box, and is not enlarged."""
    copy = picture.copy()
    copy.thumbnail(box, Image.Resampling.LANCZOS)
    return copy


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return file.getvalue()
