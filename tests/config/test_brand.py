"""The table [brand]: presets, colours, and pictures that are measured and made fit for emails."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from digest.config import Config, load
from digest.config.brand import wrong_colours
from digest.model.errors import ConfigError
from digest.render.brand.palette import PRESETS

BASE = """[site]
name = "Harbour Post"
base_url = "https://news.example.org"
postal_address = "1 Quay, Porto"
[[topic]]
slug = "sea"
title = "Sea"
TOPIC
[[digest]]
slug = "d"
title = "D"
schedule = "daily at 7"
from = "d@example.org"
[brand]
"""
FIRST = BASE.count("\n") + 1  # the line after [brand]


def read(folder: Path, brand: str, topic: str = "") -> Config:
    (folder / "config.toml").write_text(BASE.replace("TOPIC", topic) + brand, encoding="utf-8")
    return load(folder / "config.toml", {})


def mistakes(folder: Path, brand: str, topic: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, brand, topic)
    return [f"{problem.line}: {problem.key}: {problem.message}" for problem in caught.value.problems]


def draw(path: Path, size: tuple[int, int], ink: str = "white", ground: str | None = None) -> None:
    picture = Image.new("RGBA", size, ground or (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((size[0] // 4, 0, size[0] // 2, size[1]), fill=ink)
    picture.convert("RGB" if path.suffix == ".jpg" else "RGBA").save(path)


def test_without_a_table_the_brand_is_the_default_one(tmp_path: Path) -> None:
    assert read(tmp_path, "").site.brand == PRESETS["warm"]
    assert read(tmp_path, "").brand_files == ()


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_is_refused_and_each_can_be_changed(tmp_path: Path, preset: str) -> None:
    brand = read(tmp_path, f'preset = "{preset}"\nband = "#0B4F59"\nserif = "Palatino"').site.brand
    assert list(wrong_colours(PRESETS[preset])) == []
    assert (brand.band, brand.serif, brand.accent) == ("#0b4f59", "Palatino", PRESETS[preset].accent)


def test_a_preset_adapts_its_accent_to_another_paper(tmp_path: Path) -> None:
    brand = read(tmp_path, 'preset = "plain"\npaper = "#b5c6d7"').site.brand
    assert brand.accent != PRESETS["plain"].accent
    assert list(wrong_colours(brand)) == []


def test_a_logo_becomes_an_opaque_picture_of_twice_its_size_on_the_band(tmp_path: Path) -> None:
    draw(tmp_path / "logo.png", (1920, 384))
    draw(tmp_path / "night.png", (1920, 384))
    text = 'logo = "logo.png"\nlogo_dark = "night.png"\nband = "#0b4f59"'
    config = read(tmp_path, text)
    logo, dark = config.site.brand.logo, config.site.brand.logo_dark
    assert logo
    assert dark
    assert (logo.width, logo.height, logo.alt) == (240, 48, "Harbour Post")
    made = {key: Image.open(io.BytesIO(file.body)) for key, file in config.brand_files}
    assert [each.size for each in made.values()] == [(480, 96), (480, 96)]
    assert made["logo"].convert("RGB").getpixel((0, 0)) == (0x0B, 0x4F, 0x59)
    assert logo.name != dark.name
    assert config.site.brand == read(tmp_path, text).site.brand


def test_a_photograph_becomes_a_jpeg_of_the_width_of_the_email(tmp_path: Path) -> None:
    Image.effect_noise((1600, 500), 80).convert("RGB").save(tmp_path / "header.jpg")
    config = read(tmp_path, 'header = "header.jpg"')
    header = config.site.brand.header
    assert header
    assert (header.width, header.height, header.name[-4:]) == (640, 200, ".jpg")
    assert Image.open(io.BytesIO(config.brand_files[0][1].body)).size == (1280, 400)


@pytest.mark.parametrize(
    ("key", "size", "said"),
    [
        ("logo", (20, 8), "has only 20 × 8 pixels: export it 480 pixels wide"),
        ("logo", (3000, 20), "has 3000 × 20 pixels, so it would be too thin to be seen: crop it"),
        ("header", (400, 100), "has only 400 × 100 pixels: export it 1280 pixels wide"),
        (
            "header",
            (900, 900),
            "2 to 8 times as wide as high: crop it, for example to 1280 × 320",
        ),
    ],
)
def test_a_picture_of_the_wrong_size_is_refused(
    tmp_path: Path, key: str, size: tuple[int, int], said: str
) -> None:
    draw(tmp_path / "a.png", size)
    (found,) = mistakes(tmp_path, f'preset = "cool"\n{key} = "a.png"')
    assert found.startswith(f"{FIRST + 1}: brand.{key}: 'a.png' ")
    assert said in found


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG"),
        (b"\x89PNG\r\n\x1a\n and no more", "cannot be read as a picture"),
        (b"", "cannot be read as a picture"),
        (bytes(5_000_001), "has 5.0 MB: export it with at most 5 MB"),
        (None, "there is no file 'a.png' beside config.toml"),
    ],
)
def test_a_file_that_is_no_picture_is_refused(tmp_path: Path, body: bytes | None, said: str) -> None:
    if body is not None:
        (tmp_path / "a.png").write_bytes(body)
    (found,) = mistakes(tmp_path, 'logo = "a.png"')
    assert found.startswith(f"{FIRST}: brand.logo: ")
    assert said in found


def test_colours_that_cannot_be_read_are_refused_with_the_nearest_that_can(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, 'accent = "#e0a100"')
    assert found.startswith(f"{FIRST}: brand.accent: '#e0a100' has a contrast of 2.0 with the background")
    nearest = found.split("'")[-2]
    read(tmp_path, f'accent = "{nearest}"')
    assert "too dark" in mistakes(tmp_path, 'paper = "#335577"')[0]
    (topic,) = mistakes(tmp_path, 'preset = "plain"', 'colour = "#9fd0ff"')
    assert topic.startswith("8: topic.colour: '#9fd0ff' has a contrast of")


def test_mistakes_are_reported_together_and_a_dark_logo_needs_a_light_one(tmp_path: Path) -> None:
    draw(tmp_path / "night.png", (480, 96))
    found = mistakes(tmp_path, 'logo_dark = "night.png"\nheadings = "roman"\naccent = "teal"')
    assert [each.split(":")[1].strip() for each in found] == ["brand.headings", "brand.accent"]
    assert "there is no 'logo'" in mistakes(tmp_path, 'logo_dark = "night.png"')[0]


@pytest.mark.parametrize(
    ("brand", "said"),
    [
        ("", "it can hardly be seen on the band, #fffefb"),
        ('band = "#0b4f59"', "phones show it blurred: 480 × 96 would be sharp"),
    ],
)
def test_what_could_be_better_about_a_logo_is_remarked(tmp_path: Path, brand: str, said: str) -> None:
    draw(tmp_path / "logo.png", (240, 48))
    config = read(tmp_path, f'logo = "logo.png"\n{brand}')
    assert any(said in remark for _, file in config.brand_files for remark in file.remarks)


def test_a_logo_with_another_background_than_its_band_is_remarked(
    tmp_path: Path,
) -> None:
    draw(tmp_path / "logo.png", (480, 96), ink="black", ground="white")
    boxed, plain = (
        read(tmp_path, f'logo = "logo.png"\nband = "{band}"').brand_files[0][1].remarks
        for band in ("#0b4f59", "#ffffff")
    )
    assert boxed == ("its background is #ffffff and not transparent, so it is a box on the band, #0b4f59",)
    assert plain == ()
