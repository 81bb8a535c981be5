from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model.editions import Coverage, Edition, Every, Heading, Section, Story
from digest.model.errors import TemplateError
from digest.model.links import web_url
from digest.model.messages import Email, ReaderLinks
from digest.model.posts import Image, Via
from digest.render.fragments.inline import inline
from digest.render.mail import lines, render_email
from digest.render.preflight import encoded_size, preflight
from digest.render.sample import sample_edition, short_edition
from digest.render.templates import load_templates, render_line
from digest.render.values import SponsorValues
from digest.render.view import EditionView, choice_values, email_values, line_values
from digest.render.web import render_web
from digest.render.writing.markdown import MarkedText
from digest.render.writing.text import COLUMNS, width
from subscribers.text import one_line
from tests.render.reading import Page, links_of
from tests.strategies import editions

TEMPLATES = load_templates()
LINKS = ReaderLinks(unsubscribe="UNSUBSCRIBE_LINK_0", preferences="PREFERENCES_LINK_0")
WEB = "https://press.example.org/d/evening/evening-2026-11-22"


def mail_of(edition: Edition) -> Email:
    return render_email(TEMPLATES, edition, LINKS, web_url=WEB)


def only(**changes: Any) -> Edition:
    """Make an edition of one story, which is like the sample's but for `changes`."""
    edition = short_edition()
    story = replace(next(edition.stories()), **changes)
    return replace(edition, sections=(replace(edition.sections[0], stories=(story,)),))


def test_the_same_edition_gives_the_same_bytes() -> None:
    assert mail_of(sample_edition()) == mail_of(sample_edition())


def test_the_subject_is_the_lead_and_the_preheader_the_next_titles() -> None:
    email = mail_of(sample_edition())
    assert email.subject == "The night ferry returns to the northern isles after eleven winters"
    assert email.preheader.startswith("Eelgrass is back in the bay, and so are the seahorses · Forty years")


def test_without_a_lead_the_first_story_gives_the_subject_and_its_blurb_the_preheader() -> None:
    email = mail_of(short_edition())
    assert (email.subject, email.preheader) == (
        "A quiet day on the quay",
        "Nothing happened, and it was lovely.",
    )


def test_a_subject_that_comes_out_empty_is_title_and_date() -> None:
    email = mail_of(replace(short_edition(), subject_template="{{ lead.author }}"))
    assert email.subject == "The Evening Tide · Sunday, 22 November 2026"


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="{"), max_size=300))
def test_a_line_without_values_is_the_same_as_rendered(text: str) -> None:
    edition = replace(short_edition(), subject_template=text, preheader_template="")
    values = line_values(edition)
    assert values is not None
    subject, preheader = lines(edition)
    assert subject == (render_line(text, values) or "The Evening Tide · Sunday, 22 November 2026")
    assert preheader == "Nothing happened, and it was lovely."


def test_an_edition_without_stories_still_has_a_subject() -> None:
    assert mail_of(replace(short_edition(), sections=())).subject == "The Evening Tide · 2026-11-22"


def test_a_wrong_subject_is_an_error_that_names_it() -> None:
    with pytest.raises(TemplateError, match="did you mean 'lead'"):
        mail_of(replace(short_edition(), subject_template="{{ laed.title }}"))


def test_the_preheader_is_the_first_text_and_padded() -> None:
    html = mail_of(sample_edition()).html
    body = html[html.index("<body") :]
    first = re.search(r">([^<>]+)<", body.replace("\n", ""))
    assert first is not None
    assert first[1].startswith("Eelgrass is back")
    assert first[1].count("\u200c") >= 50


def test_the_headings_are_one_title_topics_and_stories() -> None:
    levels = Page(mail_of(sample_edition()).html).headings
    assert [text for level, text in levels if level == "h1"] == ["The Evening Tide"]
    assert [text for level, text in levels if level == "h2"] == [
        "Top story · Coast & sea",
        "In this edition: 11 stories, 2 minutes",
        "Coast & sea",
        "Town",
        "More stories",
    ]
    titles = [one_line(story.title) for story in sample_edition().stories()]
    assert Page(mail_of(sample_edition()).html).headlines == titles
    briefs = {one_line(story.title) for section in sample_edition().sections for story in section.more}
    assert [text for level, text in levels if level == "h3"] == [
        each for each in titles if each not in briefs
    ]


def test_one_group_of_stories_has_no_heading() -> None:
    story = replace(sample_edition().sections[0].stories[0], topic="more", rule="catch-all")
    rest = Section(slug="more", title="More stories", stories=(story,))
    edition = replace(short_edition(), sections=(rest,))
    assert "More stories" not in mail_of(edition).html
    assert "more stories" not in mail_of(edition).text.casefold()
    assert "* * *" not in mail_of(edition).text
    led = replace(edition, lead=replace(story, id="lead", title="The lead"))
    assert mail_of(led).text.count("\n\n* * *\n\n") == 1, "the lead ends somewhere"
    town = replace(rest, slug="town", title="Town", stories=(replace(story, topic="town", rule="tag: town"),))
    found = replace(edition, sections=(town,), headings=(Heading(slug="town", title="Town"),))
    assert "Town" not in mail_of(found).html
    assert mail_of(replace(edition, subject_template="{{ topics[0] }}")).subject == "More stories"
    both = replace(found, headings=(*found.headings, Heading(slug="sea", title="Sea")))
    assert "Town" not in mail_of(both).html, "a short edition has no headings"
    many = tuple(replace(story, id=str(number), topic="town", rule="tag: town") for number in range(4))
    longer = replace(both, sections=(replace(town, stories=many),))
    assert "Town" in mail_of(longer).html, "where other topics are configured, the heading says something"


def test_a_top_story_without_a_topic_shows_no_topic() -> None:
    sample = sample_edition()
    assert sample.lead
    unclaimed = replace(sample.lead, topic="more", rule="catch-all")
    levels = Page(mail_of(replace(sample, lead=unclaimed)).html).headings
    assert ("h2", "Top story") in levels


def test_the_values_of_an_edition_say_what_is_frozen_with_it() -> None:
    view = EditionView(sample_edition(), "de")
    values = email_values(sample_edition(), view, LINKS, subject="", preheader="", web=None)
    assert (values["style"], values["number"], values["minutes"]) == ("newspaper", 128, 2)
    assert values["next"] == "Montag um 17:30"
    assert values["signed"] == "Mara Quill, editor"
    introduction, sponsor = values["introduction"], values["sponsor"]
    assert isinstance(introduction, MarkedText)
    assert '<a class="link" href="https://ferry.example.org/times">timetable</a>' in introduction.html
    assert isinstance(sponsor, SponsorValues)
    assert (sponsor.name, sponsor.link) == ("The Oilskin Works", "Try one on")
    section = choice_values(sample_edition(), view, subject="", preheader="")["sections"][0]
    assert section.colour
    assert (values["topic_colours"], section.colour.name) == ((section.colour,), "t1")
    assert section.stories[0].note
    assert section.stories[0].note.text.startswith("The survey is open to all")


def test_the_reason_for_an_email_says_how_often_it_comes() -> None:
    weekly = replace(short_edition(), every=Every.WEEK)
    assert "You receive this every week because you subscribed" in mail_of(weekly).text
    assert "You receive this email because you subscribed" in mail_of(short_edition()).text
    german = render_email(TEMPLATES, weekly, LINKS, web_url=None, language="de").text
    assert "Sie bekommen diese E-Mail jede Woche" in german.replace("\n", " ")


def test_the_form_to_subscribe_is_in_the_language_of_the_email() -> None:
    links = replace(LINKS, subscribe="https://press.example.org/signup/evening")
    edition = sample_edition()
    for language, url in (("", links.subscribe), ("de", f"{links.subscribe}?language=de")):
        view = EditionView(edition, language)
        values = email_values(edition, view, links, subject="", preheader="", web=None)
        assert values["subscribe_url"] == url


def test_an_edition_of_an_earlier_version_has_none_of_it() -> None:
    view = EditionView(short_edition())
    values = email_values(short_edition(), view, LINKS, subject="", preheader="", web=None)
    new = ("number", "next", "introduction", "signed", "sponsor", "topic_colours")
    assert [values[name] for name in new] == [0, "", None, "", None, ()]
    assert values["minutes"] == 1


def test_the_language_and_direction_stand_on_the_page_and_on_the_article() -> None:
    page = Page(mail_of(replace(sample_edition(), language="ar")).html)
    (article,) = (attributes for _, attributes in page.elements if attributes.get("role") == "article")
    for attributes in (page.all("html")[0], article):
        assert (attributes["lang"], attributes["dir"]) == ("ar", "rtl")
    assert article["aria-roledescription"]
    assert "The Evening Tide" in (article["aria-label"] or "")


def test_a_mail_read_from_the_right_starts_at_the_right() -> None:
    html = mail_of(replace(sample_edition(), language="ar")).html
    # The link beside the date, and the number of stories beside each of three topics, stand at the end.
    assert html.count("text-align:right") > html.count("text-align:left") == 4
    assert "padding:0 0 16px 24px" in html


def test_the_publication_that_had_a_story_first_is_named_in_every_form_and_language() -> None:
    via = Via(name="Bay Wire", url="https://wire.example.org/a")
    edition = only(via=via)
    page = render_web(TEMPLATES, edition, language="es")
    for html in (mail_of(edition).html, page):
        assert Page(html).links.count(via.url or "") == 1
    assert "vía <" in page
    assert f"via Bay Wire:\n{via.url}\n" in mail_of(edition).text
    assert "via Bay Wire\n" in mail_of(only(via=replace(via, url=None))).text
    assert "via" not in Page(mail_of(only()).html).text


def test_the_headlines_of_other_feeds_stand_in_one_line_and_one_headline_stands_once() -> None:
    link = "https://coast.example.org/{}"
    edition = only(
        coverage=(
            Coverage(post_id="a", title="Ferry <b>is back", source="Coast Weekly", url=link.format("a")),
            Coverage(post_id="b", title="Nine hours at sea", source="Island Radio", url=link.format("b")),
            Coverage(post_id="c", title="Nine hours at sea", source="Isles Today", url=link.format("c")),
            Coverage(post_id="d", title="The second report of one feed", source="Island Radio"),
        )
    )
    line = "Ferry <b>is back — Coast Weekly; Nine hours at sea — Island Radio, Isles Today"
    for html, also in (
        (mail_of(edition).html, "Also:"),
        (render_web(TEMPLATES, edition, language="de"), "Auch:"),
        (render_web(TEMPLATES, edition, language="es"), "También:"),
    ):
        assert "".join(f"{also} {line}".split()) in "".join(Page(html).text.split())
        assert "".join(each[-1] for each in Page(html).links if "coast." in each) == "abc"
    text = mail_of(edition).text
    assert f"Also: Nine hours at sea — Island Radio\n{link.format('b')}\n" in text
    assert f"Also in Isles Today:\n{link.format('c')}\n" in text


def test_a_headline_reads_in_the_direction_of_its_edition_whatever_it_begins_with() -> None:
    edition = replace(only(title="iPhone 15 وتطبيق المرفأ", blurb="Only English here."), language="ar")
    for html in (mail_of(edition).html, render_web(TEMPLATES, edition)):
        (headline,) = Page(html).all("h3") or Page(html).all("h2")
        assert headline.get("dir") == "rtl"
        assert re.search(r'<p [^>]*dir="ltr"[^>]*>Only English here\.', html)


def test_every_layout_table_says_so_and_has_a_width() -> None:
    for table in Page(mail_of(sample_edition()).html).all("table"):
        assert table["role"] == "presentation"
        assert table["width"]


def test_every_image_has_its_address_size_and_words() -> None:
    images = Page(mail_of(sample_edition()).html).all("img")
    assert len(images) == 4
    for image in images:
        assert (image["src"] or "").startswith("https://images.example.org/")
        assert int(image["width"] or 0) <= 576
        assert int(image["height"] or 0) > 0
        assert "alt" in image
    wide = [image for image in images if image["class"] == "wide"]
    assert len(wide) == 3
    assert all(image["alt"] for image in wide)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((1200, 675), (576, 324)),
        ((300, 200), (300, 200)),
        ((800, 2400), (144, 432)),
        ((None, None), (576, 384)),
        ((0, 10), (576, 384)),
        ((460, None), (460, 307)),
        ((20000, 1), (576, 1)),
    ],
)
def test_the_lead_image_keeps_its_shape_and_is_never_blown_up(
    size: tuple[int | None, int | None], shown: tuple[int, int]
) -> None:
    edition = sample_edition()
    assert edition.lead is not None
    image = Image(url="https://images.example.org/a.jpg", width=size[0], height=size[1])
    page = Page(mail_of(replace(edition, lead=replace(edition.lead, image=image))).html)
    first = page.all("img")[0]
    assert (first["width"], first["height"]) == (str(shown[0]), str(shown[1]))


def test_outlook_finds_its_own_comments_after_inlining() -> None:
    html = mail_of(sample_edition()).html
    assert html.startswith("<!DOCTYPE html>")
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") == 3
    assert '<table role="presentation" width="624"' in html


def test_media_queries_keep_their_importance_and_layout_is_inlined() -> None:
    html = mail_of(sample_edition()).html
    head, body = html.split("</head>")
    assert "@media (prefers-color-scheme: dark)" in head
    assert head.count("!important") > 30
    assert "!important" not in body
    assert "font-family:Georgia" in body


def test_the_styles_in_the_head_stay_far_below_gmail_s_limit() -> None:
    styles = re.findall(r"<style[^>]*>(.*?)</style>", mail_of(sample_edition()).html, re.DOTALL)
    assert sum(len(style) for style in styles) < 8 * 1024


def test_a_long_edition_is_not_clipped_and_passes_the_preflight() -> None:
    edition = sample_edition()
    section = edition.sections[0]
    stories = tuple(replace(story, id=f"{story.id}{turn}") for turn in range(10) for story in section.stories)
    email = mail_of(replace(edition, sections=(replace(section, stories=stories),)))
    assert encoded_size(email.html) < 80 * 1024
    assert preflight(email) == ()


def test_the_list_at_the_top_takes_from_every_topic_and_a_short_edition_has_none() -> None:
    assert "In this edition" in mail_of(sample_edition()).text
    assert "In this edition" not in mail_of(short_edition()).text
    top = mail_of(sample_edition()).text.split("In this edition")[1].split("Coast & sea\n")[0]
    assert top.count("https://") == 3
    assert "A bakery run by its customers" in top


def test_without_a_web_copy_nothing_points_to_one() -> None:
    email = render_email(TEMPLATES, sample_edition(), LINKS, web_url=None)
    assert "Read on the web" not in email.html + email.text


def test_the_text_has_short_lines_and_a_mark_before_its_footer() -> None:
    text = mail_of(sample_edition()).text
    assert all(width(line) <= COLUMNS for line in text.splitlines() if "://" not in line)
    assert text.count("\n-- \n") == 1
    footer = text.split("\n-- \n")[1]
    assert "UNSUBSCRIBE_LINK_0" in footer
    assert "12 Quay Street" in footer
    assert text.endswith("Port Ellery\n")


def test_the_headings_of_the_text_are_underlined() -> None:
    text = mail_of(sample_edition()).text
    assert text.startswith("The Evening Tide\n================\n")
    assert "\nCoast & sea\n-----------\n" in text
    assert "\nMore stories\n------------\n" in text


@pytest.mark.parametrize("scheme", ["javascript:alert(1)", "data:text/html,x", "/relative", "ftp://x.test/a"])
def test_a_bad_web_address_becomes_no_link(scheme: str) -> None:
    email = mail_of(only(url=scheme, image=Image(url=scheme)))
    assert scheme not in email.html + email.text
    assert "<img" not in email.html
    assert "A quiet day on the quay" in Page(email.html).text


@pytest.mark.parametrize(
    "title",
    [
        "<script>alert(1)</script> & tea",
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 7 }} {% raw %} {# x #}",
        "]]> <!--[if mso]> --> <![endif]-->",
        "UNSUBSCRIBE_LINK &amp; &#x3C;b&#x3E;",
    ],
)
def test_markup_in_a_title_is_only_words(title: str) -> None:
    plain, hostile = mail_of(only(title="Tea")), mail_of(only(title=title))
    page = Page(hostile.html)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in Page(plain.html).elements]
    assert page.comments == Page(plain.html).comments
    assert title in page.text
    assert title in hostile.text
    assert hostile.subject == title


def test_line_breaks_and_controls_of_a_title_reach_nothing() -> None:
    email = mail_of(only(title="Tide\r\nBcc: all@example.org\x92\x00", author="A\nB", source="C\x85D"))
    assert email.subject == "Tide Bcc: all@example.org"
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", email.subject + email.html + email.text)
    assert "A B" in email.text
    assert "C D" in email.text


def test_a_title_of_five_hundred_letters_stays_whole_and_its_subject_is_short() -> None:
    title = "Minutes " * 62 + "end."
    email = mail_of(only(title=title))
    assert title in Page(email.html).text
    assert title in " ".join(email.text.split())
    assert len(email.subject) <= 150
    assert email.subject.endswith("Minutes…")


def test_placeholders_come_out_as_they_went_in() -> None:
    email = mail_of(sample_edition())
    for link in (LINKS.unsubscribe, LINKS.preferences):
        assert email.html.count(f'href="{link}"') == 1
        assert email.text.count(f"\n{link}\n") == 1


def test_a_style_that_would_be_fetched_is_refused_by_the_inliner_too() -> None:
    with pytest.raises(TemplateError, match="@import"):
        inline("<html><head><style>@import 'https://x.test/a.css';</style></head><body></body></html>")


@settings(max_examples=60, deadline=None)
@given(edition=editions())
def test_html_and_text_tell_the_same_stories_with_the_same_links_in_the_same_order(edition: Edition) -> None:
    email = mail_of(edition)
    page = Page(email.html)
    assert links_of(email.text) == page.links
    view = [one_line(story.title) for story in edition.stories()]
    assert page.headlines == view
    squeezed = _squeezed(email.text)
    for title in view:
        assert _squeezed(title) in squeezed
    for story in edition.stories():
        url = web_url(story.url)
        assert url is None or url in page.links


def _squeezed(text: str) -> str:
    """Return a text without spaces, line breaks, and the direction marks before lines."""
    return re.sub("[\\s\u200e\u200f]", "", text)


@settings(max_examples=40, deadline=None)
@given(edition=editions())
def test_no_edition_breaks_a_rule_of_mail(edition: Edition) -> None:
    email = mail_of(edition)
    assert [finding for finding in preflight(email) if "alt" not in finding.message] == []
    assert email.html == mail_of(edition).html
    assert {tag for tag, _ in Page(email.html).elements} <= {
        *("html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td"),
        *("p", "h1", "h2", "h3", "ul", "li", "a", "img", "span", "br"),
    }
    assert all(width(line) <= COLUMNS or "://" in line for line in email.text.splitlines())


@settings(max_examples=40)
@given(token=st.from_regex(r"[A-Za-z0-9_]{1,60}", fullmatch=True))
def test_any_placeholder_of_letters_digits_and_underscores_survives(token: str) -> None:
    html = inline(f'<!DOCTYPE html><html><head></head><body><a href="{token}">x</a></body></html>')
    assert f'href="{token}"' in html


def test_a_section_with_only_headlines_is_shown() -> None:
    story: Story = next(short_edition().stories())
    edition = replace(short_edition(), sections=(Section(slug="a", title="Town", stories=(), more=(story,)),))
    email = mail_of(edition)
    assert story.title in email.text
    assert links_of(email.text) == Page(email.html).links
