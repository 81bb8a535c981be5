from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from digest.model.editions import Edition
from digest.model.messages import ReaderLinks
from digest.render.mail import render_email
from digest.render.sample import sample_edition, short_edition
from digest.render.templates import load_templates
from digest.render.values import PageLinks
from digest.render.web import render_web
from tests.render.reading import Page
from tests.strategies import editions

TEMPLATES = load_templates()
PAGES = PageLinks(
    web="https://press.example.org/d/evening/evening-2026-11-22",
    archive="https://press.example.org/d/evening",
    subscribe="https://press.example.org/signup/evening",
    feed="https://press.example.org/d/evening/feed.atom",
    stylesheet="/static/site.css",
)


def metas(html: str) -> dict[str | None, str | None]:
    return {meta.get("property") or meta.get("name"): meta.get("content") for meta in Page(html).all("meta")}


def test_the_page_shows_the_editors_words_the_number_and_a_sponsor_that_says_what_it_is() -> None:
    page = render_web(TEMPLATES, sample_edition(), PAGES, language="de")
    assert " · Nr. 128</span>" in page
    assert page.index("the queue for its one cabin") < page.index("Mara Quill, editor") < page.index("<h2")
    assert '<p class="meta" lang="de" dir="ltr">Anmerkung der Redaktion:</p>' in page
    assert (
        '<section class="sponsor" aria-label="Anzeige" lang="de" dir="ltr">\n<p class="meta">Anzeige</p>'
        in page
    )
    assert '<a href="https://oilskin.example.org/" rel="sponsored"><bdi dir="ltr">Try one on<' in page


def test_a_page_without_sections_shows_the_sponsor_after_the_lead() -> None:
    page = render_web(TEMPLATES, replace(sample_edition(), sections=()))
    assert page.count('class="sponsor"') == 1
    assert 'class="sponsor"' not in render_web(TEMPLATES, short_edition())


def test_a_name_reads_in_the_direction_of_the_edition_where_it_has_letters_of_it() -> None:
    only = short_edition().sections[0]
    story = replace(only.stories[0], source="iPhone في المرفأ", author="Ines Marlowe")
    edition = replace(short_edition(), language="ar", sections=(replace(only, stories=(story,)),))
    page = render_web(TEMPLATES, edition)
    assert '<bdi dir="rtl">iPhone في المرفأ</bdi> · <bdi dir="ltr">Ines Marlowe</bdi>' in page


def test_the_same_edition_gives_the_same_page() -> None:
    assert render_web(TEMPLATES, sample_edition()) == render_web(TEMPLATES, sample_edition())


def test_a_preview_carries_its_styles_and_a_served_page_links_to_them() -> None:
    preview = render_web(TEMPLATES, sample_edition())
    assert "<style>" in preview
    assert "prefers-color-scheme: dark" in preview
    served = render_web(TEMPLATES, sample_edition(), PAGES)
    assert '<link rel="stylesheet" href="/static/site.css">' in served
    assert "<style" not in served
    assert "style=" not in served
    assert "<script" not in served


def test_a_link_to_the_page_previews_well() -> None:
    found = metas(render_web(TEMPLATES, sample_edition(), PAGES))
    assert found["og:title"] == "The night ferry returns to the northern isles after eleven winters"
    assert found["og:image"] == "https://images.example.org/ferry.jpg"
    assert found["og:url"] == PAGES.web
    assert found["twitter:card"] == "summary_large_image"
    assert (found["description"] or "").startswith("Eelgrass is back")
    assert metas(render_web(TEMPLATES, short_edition()))["twitter:card"] == "summary"


def test_the_page_offers_to_subscribe_and_a_preview_does_not() -> None:
    served = render_web(TEMPLATES, sample_edition(), PAGES, language="de")
    assert f'<a href="{PAGES.subscribe}">Abonnieren</a>' in served
    assert f'<link rel="alternate" type="application/atom+xml" href="{PAGES.feed}">' in served
    preview = render_web(TEMPLATES, sample_edition())
    assert 'class="links"' not in preview
    assert "atom+xml" not in preview


@settings(max_examples=30, deadline=None)
@given(edition=editions())
def test_the_page_has_the_stories_of_the_email_and_no_reader(edition: Edition) -> None:
    page = Page(render_web(TEMPLATES, edition, PAGES))
    links = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK", preferences="PREFERENCES_LINK")
    email = Page(render_email(TEMPLATES, edition, links, web_url=None).html)
    stories = [text for level, text in page.headings if level == "h3"]
    assert stories == email.headlines
    assert set(email.links) - set(page.links) == {links.unsubscribe, links.preferences}
    assert set(page.links) - set(email.links) == {edition.site.base_url, PAGES.archive, PAGES.subscribe}
