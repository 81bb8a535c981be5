"""Report the looks of a publication: every colour with its contrast, the logo, and what could be better."""

from __future__ import annotations

from collections.abc import Iterator

from digest.config import Config
from digest.render.brand.colours import READABLE, least_contrast
from digest.render.brand.palette import Colours, palette_of, topic_colour
from digest.render.brand.pictures import BrandFile

_TEXTS = ("ink", "text", "quiet", "print", "accent", "underline")


def brand_facts(config: Config) -> Iterator[str]:
    """Yield one sentence for each mode, and for each picture; wrong colours are errors of the file."""
    palette = palette_of(config.site.brand)
    for mode, colours in (("light", palette.light), ("dark", palette.dark)):
        yield f"{mode} mode on {colours.card}: {_contrasts(colours)}{_band(colours)}"
    coloured = [topic for topic in config.topics if topic.colour]
    if coloured:
        yield f"topics in light and dark mode: {', '.join(_topic(config, each.colour) for each in coloured)}"
    for key, file in config.brand_files:
        yield _shown(key, file)


def brand_remarks(config: Config) -> Iterator[str]:
    """Yield what could be better about the pictures, each with its line in the file."""
    for key, file in config.brand_files:
        for remark in file.remarks:
            yield str(config.problem(f"brand.{key}", remark))
    brand, dark = config.site.brand, palette_of(config.site.brand).dark
    glares = least_contrast(dark.band, [dark.card]) >= READABLE
    if brand.logo and not brand.logo_dark and glares:
        remark = f"there is no 'logo_dark', so the band stays {dark.band} in dark mode"
        yield str(config.problem("brand.logo", remark))


def _contrasts(colours: Colours) -> str:
    return ", ".join(
        f"{name} {getattr(colours, name)} {least_contrast(getattr(colours, name), colours.grounds):.1f}"
        for name in _TEXTS
    )


def _band(colours: Colours) -> str:
    if colours.band == colours.card:
        return ""
    contrast = least_contrast(colours.on_band, [colours.band])
    return f"; {colours.on_band} on the band {colours.band} {contrast:.1f}"


def _topic(config: Config, colour: str) -> str:
    palette = palette_of(config.site.brand)
    pair = zip(topic_colour(colour, config.site.brand), (palette.light, palette.dark), strict=True)
    return " and ".join(f"{each} {least_contrast(each, mode.grounds):.1f}" for each, mode in pair)


def _shown(key: str, file: BrandFile) -> str:
    picture, (width, height) = file.picture, file.size
    kind = picture.name.rpartition(".")[2].upper()
    return (
        f"{key} has {width} × {height} pixels and is shown at {picture.width} × {picture.height},"
        f" as a {kind} of {len(file.body) / 1000:.0f} KB"
    )
