"""Follow the recipes of docs/howto/brand.md, and take their pictures: python -m tests.render.recipes."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, Route, sync_playwright

from digest.config import load
from digest.design.board import Board, draw
from digest.design.copies import copy_templates
from digest.design.samples import sample_picture
from tests.render.conftest import ARGUMENTS, CHROMIUM
from tests.scheduler.installation import CONFIG, at

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = (ROOT / "docs/howto/brand.md").read_text(encoding="utf-8")
FOOT = "mail/_foot.html"
_TOP, _FOOT, _SPONSOR = 640, 380, 300  # pixels of an email that a picture shows
_COLOURS = 128


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
    _logo().save(folder / "logo.png")
    _header().save(folder / "header.jpg")
    (folder / "own").mkdir()
    if recipe.markup:
        list(copy_templates(load(path, {}), [FOOT]))
        foot = folder / "own" / FOOT
        text, mark = foot.read_text(encoding="utf-8"), '<p class="footname">'
        assert text.count(mark) == 1
        foot.write_text(text.replace(mark, recipe.markup + mark), encoding="utf-8")
    return draw(path, {}, "", at("22 12:00"))


def photograph(board: Board, recipe: Recipe, browser: Browser) -> Image.Image:
    """Return the part of the email that a recipe changes, as Chromium shows it."""

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        body = board.pictures.get(name) or sample_picture(name) if "/site/" in route.request.url else _icon()
        route.fulfill(body=body) if body else route.abort()

    context = browser.new_context(viewport={"width": 640, "height": 900})
    page = context.new_page()
    page.route("https://**/*", answer)
    page.set_content(board.pages["many.light"].replace("/site/", "https://digest.example.org/site/"))
    top, height = _clip(page, Path(recipe.picture).stem)
    clip = {"x": 0.0, "y": top, "width": 640.0, "height": height}
    shot = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]  # a FloatRect
    context.close()
    return Image.open(BytesIO(shot)).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return how much two pictures differ, from 0 to 255, seen from so far that fonts do not matter."""
    if one.size != other.size:
        return 255.0
    far = [each.convert("RGB").reduce(20).tobytes() for each in (one, other)]
    apart: float = sum(abs(a - b) for a, b in zip(*far, strict=True)) / len(far[0])
    return apart


def _clip(page: Page, name: str) -> tuple[float, float]:
    """Return where the picture of a recipe begins, and its height."""
    if name == "recipe-sponsor":
        return page.locator(".sponsor, :text('Advertisement')").first.bounding_box()["y"] - 120, _SPONSOR  # type: ignore[index]  # it is there
    if name in ("recipe-links", "recipe-icons", "recipe-button"):
        height: float = page.evaluate("document.documentElement.scrollHeight")
        return height - _FOOT, _FOOT
    return 0, _TOP


def _logo() -> Image.Image:
    logo = Image.new("RGBA", (480, 96), (0, 0, 0, 0))
    draw_on = ImageDraw.Draw(logo)
    draw_on.ellipse((4, 14, 72, 82), outline="#fff", width=6)
    draw_on.arc((18, 28, 58, 68), 200, 340, fill="#fff", width=6)
    draw_on.line((38, 26, 38, 74), fill="#fff", width=6)
    draw_on.line((22, 58, 54, 58), fill="#fff", width=6)
    draw_on.text((92, 48), "Harbour Digest", font=ImageFont.load_default(44), fill="#fff", anchor="lm")
    return logo


def _header() -> Image.Image:
    dawn = Image.open(ROOT / "digest/demo/pictures/harbour-dawn.jpg").convert("RGB")
    dawn = dawn.resize((1280, 1280 * dawn.height // dawn.width))
    return dawn.crop((0, 200, 1280, 520))


def _icon() -> bytes:
    icon, made = Image.new("RGBA", (48, 48), (0, 0, 0, 0)), BytesIO()
    ImageDraw.Draw(icon).ellipse((2, 2, 46, 46), fill="#5d4a9e")
    icon.save(made, "PNG")
    return made.getvalue()


def main() -> None:
    """Take the pictures of all recipes, and write them into docs/pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for recipe in recipes():
            with tempfile.TemporaryDirectory() as folder:
                shot = photograph(cooked(recipe, Path(folder)), recipe, browser)
            shot.quantize(_COLOURS).save(ROOT / "docs" / recipe.picture, optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
