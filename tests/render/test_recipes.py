"""The recipes of docs/howto/brand.md work: each gives an email that shows what it says and has no fault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from digest.config import load
from digest.design.board import Board, draw
from digest.design.copies import copy_templates
from tests.scheduler.installation import CONFIG, at

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = (ROOT / "docs/howto/brand.md").read_text(encoding="utf-8")
FOOT = "mail/_foot.html"
SHOWN = {
    "Your own logo and colour in five minutes": ['alt="Harbour Digest"', "#0b6470", "#0b4f59"],
    "A header picture": ['class="banner"', 'width="640"'],
    "Another font": ["Palatino", "Verdana"],
    "A sponsor": ["Quill &amp; Co", "Order a tin", "Advertisement", "<em"],
    "Social links": ["https://social.example.org/@harbour", "Our web site"],
    "Icons": ['alt="Mastodon"', 'width="24"'],
    "A button that Outlook draws": ["https://www.example.org/members", "Become a member"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    title: str
    settings: str
    markup: str
    picture: str


def recipes() -> list[Recipe]:
    found = []
    for text in GUIDE.split("\n## ")[1:]:
        settings = re.search(r"`config\.toml`:\n\n```toml\n(.*?)```", text, re.DOTALL)
        markup = re.search(r'before `<p class="footname">`:\n\n```html\n(.*?)```', text, re.DOTALL)
        picture = re.search(r"!\[[^]]+\]\(\.\./(pictures/[\w.-]+)\)", text)
        assert picture
        found.append(
            Recipe(
                title=text.partition("\n")[0],
                settings=settings[1] if settings else "",
                markup=markup[1] if markup else "",
                picture=picture[1],
            )
        )
    return found


def cooked(recipe: Recipe, folder: Path) -> Board:
    """Return the board of a publication that follows a recipe."""
    path = folder / "config.toml"
    path.write_text(
        CONFIG.replace("[site]", '[site]\ntemplates = "own"') + "\n" + recipe.settings, encoding="utf-8"
    )
    Image.new("RGBA", (400, 90), "#ffffff").save(folder / "logo.png")
    Image.effect_mandelbrot((1280, 320), (-3, -2.5, 2, 2.5), 100).convert("RGB").save(folder / "header.jpg")
    (folder / "own").mkdir()
    if recipe.markup:
        list(copy_templates(load(path, {}), [FOOT]))
        foot = folder / "own" / FOOT
        text, mark = foot.read_text(encoding="utf-8"), '<p class="footname">'
        assert text.count(mark) == 1
        foot.write_text(text.replace(mark, recipe.markup + mark), encoding="utf-8")
    return draw(path, {}, "", at("22 12:00"))


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.title)
def test_a_recipe_gives_what_it_says(recipe: Recipe, tmp_path: Path) -> None:
    board = cooked(recipe, tmp_path)
    assert board.faults == ()
    assert [row.findings for row in board.rows if row.findings] == []
    for words in SHOWN[recipe.title]:
        assert words in board.pages["many.light"]
    assert (ROOT / "docs" / recipe.picture).stat().st_size < 150_000


def test_every_recipe_is_tested() -> None:
    assert [recipe.title for recipe in recipes()] == [*SHOWN]
