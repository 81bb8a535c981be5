"""Measure the logo and the header picture of a brand, and make the files that emails show."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass

from PIL import Image, ImageOps

from digest.model.publication import BrandPicture
from digest.render.brand.colours import colour_of, contrast

BYTES = 5_000_000
PIXELS = 24_000_000
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_LARGE = 100_000  # bytes; a PNG with more is kept as a JPEG
_QUALITY = 84
_LEAST_SEEN = 1.5  # the contrast from which on a part of a logo is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The room for a picture, in pixels as it is shown. Its file should have twice as many."""

    width: int
    height: int
    least: tuple[int, int]  # a picture that is shown with less has too little in it


LOGO = Frame(width=240, height=56, least=(24, 16))
HEADER = Frame(width=640, height=320, least=(640, 80))


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandFile:
    """A picture of a brand as it is served, and what its operator should know about it."""

    picture: BrandPicture
    body: bytes
    size: tuple[int, int]  # of the operator's file
    remarks: tuple[str, ...] = ()


def brand_file(body: bytes, frame: Frame, behind: str) -> BrandFile | str:
    """Return a picture as emails show it, opaque on a colour; or why not, as the end of a sentence.

    It never raises, whatever `body` is.
    """
    if len(body) > BYTES:
        return f"has {len(body) / 1_000_000:.1f} MB: export it with at most {BYTES // 1_000_000} MB"
    if _SVG.search(body[:2_000]):
        return (
            "is an SVG, and many mail programs show none: export it as a PNG that is"
            f" {2 * frame.width} pixels wide"
        )
    try:
        return _brand_file(body, frame, behind)
    except Exception:
        # Pillow raises all kinds of errors for broken files: OSError, SyntaxError, ValueError, struct.error …
        return "cannot be read as a picture: export it again as a PNG or a JPEG"


def _brand_file(body: bytes, frame: Frame, behind: str) -> BrandFile | str:
    with Image.open(io.BytesIO(body), formats=_FORMATS) as opened:
        if opened.width * opened.height > PIXELS:
            return f"has more than {PIXELS // 1_000_000} million pixels: export it smaller"
        picture = ImageOps.exif_transpose(opened).convert("RGBA")
    size = picture.size
    shown = _shown(size, frame)
    if shown[0] < frame.least[0] or shown[1] < frame.least[1]:
        return _too_small(size, frame)
    scale = min(2 * shown[0] / size[0], 1)
    pixels = round(size[0] * scale), round(size[1] * scale)
    scaled = picture.resize(pixels, Image.Resampling.LANCZOS) if pixels != size else picture
    flat = Image.alpha_composite(Image.new("RGBA", pixels, behind), scaled).convert("RGB")
    kind, made = _encoded(flat)
    name = f"{hashlib.sha256(made).hexdigest()}.{kind}"
    return BrandFile(
        picture=BrandPicture(name=name, width=shown[0], height=shown[1]),
        body=made,
        size=size,
        remarks=(*_unsharp(size, shown), *(_on_band(scaled, flat, behind) if frame is LOGO else ())),
    )


def _shown(size: tuple[int, int], frame: Frame) -> tuple[int, int]:
    """Return the size at which a picture is shown: as large as the frame allows, but not enlarged."""
    scale = min(frame.width / size[0], frame.height / size[1], 1)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _too_small(size: tuple[int, int], frame: Frame) -> str:
    if frame is HEADER and size[0] >= frame.width:
        least, most = frame.width // frame.height, frame.width // frame.least[1]
        return (
            f"has {size[0]} × {size[1]} pixels, and a header is {least} to {most} times as wide as high:"
            f" crop it, for example to {2 * frame.width} × {frame.width // 2}"
        )
    if size[0] > frame.width:
        return f"has {size[0]} × {size[1]} pixels, so it would be too thin to be seen: crop it"
    return f"has only {size[0]} × {size[1]} pixels: export it {2 * frame.width} pixels wide"


def _unsharp(size: tuple[int, int], shown: tuple[int, int]) -> tuple[str, ...]:
    if size[0] >= 2 * shown[0]:
        return ()
    found = f"it has {size[0]} × {size[1]} pixels and is shown at {shown[0]} × {shown[1]}"
    return (f"{found}, so phones show it blurred: {2 * shown[0]} × {2 * shown[1]} would be sharp",)


def _on_band(picture: Image.Image, flat: Image.Image, behind: str) -> tuple[str, ...]:
    """Return what is wrong with a logo on its band: nobody sees it, or it is a box of another colour."""
    colours = flat.resize((48, 48)).getcolors(48 * 48) or []
    band = colour_of(behind)
    found = [(count, tuple(part / 255 for part in rgb)) for count, rgb in colours if isinstance(rgb, tuple)]
    seen = sum(count for count, rgb in found if contrast((rgb[0], rgb[1], rgb[2]), band) >= _LEAST_SEEN)
    if seen < 48 * 48 / 200:
        return (f"it can hardly be seen on the band, {behind}: choose another band, or another logo",)
    low, _ = picture.getchannel("A").getextrema()
    corner = picture.getpixel((0, 0))
    assert isinstance(corner, tuple)
    if low == 255 and contrast((corner[0] / 255, corner[1] / 255, corner[2] / 255), band) > 1.1:
        shown = "#" + "".join(f"{part:02x}" for part in corner[:3])
        return (f"its background is {shown} and not transparent, so it is a box on the band, {behind}",)
    return ()


def _encoded(picture: Image.Image) -> tuple[str, bytes]:
    """Return the kind and the bytes of a picture: a PNG, or a JPEG if that would be a large file."""
    png, jpeg = io.BytesIO(), io.BytesIO()
    picture.save(png, "PNG", optimize=True)
    if png.tell() <= _LARGE:
        return "png", png.getvalue()
    picture.save(jpeg, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return "jpg", jpeg.getvalue()
