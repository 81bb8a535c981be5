"""Fixed texts in the reader's language around stories in the edition's: both are marked correctly."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.messages import Email, ReaderLinks
from digest.render.edition_renderer import EditionRenderer
from digest.render.languages.languages import (
    catalogues,
    languages,
    main_language,
    phrases_for,
    spoken,
    words_for,
)
from digest.render.mail import render_email
from digest.render.preflight import preflight
from digest.render.sample import sample_edition, short_edition
from digest.render.templates import load_templates
from digest.render.web import render_web
from tests.render.reading import Page
from tests.render.test_text import first_direction
from tests.render.uncut import uncut

TEMPLATES = load_templates()
LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK_0", preferences="PREFERENCES_LINK_0")
WEB = "https://press.example.org/d/evening/evening-2026-11-22"


def mail(language: str, edition: str = "en-GB") -> Email:
    view = replace(sample_edition(), language=edition)
    return render_email(TEMPLATES, view, LINKS, web_url=WEB, language=language)


@pytest.mark.parametrize(
    ("wanted", "edition", "answer"),
    [
        ("de", "en", "de"),
        ("de-AT", "en", "de"),
        ("DE", "en-GB", "de"),
        ("en", "en-GB", "en-GB"),
        ("en-US", "en-GB", "en-GB"),
        ("en", "de", "en"),
        ("", "de", "de"),
        ("fi", "de", "de"),
        ("fi", "pt-BR", "pt-BR"),
        ("*/..", "de", "de"),
    ],
)
def test_fixed_texts_are_in_the_readers_language_or_the_editions(
    wanted: str, edition: str, answer: str
) -> None:
    assert spoken(wanted, edition) == answer
    assert spoken(answer, edition) == answer


@given(wanted=st.text(max_size=12), edition=st.sampled_from(["en-GB", "de", "pt-BR"]))
def test_there_are_never_more_answers_than_catalogues(wanted: str, edition: str) -> None:
    assert spoken(wanted, edition) in {edition, *catalogues()}


def test_catalogues_are_known_without_loading_them() -> None:
    assert catalogues() == set(languages())
    assert main_language("de-AT") == "de"


def test_every_line_with_arabic_in_a_plain_text_email_reads_from_the_right() -> None:
    name = "The Extraordinarily Long Gazette of the Northern Isles and Their Harbours"
    view = replace(sample_edition(), title=name, language="ar")
    story = replace(next(view.stories()), title="Harbour Press تعلن عودة العبّارة")
    text = render_email(TEMPLATES, replace(view, lead=story), LINKS, web_url=WEB).text
    lines = [line for line in text.splitlines() if re.search("[\u0600-\u06ff]", line)]
    assert "\u200fHarbour Press تعلن عودة العبّارة" in lines
    assert len(lines) > 8
    assert [line for line in lines if first_direction(line) == "ltr"] == []
    assert WEB in text.splitlines()
    assert "\u200fhttp" not in text


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_fixed_texts_are_in_the_readers_language_and_stories_in_the_editions(language: str) -> None:
    written, say = mail(language), words_for(language)
    page = Page(written.html)
    for text in ("In this edition", "Top story", "Also in", "Unsubscribe", "Change your preferences"):
        assert say(text) in page.text
        assert say(text) in written.text
    reason = "You receive this email because you subscribed to {title} from {site}."
    view = say(reason, title="The Evening Tide", site="Harbour Press")
    assert view.replace(" ", "") in page.text.replace(" ", "")
    assert "The night ferry returns to the northern isles" in page.text
    assert preflight(written) == ()


@pytest.mark.parametrize(
    ("language", "date", "time"),
    [
        ("de", "Sonntag, 22. November 2026", "21. Nov."),
        ("es", "domingo, 22 de noviembre de 2026", "21 nov"),
        ("ar", "الأحد، 22 نوفمبر 2026", "21 نوفمبر"),
        ("en", "Sunday, 22 November 2026", "21 Nov"),
    ],
)
def test_dates_are_in_the_readers_language(language: str, date: str, time: str) -> None:
    written = mail(language)
    assert date in written.html
    assert date in written.text
    assert time in written.text.replace("\u00a0", " ")


def test_the_date_in_a_subject_is_in_the_readers_language() -> None:
    edition = replace(
        sample_edition(), subject_template="{{ title }}, {{ date }}", preheader_template="{{ date }}"
    )
    written = render_email(TEMPLATES, edition, LINKS, web_url=None, language="de")
    assert written.subject == "The Evening Tide, Sonntag, 22. November 2026"
    assert written.preheader == "Sonntag, 22. November 2026"
    own = render_email(TEMPLATES, edition, LINKS, web_url=None)
    assert own.subject == "The Evening Tide, Sunday, 22 November 2026"


@pytest.mark.parametrize(
    ("language", "edition", "around", "within"),
    [
        ("de", "en-GB", ("de", "ltr"), ("en-GB", "ltr")),
        ("ar", "en-GB", ("ar", "rtl"), ("en-GB", "ltr")),
        ("en", "ar", ("en", "ltr"), ("ar", "rtl")),
    ],
)
def test_the_email_marks_the_language_and_direction_of_its_parts(
    language: str, edition: str, around: tuple[str, str], within: tuple[str, str]
) -> None:
    page = Page(mail(language, edition).html)
    article = next(attributes for _, attributes in page.elements if attributes.get("role") == "article")
    for attributes in (page.all("html")[0], article):
        assert (attributes["lang"], attributes["dir"]) == around
    cells = [cell for cell in page.all("td") if "told" in (cell.get("class") or "").split()]
    assert len(cells) == 7
    for attributes in (*cells, *page.all("title")):
        assert (attributes["lang"], attributes["dir"]) == within
    said = [
        span for span in page.all("span") if span.get("dir") == around[1] and span.get("lang") == around[0]
    ]
    assert len(said) >= 4  # the labels of the top story and of the list, and "also in"


def test_nothing_is_marked_in_an_email_in_one_language() -> None:
    for language in ("", "en", "fi"):
        written = mail(language)
        assert written == mail("en-GB")
        assert written.html.count(' lang="') == 2
        assert "content" not in written.text


def test_the_web_copy_is_in_the_language_of_the_email_that_links_to_it() -> None:
    assert f'href="{WEB}?language=de"' in mail("de").html
    assert f"\n{WEB}?language=de\n" in mail("de").text
    assert f'href="{WEB}"' in mail("en").html


def test_a_page_is_in_the_requested_language_and_its_stories_in_their_own() -> None:
    html = render_web(TEMPLATES, sample_edition(), language="ar")
    page = Page(html)
    assert (page.all("html")[0]["lang"], page.all("html")[0]["dir"]) == ("ar", "rtl")
    assert (page.all("main")[0]["lang"], page.all("main")[0]["dir"]) == ("en-GB", "ltr")
    assert words_for("ar")("Top story") in page.text
    assert "الأحد، 22 نوفمبر 2026" in page.text
    assert 'lang="' not in render_web(TEMPLATES, sample_edition(), language="en").partition("<body>")[2]


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_markup_in_a_name_is_escaped_in_every_language(language: str) -> None:
    edition = replace(short_edition(), title="<b>Tea</b> {0} {site}")
    html = render_email(TEMPLATES, edition, LINKS, web_url=None, language=language).html
    assert "<b>" not in html
    assert "<b>Tea</b> {0} {site}" in Page(html).text


def test_phrases_with_plain_text_stay_plain() -> None:
    assert phrases_for("en").more_in("Tea & <b>") == "More in Tea & <b>"


def test_an_operators_template_without_language_marks_serves_all_languages(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/_foot.html").write_text("<tr><td>{{ phrases.because(title, site.name) }}</td></tr>\n")
    templates = load_templates(tmp_path)
    templates.check_all()
    html = render_email(templates, sample_edition(), LINKS, web_url=None, language="de").html
    assert "Sie bekommen diese E-Mail, weil Sie The Evening Tide" in html


def test_one_renderer_serves_readers_of_all_languages_in_any_order() -> None:
    together = EditionRenderer(TEMPLATES, lambda _edition: WEB)
    for language in ("de", "", "ar", "de", "en", "fi", "es", "ar", "de-AT"):
        assert uncut(together(sample_edition(), LINKS, language)) == mail(language)
