"""Read the table [brand]: its preset, its pictures, and its colours, which must be readable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from digest.config import lines
from digest.config.parsers import colour
from digest.config.shape import BrandShape
from digest.model.publication import Brand, BrandLink, BrandPicture
from digest.render.brand.colours import READABLE, least_contrast, nearest_readable
from digest.render.brand.palette import PRESETS, palette_of
from digest.render.brand.pictures import HEADER, LOGO, BrandFile, brand_file

Fault = tuple[lines.Path, str]
Raw = dict[str, Any]

_OWN = ("accent", "band", "paper", "ink", "serif", "sans", "headings")
_BLACK = "#000000"
_LIGHT = 12.0  # the contrast with black from which on a colour is a paper: about 80 % of white
_FRAMES = {"logo": LOGO, "logo_dark": LOGO, "header": HEADER}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandParts:
    """A brand, the files that it shows by their keys in [brand], and what is wrong with them."""

    brand: Brand = field(default_factory=Brand)
    files: tuple[tuple[str, BrandFile], ...] = ()
    faults: tuple[Fault, ...] = ()


def brand_faults(raw: Raw) -> Iterator[Fault]:
    """Yield what is wrong with the colours of [brand] and of topics, except for how they are written."""
    shape = _shape(raw)
    if shape is None:
        return
    if shape.logo_dark and not shape.logo:
        yield ("brand", "logo_dark"), "there is no 'logo': this key is for its version for dark mode"
    brand = _without_files(shape)
    wrong = list(wrong_colours(brand))
    yield from ((("brand", name), message) for name, message in wrong)
    topics = raw.get("topic")
    for index, topic in enumerate(topics if isinstance(topics, list) and not wrong else ()):
        with suppress(ValueError):  # what is no colour is reported already
            written = topic.get("colour", "") if isinstance(topic, dict) else ""
            if message := wrong_topic_colour(colour(str(written)), brand):
                yield ("topic", index, "colour"), message


def read_brand(raw: Raw, folder: Path) -> BrandParts:
    """Return the brand, with its pictures measured and made into the files that emails show.

    Nothing is read if the table is wrong otherwise.
    """
    shape = _shape(raw)
    if shape is None or any(wrong_colours(_without_files(shape))):
        return BrandParts()
    brand = _without_files(shape)
    behind = _behind(brand, shape)
    alt = _site_name(raw)
    found = {key: _file(folder, name, key, behind[key]) for key, name in _named(shape).items()}
    files = {key: file for key, file in found.items() if isinstance(file, BrandFile)}
    pictures: dict[str, Any] = {key: replace(file.picture, alt=alt) for key, file in files.items()}
    return BrandParts(
        brand=replace(brand, **pictures),
        files=tuple(files.items()),
        faults=tuple((("brand", key), each) for key, each in found.items() if isinstance(each, str)),
    )


def _shape(raw: Raw) -> BrandShape | None:
    try:
        return BrandShape.model_validate(raw.get("brand", {}))
    except ValidationError:  # reported with all other mistakes of this kind
        return None


def _without_files(shape: BrandShape) -> Brand:
    preset = PRESETS[shape.preset or "warm"]
    own = {name: getattr(shape, name) for name in _OWN if getattr(shape, name)}
    brand = replace(
        preset,
        **own,
        links=tuple(BrandLink(name=link.name, url=link.url) for link in shape.links),
        privacy_url=shape.privacy_url or "",
        imprint_url=shape.imprint_url or "",
    )
    if "accent" in own or not preset.accent:
        return brand
    # The operator has chosen another paper, and not the accent of the preset.
    return replace(brand, accent=nearest_readable(preset.accent, palette_of(brand).light.grounds))


def _named(shape: BrandShape) -> dict[str, str]:
    return {key: getattr(shape, key) for key in _FRAMES if getattr(shape, key)}


def _behind(brand: Brand, shape: BrandShape) -> dict[str, str]:
    """Return the colour on which each picture is laid.

    The logos are opaque, because mail programs that darken emails by themselves change the band.
    """
    some: dict[str, Any] = dict.fromkeys(_named(shape), BrandPicture(name="", width=0, height=0))
    palette = palette_of(replace(brand, **some))
    return {"logo": palette.light.band, "logo_dark": palette.dark.band, "header": palette.light.card}


def _file(folder: Path, name: str, key: str, behind: str) -> BrandFile | str:
    """Return a picture, or what is wrong with it, beginning with its name."""
    try:
        body = (folder / Path(name).expanduser()).read_bytes()
    except FileNotFoundError:
        return f"there is no file {name!r} beside config.toml"
    except OSError as error:
        return f"{name!r} cannot be read: {error.strerror}"
    made = brand_file(body, _FRAMES[key], behind)
    return made if isinstance(made, BrandFile) else f"{name!r} {made}"


def _site_name(raw: Raw) -> str:
    site = raw.get("site")
    return str(site.get("name", "")) if isinstance(site, dict) else ""


# ── colours that cannot be used ─────────────────────────────────────────────────────────────


def wrong_colours(brand: Brand) -> Iterator[tuple[str, str]]:
    """Yield each field of a brand that has a colour which cannot be used, with the reason.

    A band is never wrong, because the text on it becomes light or dark as needed.
    """
    if brand.paper and least_contrast(brand.paper, [_BLACK]) < _LIGHT:
        nearest = nearest_readable(brand.paper, [_BLACK], _LIGHT)
        yield "paper", f"{brand.paper!r} is too dark: the nearest colour that is light enough is {nearest!r}"
        return
    grounds = palette_of(brand).light.grounds
    if brand.ink and least_contrast(brand.ink, grounds) < READABLE:
        yield "ink", _refusal(brand.ink, grounds, _nearest_ink(brand))
    elif brand.accent and (wrong := wrong_topic_colour(brand.accent, brand)):
        yield "accent", wrong


def wrong_topic_colour(colour: str, brand: Brand) -> str:
    """Return why a colour cannot be an accent or the colour of a topic beside a brand; empty if it can."""
    grounds = palette_of(brand).light.grounds
    if least_contrast(colour, grounds) >= READABLE:
        return ""
    return _refusal(colour, grounds, nearest_readable(colour, grounds))


def _nearest_ink(brand: Brand) -> str:
    """Return the nearest ink that can be read; boxes take a tint of the ink, so they change with it."""
    ink = brand.ink
    for _ in range(10):
        grounds = palette_of(replace(brand, ink=ink)).light.grounds
        nearest = nearest_readable(ink, grounds)
        if nearest == ink:
            break
        ink = nearest
    return ink


def _refusal(colour: str, grounds: tuple[str, str], nearest: str) -> str:
    worst = min(grounds, key=lambda ground: least_contrast(colour, [ground]))
    where = "the paper" if worst == grounds[0] else "the background of boxes"
    found = f"{colour!r} has a contrast of {least_contrast(colour, [worst]):.1f} with {where}, {worst!r}"
    return f"{found}, and text needs {READABLE}: the nearest colour that can be read is {nearest!r}"
