"""Read a picture that was fetched, and make small JPEG copies of it; Pillow is used only here."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from math import ceil
from typing import cast

from PIL import Image, ImageCms, ImageOps

from digest.collect.reading.pictures.reasons import is_ad_format, shape_reason

# A picture with more pixels is not decoded. A JPEG can be decoded at half its size or less; each pixel of
# another picture takes 8 bytes, and a camera makes about 24 million.
JPEG_PIXELS = 40_000_000
PIXELS = 24_000_000
WIDE = (1152, 648)  # twice the size at which an email shows the picture of its lead
SQUARE = (192, 192)  # twice the size at which it shows the pictures beside stories
_ABOVE = 1 / 3  # of the height that is cut off: heads are above the middle of a picture
_QUALITY = 78
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")
_SHOWN = frozenset(["JPEG", "PNG", "GIF"])  # by mail programs
_ONE_COLOUR = 6  # levels of brightness; a picture with fewer is a placeholder

# Pillow's own limit only warns at first. Ours is lower, and is asked before a picture is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """A picture as it is, and two JPEG copies, cut to the shapes in which emails show pictures.

    The large copy has the shape of `WIDE`, and the small copy is a square. Pictures are never enlarged.
    """

    width: int  # of the picture itself, in pixels, as it is meant to be turned
    height: int
    is_shown: bool  # mail programs can show the picture itself
    large: bytes
    large_size: tuple[int, int]
    small: bytes

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the large copy, by which both are named."""
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
        most = JPEG_PIXELS if opened.format == "JPEG" else PIXELS
        if opened.width * opened.height > most:
            return f"it has more than {most // 1_000_000} million pixels"
        kind, icc = opened.format, opened.info.get("icc_profile")
        turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        size = (opened.height, opened.width) if turned else opened.size
        if reason := shape_reason(*size) or ("it is an advertisement" if is_ad_format(*size) else ""):
            return reason
        # It is scaled before all else, because each step makes a copy.
        picture = _scalable(opened)
        width, height = _covering(size)
        picture.thumbnail((height, width) if turned else (width, height), Image.Resampling.LANCZOS)
        picture = ImageOps.exif_transpose(picture)
    whole = _on_white(_in_srgb(picture, icc))
    large = _cut(whole, WIDE)
    extremes = [cast(tuple[float, float], band.getextrema()) for band in large.split()]
    if all(high - low < _ONE_COLOUR for low, high in extremes):
        return "it has only one colour"
    return Copies(
        width=size[0],
        height=size[1],
        is_shown=kind in _SHOWN,
        large=_jpeg(large),
        large_size=large.size,
        small=_jpeg(_cut(whole, SQUARE)),
    )


def _scalable(opened: Image.Image) -> Image.Image:
    """Return a picture in a mode whose colours can be mixed: without a palette or a transparent colour."""
    if opened.mode.startswith("I;16"):
        return opened.point(lambda level: level / 256).convert("L")
    if opened.mode in ("1", "P", "PA") or "transparency" in opened.info:
        return opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    return opened


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


def _covering(size: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest size of a picture from which `WIDE` can be cut."""
    scale = min(1, max(WIDE[0] / size[0], WIDE[1] / size[1]))
    return ceil(size[0] * scale), ceil(size[1] * scale)


def _cut(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """Return a picture cut to the shape of `box`, and made as small as the box if it is larger."""
    width = min(picture.width, round(picture.height * box[0] / box[1]))
    height = min(picture.height, round(picture.width * box[1] / box[0]))
    left, top = (picture.width - width) // 2, round((picture.height - height) * _ABOVE)
    cut = picture.crop((left, top, left + width, top + height))
    cut.thumbnail(box, Image.Resampling.LANCZOS)
    return cut


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return file.getvalue()
