"""Emails and pages as Chromium shows them, checked by axe-core and by measuring."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from digest.model.editions import Edition, Section
from digest.model.messages import ReaderLinks
from digest.model.publication import Style
from digest.render.languages.languages import languages
from digest.render.mail import render_email
from digest.render.sample import sample_edition, short_edition
from digest.render.templates import load_templates
from digest.render.values import PageLinks
from digest.render.web import render_web
from tests.accessibility import faults_of
from tests.render.conftest import Reader
from tests.subscribers.hosts import IN_A_BROWSER

TEMPLATES = load_templates()


def few(edition: Edition, stories: int) -> Edition:
    """Return an edition with its lead and the first stories of its first section."""
    section = edition.sections[0]
    return replace(edition, sections=(replace(section, stories=section.stories[: stories - 1], more=()),))


def many(edition: Edition) -> Edition:
    """Return an edition with five times the stories, so that it has all levels."""
    return replace(
        edition,
        sections=tuple(
            replace(section, stories=tuple(replace(story) for _ in range(5) for story in section.stories))
            for section in edition.sections
        ),
    )


LINKS = ReaderLinks(
    unsubscribe="https://press.example.org/u/evening/x", preferences="https://press.example.org/p/x"
)
# Editions, and the language of their reader.
EDITIONS = {
    "sample": (sample_edition(), ""),
    "one story": (short_edition(), ""),
    "three stories": (few(sample_edition(), 3), ""),
    "many stories": (many(sample_edition()), "es"),
    "brief": (replace(sample_edition(), style=Style.BRIEF), ""),
    "links": (replace(sample_edition(), style=Style.LINKS), "de"),
    "from the right": (replace(sample_edition(), language="ar"), ""),
    "for a German reader": (sample_edition(), "de"),
    "for a reader from right to left": (sample_edition(), "ar"),
    "from right to left for an English reader": (replace(sample_edition(), language="ar"), "en"),
}
Scheme = Literal["light", "dark"]
# Widths and schemes, with images and without.
LOOKS: dict[bool, list[tuple[int, Scheme]]] = {
    True: [(640, "light"), (640, "dark"), (360, "light"), (360, "dark")],
    False: [(360, "light"), (640, "dark")],
}
# Every piece of visible text set in less than 14 pixels.
SMALL_TEXT = """() => [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.offsetParent)
    .filter(e => parseFloat(getComputedStyle(e).fontSize) < 14)
    .map(e => e.textContent)"""


def email(edition: Edition, language: str = "") -> str:
    web = "https://press.example.org/d/a/b"
    return render_email(TEMPLATES, edition, LINKS, web_url=web, language=language).html


def test_the_judge_finds_faults(reader: Reader) -> None:
    with reader.read('<html><body><img src="https://images.example.org/a.png"></body></html>') as page:
        assert {"image-alt", "html-has-lang"} <= {rule for rule, _ in faults_of(page)}


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("name", EDITIONS)
def test_a_mail_breaks_no_rule_of_accessibility(reader: Reader, name: str, images: bool) -> None:
    with reader.read(email(*EDITIONS[name]), images=images) as page:
        for width, scheme in LOOKS[images]:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            assert faults_of(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [640, 360])
@pytest.mark.parametrize("language", ["", "de", "ar"])
def test_a_page_breaks_no_rule_of_accessibility(
    reader: Reader, language: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    links = PageLinks(choices=tuple(languages().items()))
    html = render_web(TEMPLATES, sample_edition(), links, language=language)
    with reader.read(html, width=width, scheme=scheme) as page:
        assert faults_of(page) == []


@pytest.mark.parametrize(("edition", "language", "side"), [("en", "ar", "left"), ("ar", "en", "right")])
def test_stories_start_where_their_language_does_and_the_foot_where_the_readers_does(
    reader: Reader, edition: str, language: str, side: str
) -> None:
    html = email(replace(sample_edition(), language=edition), language)
    align = "element => getComputedStyle(element).textAlign"
    with reader.read(html) as page:
        for place in ("td.lead", "td.story >> nth=0", "p.leadtext", "p.less >> nth=0", "h2.label"):
            assert page.locator(place).first.evaluate(align) == side
        assert page.locator("td.foot").evaluate(align) == {"left": "right", "right": "left"}[side]


@pytest.mark.parametrize("width", [320, 360, 640, 1200])
@pytest.mark.parametrize("images", [True, False])
def test_nothing_is_wider_than_the_screen(reader: Reader, width: int, images: bool) -> None:
    endless = replace(
        sample_edition(), sections=tuple(_with_endless_word(section) for section in sample_edition().sections)
    )
    for html in (email(endless), render_web(TEMPLATES, endless)):
        with reader.read(html, width=width, images=images) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 640])
def test_layout_holds_when_a_client_drops_the_styles_in_the_head(reader: Reader, width: int) -> None:
    html = email(sample_edition())
    with reader.read(html, width=width) as page:
        page.evaluate("document.querySelectorAll('style').forEach(style => style.remove())")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".preheader").is_hidden()


def test_the_column_is_at_most_640_wide(reader: Reader) -> None:
    with reader.read(email(sample_edition()), width=1200) as page:
        assert page.locator("table.card").evaluate("table => table.offsetWidth") == 640


def test_no_text_is_smaller_than_fourteen_pixels(reader: Reader) -> None:
    for html in (email(sample_edition()), render_web(TEMPLATES, sample_edition())):
        with reader.read(html, width=360) as page:
            assert page.evaluate(SMALL_TEXT) == []


def test_the_dark_colours_are_used(reader: Reader) -> None:
    with reader.read(email(sample_edition()), scheme="dark") as page:
        colour = "element => getComputedStyle(element).backgroundColor"
        assert page.locator("table.card").evaluate(colour) == "rgb(28, 26, 24)"


def test_a_mail_asks_for_its_images_and_for_nothing_else(reader: Reader) -> None:
    with reader.read(email(sample_edition())) as page:
        page.wait_for_load_state("load")
    with reader.read(render_web(TEMPLATES, sample_edition())) as page:
        page.wait_for_load_state("load")
    assert reader.asked
    assert all(url.startswith("https://images.example.org/") for url in reader.asked)


def test_an_image_keeps_its_shape_on_a_narrow_screen(reader: Reader) -> None:
    with reader.read(email(sample_edition()), width=360) as page:
        for place, shape in (("img.wide >> nth=0", 16 / 9), ("img.wide >> nth=1", 16 / 9)):
            page.locator(place).wait_for()
            width, height = page.locator(place).evaluate("image => [image.width, image.height]")
            assert abs(width / height - shape) < 0.05


def test_hosts_are_the_same_as_in_this_browser(reader: Reader) -> None:
    parse = """hosts => hosts.map(host => {
        try { return new URL(`https://${host}`).host } catch { return null }
    })"""
    with reader.read("<p>Hosts</p>") as page:
        assert dict(zip(IN_A_BROWSER, page.evaluate(parse, list(IN_A_BROWSER)), strict=True)) == IN_A_BROWSER


def _with_endless_word(section: Section) -> Section:
    stories = tuple(replace(story, title="Wave" * 80, source="w" * 90) for story in section.stories)
    return replace(section, stories=stories)
