"""Whatever the colours of a brand are, everything can be read in both modes, or the colours are refused."""

from __future__ import annotations

import re
from dataclasses import astuple, fields, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.config.brand import wrong_colours, wrong_topic_colour
from digest.model.messages import ReaderLinks
from digest.model.publication import Brand, BrandPicture, Style
from digest.render.brand.colours import (
    READABLE,
    VISIBLE,
    least_contrast,
    nearest_readable,
    tone_of,
    written,
)
from digest.render.brand.palette import PRESETS, Colours, palette_of, topic_colour
from digest.render.mail import render_email
from digest.render.preflight import preflight
from digest.render.sample import sample_edition
from digest.render.templates import load_templates

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
LOGO = BrandPicture(name="0.png", width=200, height=40)
BRANDS = st.builds(
    Brand,
    accent=st.just("") | COLOURS,
    band=st.just("") | COLOURS,
    paper=st.just("") | COLOURS,
    ink=st.just("") | COLOURS,
    logo=st.none() | st.just(LOGO),
    logo_dark=st.none() | st.just(LOGO),
)


def assert_everything_can_be_read(colours: Colours) -> None:
    for text in ("ink", "text", "quiet", "label", "print", "accent", "fault", "warn", "good"):
        assert least_contrast(getattr(colours, text), colours.grounds) >= READABLE, text
    for line in ("underline", "field"):
        assert least_contrast(getattr(colours, line), colours.grounds) >= VISIBLE, line
    for text in ("on_band", "quiet_on_band"):
        assert least_contrast(getattr(colours, text), [colours.band]) >= READABLE, text
    assert least_contrast(colours.on_flag, [colours.flag]) >= READABLE
    assert least_contrast(colours.on_mark, [colours.mark]) >= READABLE
    assert least_contrast(colours.quiet, [colours.tile]) >= VISIBLE


@given(brand=BRANDS, topic=COLOURS)
@settings(max_examples=80)
@example(brand=Brand(), topic="#2f6a3c")
@example(brand=Brand(accent="#0b6470", band="#0b4f59", paper="#ffffff", ink="#12242a"), topic="#8a4a10")
def test_what_is_not_refused_can_be_read_in_light_and_in_dark_mode(brand: Brand, topic: str) -> None:
    if any(True for _ in wrong_colours(brand)):
        return
    palette = palette_of(brand)
    assert_everything_can_be_read(palette.light)
    assert_everything_can_be_read(palette.dark)
    if not wrong_topic_colour(topic, brand):
        light, dark = topic_colour(topic, brand)
        assert light == topic
        assert least_contrast(dark, palette.dark.grounds) >= READABLE


@given(brand=BRANDS)
@settings(max_examples=40)
@example(brand=Brand(accent="#e0a100"))
@example(brand=Brand(paper="#ffffff", ink="#9aa5ad"))
def test_the_colour_that_a_refusal_names_is_not_refused(brand: Brand) -> None:
    for _ in range(4):
        refused = dict(wrong_colours(brand))
        if not refused:
            return
        brand = _with(brand, {name: why.split("'")[-2] for name, why in refused.items()})
    raise AssertionError(refused)


def _with(brand: Brand, colours: dict[str, str]) -> Brand:
    kept = {field.name: getattr(brand, field.name) for field in fields(Brand)}
    return Brand(**kept | colours)


@given(colour=COLOURS, ground=COLOURS)
@settings(max_examples=40)
def test_the_nearest_readable_colour_keeps_its_hue_and_can_be_read(colour: str, ground: str) -> None:
    found = nearest_readable(colour, [ground])
    assert least_contrast(found, [ground]) >= READABLE
    before, after = tone_of(colour), tone_of(found)
    if min(before.chroma, after.chroma) > 0.05:
        assert abs((before.hue - after.hue + 3.14159) % 6.28318 - 3.14159) < 0.2


@given(colour=COLOURS)
def test_a_tone_is_written_as_the_colour_it_was_read_from(colour: str) -> None:
    assert written(tone_of(colour)) == colour


def test_a_default_brand_has_the_default_colours_and_a_neutral_one_has_no_tinge() -> None:
    assert palette_of(Brand()).light.card == "#fffefb"
    plain = palette_of(Brand(paper="#ffffff", ink="#111111"))
    greys = [getattr(mode, name) for mode in (plain.light, plain.dark) for name in ("page", "tint", "rule")]
    assert all(grey[1:3] == grey[3:5] == grey[5:7] for grey in greys)
    assert len(set(astuple(plain.light))) > 10


def test_a_logo_without_a_dark_version_keeps_the_band_that_it_was_made_for() -> None:
    both = palette_of(Brand(band="#ffe600", logo=LOGO, logo_dark=LOGO))
    alone = palette_of(Brand(band="#ffe600", logo=LOGO))
    assert (alone.dark.band, both.dark.band != "#ffe600") == ("#ffe600", True)
    assert least_contrast(alone.dark.on_band, ["#ffe600"]) >= READABLE
    assert palette_of(Brand(logo=LOGO)).dark.band == palette_of(Brand(logo=LOGO)).light.card


_BANDED = Brand(accent="#7a1fa2", band="#ffd400", paper="#fff1e5", ink="#33302e", headings="sans", logo=LOGO)


@pytest.mark.parametrize(
    "brand",
    [*PRESETS.values(), _BANDED, replace(_BANDED, logo_dark=LOGO, header=LOGO)],
    ids=range(len(PRESETS) + 2),
)
@pytest.mark.parametrize("style", Style)
def test_an_email_in_any_brand_can_be_read_in_both_modes(brand: Brand, style: Style) -> None:
    sample = sample_edition()
    edition = replace(sample, style=style, site=replace(sample.site, brand=brand))
    links = ReaderLinks(unsubscribe="https://a.example.org/u", preferences="https://a.example.org/p")
    email = render_email(load_templates(), edition, links, web_url=None)
    assert [finding for finding in preflight(email) if "contrast" in finding.message] == []
    used = set(re.findall(r"#[0-9a-f]{6}\b", email.html))
    palette = palette_of(brand)
    coloured = [heading.colour for heading in edition.headings if heading.colour]
    topics = {each for colour in coloured for each in topic_colour(colour, brand)}
    assert used <= {*astuple(palette.light), *astuple(palette.dark), *topics}
