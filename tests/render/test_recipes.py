"""The recipes of docs/howto/brand.md work: their emails look as their pictures do, and have no fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.render.recipes import ROOT, Recipe, cooked, difference, photograph, recipes

ALIKE = 8  # of 255; the same email with other fonts differs by less, and most recipes by far more
SHOWN = {
    "Your own logo and colour in five minutes": ['alt="Harbour Digest"', "#0b6470", "#0b4f59"],
    "A header picture": ['class="banner"', 'width="640"'],
    "Another font": ["Palatino", "Verdana"],
    "A sponsor": ["Quill &amp; Co", "Order a tin", "Advertisement", "<em"],
    "Social links": ["https://social.example.org/@harbour", "Our web site"],
    "Icons": ['alt="Mastodon"', 'width="24"'],
    "A button that Outlook draws": ["https://www.example.org/members", "Become a member"],
}


def picture_of(recipe: Recipe) -> Image.Image:
    with Image.open(ROOT / "docs" / recipe.picture) as picture:
        return picture.convert("RGB")


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.title)
def test_a_recipe_gives_what_it_says(recipe: Recipe, tmp_path: Path, chromium: Browser) -> None:
    board = cooked(recipe, tmp_path)
    assert board.faults == ()
    assert [row.findings for row in board.rows if row.findings] == []
    for words in SHOWN[recipe.title]:
        assert words in board.pages["many.light"]
    shot = photograph(board, recipe, chromium)
    far = {each.picture: difference(shot, picture_of(each)) for each in recipes()}
    assert min(far, key=far.__getitem__) == recipe.picture
    assert far[recipe.picture] < ALIKE
    assert (ROOT / "docs" / recipe.picture).stat().st_size < 150_000


def test_every_recipe_is_tested() -> None:
    assert [recipe.title for recipe in recipes()] == [*SHOWN]
