"""A reader's language around an edition's stories: each is said, and neither is taken for the other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Mail, ReaderLinks
from digest.render.languages import languages, words_for
from digest.render.mail import render_mail, sample_edition
from digest.render.phrases import phrases_for
from digest.render.preflight import preflight
from digest.render.sample import short_edition
from digest.render.spoken import catalogues, main_language, spoken
from digest.render.templates import load_templates
from digest.render.typesetter import Typesetter
from digest.render.web import render_web
from tests.render.reading import Page
from tests.render.test_text import first_direction
from tests.render.uncut import uncut

TEMPLATES = load_templates()
LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK_0", preferences="PREFERENCES_LINK_0")
WEB = "https://press.example.org/d/evening/evening-2026-11-22"


def mail(language: str, edition: str = "en-GB") -> Mail:
    told = replace(sample_edition(), language=edition)
    return render_mail(TEMPLATES, told, LINKS, web_url=WEB, language=language)


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
def test_a_reader_is_addressed_in_their_language_or_in_the_editions(
    wanted: str, edition: str, answer: str
) -> None:
    assert spoken(wanted, edition) == answer
    assert spoken(answer, edition) == answer


@given(wanted=st.text(max_size=12), edition=st.sampled_from(["en-GB", "de", "pt-BR"]))
def test_there_are_never_more_answers_than_catalogues(wanted: str, edition: str) -> None:
    assert spoken(wanted, edition) in {edition, *catalogues()}


def test_the_languages_known_without_loading_them_are_those_there_are() -> None:
    assert catalogues() == set(languages())
    assert main_language("de-AT") == "de"


def test_every_line_with_arabic_in_a_plain_arabic_mail_reads_from_the_right() -> None:
    name = "The Extraordinarily Long Gazette of the Northern Isles and Their Harbours"
    told = replace(sample_edition(), title=name, language="ar")
    story = replace(next(told.stories()), title="Harbour Press تعلن عودة العبّارة")
    text = render_mail(TEMPLATES, replace(told, lead=story), LINKS, web_url=WEB).text
    lines = [line for line in text.splitlines() if re.search("[\u0600-\u06ff]", line)]
    assert "\u200fHarbour Press تعلن عودة العبّارة" in lines
    assert len(lines) > 8
    assert [line for line in lines if first_direction(line) == "ltr"] == []
    assert WEB in text.splitlines()
    assert "\u200fhttp" not in text


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_the_fixed_words_are_the_readers_and_the_stories_the_editions(language: str) -> None:
    written, say = mail(language), words_for(language)
    page = Page(written.html)
    for text in ("In this mail", "Top story", "Also in", "Unsubscribe", "Change your preferences"):
        assert say(text) in page.text
        assert say(text) in written.text
    reason = "You get this mail because you subscribed to {title} from {site}."
    told = say(reason, title="The Evening Tide", site="Harbour Press")
    assert told.replace(" ", "") in page.text.replace(" ", "")
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
def test_dates_are_the_readers(language: str, date: str, time: str) -> None:
    written = mail(language)
    assert date in written.html
    assert date in written.text
    assert time in written.text.replace("\u00a0", " ")


def test_the_date_in_a_subject_is_the_readers() -> None:
    edition = replace(
        sample_edition(), subject_template="{{ title }}, {{ date }}", preheader_template="{{ date }}"
    )
    written = render_mail(TEMPLATES, edition, LINKS, web_url=None, language="de")
    assert written.subject == "The Evening Tide, Sonntag, 22. November 2026"
    assert written.preheader == "Sonntag, 22. November 2026"
    own = render_mail(TEMPLATES, edition, LINKS, web_url=None)
    assert own.subject == "The Evening Tide, Sunday, 22 November 2026"


@pytest.mark.parametrize(
    ("language", "edition", "around", "within"),
    [
        ("de", "en-GB", ("de", "ltr"), ("en-GB", "ltr")),
        ("ar", "en-GB", ("ar", "rtl"), ("en-GB", "ltr")),
        ("en", "ar", ("en", "ltr"), ("ar", "rtl")),
    ],
)
def test_the_mail_says_what_is_in_which_language_and_from_which_side(
    language: str, edition: str, around: tuple[str, str], within: tuple[str, str]
) -> None:
    page = Page(mail(language, edition).html)
    article = next(attributes for _, attributes in page.elements if attributes.get("role") == "article")
    for attributes in (page.all("html")[0], article):
        assert (attributes["lang"], attributes["dir"]) == around
    cells = [cell for cell in page.all("td") if "told" in (cell.get("class") or "").split()]
    assert len(cells) == 5
    for attributes in (*cells, *page.all("title")):
        assert (attributes["lang"], attributes["dir"]) == within
    said = [
        span for span in page.all("span") if span.get("dir") == around[1] and span.get("lang") == around[0]
    ]
    assert len(said) >= 4  # the top story's label, the list's, and "also in"


def test_in_the_editions_own_language_nothing_is_marked() -> None:
    for language in ("", "en", "fi"):
        written = mail(language)
        assert written == mail("en-GB")
        assert written.html.count(' lang="') == 2
        assert "content" not in written.text


def test_the_web_copy_a_mail_leads_to_is_in_its_language() -> None:
    assert f'href="{WEB}?language=de"' in mail("de").html
    assert f"\n{WEB}?language=de\n" in mail("de").text
    assert f'href="{WEB}"' in mail("en").html


def test_a_page_is_in_the_language_asked_for_and_its_stories_in_their_own() -> None:
    html = render_web(TEMPLATES, sample_edition(), language="ar")
    page = Page(html)
    assert (page.all("html")[0]["lang"], page.all("html")[0]["dir"]) == ("ar", "rtl")
    assert (page.all("main")[0]["lang"], page.all("main")[0]["dir"]) == ("en-GB", "ltr")
    assert words_for("ar")("Top story") in page.text
    assert "الأحد، 22 نوفمبر 2026" in page.text
    assert 'lang="' not in render_web(TEMPLATES, sample_edition(), language="en").partition("<body>")[2]


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_markup_in_a_name_is_only_words_in_every_language(language: str) -> None:
    edition = replace(short_edition(), title="<b>Tea</b> {0} {site}")
    html = render_mail(TEMPLATES, edition, LINKS, web_url=None, language=language).html
    assert "<b>" not in html
    assert "<b>Tea</b> {0} {site}" in Page(html).text


def test_words_around_plain_text_stay_plain() -> None:
    assert phrases_for("en").more_in("Tea & <b>") == "More in Tea & <b>"


def test_an_operators_template_that_knows_no_languages_still_serves_all(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/_foot.html").write_text("<tr><td>{{ phrases.because(title, site.name) }}</td></tr>\n")
    templates = load_templates(tmp_path)
    templates.check_all()
    html = render_mail(templates, sample_edition(), LINKS, web_url=None, language="de").html
    assert "Sie bekommen diese Nachricht, weil Sie The Evening Tide" in html


def test_one_typesetter_serves_readers_of_all_languages_in_any_order() -> None:
    together = Typesetter(TEMPLATES, lambda _edition: WEB)
    for language in ("de", "", "ar", "de", "en", "fi", "es", "ar", "de-AT"):
        assert uncut(together(sample_edition(), LINKS, language)) == mail(language)
