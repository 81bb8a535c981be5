"""docs/templates.md names all values that a template may use, and no others."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from digest.render.brand.fonts import Size, Sizes
from digest.render.brand.palette import Colours
from digest.render.languages.languages import Phrases
from digest.render.templates import load_templates
from digest.render.values import (
    BrandValues,
    ColourValues,
    EditionValues,
    ImageValues,
    LineValues,
    PageValues,
    ReaderValues,
    SectionValues,
    SiteValues,
    SourceValues,
    SponsorValues,
    StoryValues,
)
from digest.render.writing.markdown import MarkedText

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs/templates.md").read_text(encoding="utf-8")
KINDS = (
    *(EditionValues, ReaderValues, PageValues, SiteValues, SectionValues, StoryValues),
    *(SourceValues, ImageValues, LineValues, BrandValues, Colours, Sizes, Size),
    *(ColourValues, SponsorValues, MarkedText),
)
NAMES = {field.name for kind in KINDS for field in fields(kind)}
PHRASES = {field.name for field in fields(Phrases) if not field.name.startswith("_")}


@pytest.mark.parametrize("name", sorted(NAMES | PHRASES))
def test_every_variable_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", ["more_in", "because", "via", "next_edition", "numbered"])
def test_every_phrase_that_takes_words_is_documented(name: str) -> None:
    assert hasattr(Phrases, name)
    assert f"`{name}(" in TEXT


def test_nothing_is_documented_that_is_not_there() -> None:
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", TEXT, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert documented - NAMES - set(load_templates().environment.filters) == set()


def test_every_file_of_ours_is_documented() -> None:
    files = {path.relative_to(ROOT / "templates").as_posix() for path in ROOT.glob("templates/*/edition.*")}
    assert all(f"`{name}`" in TEXT for name in files)
