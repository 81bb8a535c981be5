from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.collect.reading.entry import TAG, TAGS, TITLE, Entry, FeedSource, clean_post
from digest.collect.reading.pictures.offers import Picture
from digest.model.posts import Post, Via

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
SOURCE = FeedSource(feed_id="harbour", now=NOW, tags=("Coast",), language="en")
LINK = "https://harbour.example.org/2026/pier/?utm_source=rss"
SHOWN = "https://harbour.example.org/2026/pier/"
PIER = Entry(
    id="tag:harbour,1",
    link=LINK,
    base="https://harbour.example.org/feed",
    title="The old pier opens",
    summary="<p>The old pier opens on Monday.</p>",
    published_at=NOW,
)


def test_an_entry_becomes_a_post() -> None:
    post = cleaned(PIER)
    assert (post.title, post.blurb, post.url) == (
        "The old pier opens",
        "The old pier opens on Monday.",
        SHOWN,
    )
    assert (post.published_at, post.first_seen_at, post.tags, post.language) == (NOW, NOW, ("Coast",), "en")


def test_the_same_entry_always_has_the_same_id() -> None:
    later = clean_post(replace(PIER, title="Changed"), replace(SOURCE, now=NOW + timedelta(days=1)))
    assert later is not None
    assert later.id == cleaned(PIER).id
    assert later.fingerprint != cleaned(PIER).fingerprint


def test_the_fingerprint_covers_the_content_that_a_reader_sees() -> None:
    seen = cleaned(replace(PIER, published_at=None))
    assert seen.fingerprint == cleaned(PIER).fingerprint
    assert cleaned(replace(PIER, tags=("Pier",))).fingerprint != seen.fingerprint


def test_without_an_id_the_canonical_link_is_the_key() -> None:
    plain = cleaned(replace(PIER, id=""))
    assert plain.id == cleaned(replace(PIER, id="", link="http://www.harbour.example.org/2026/pier")).id
    assert plain.key == "https://harbour.example.org/2026/pier"


def test_without_id_and_link_title_and_date_are_the_key() -> None:
    bare = replace(PIER, id="", link="")
    assert cleaned(bare).id == cleaned(replace(bare, summary="Other words.")).id
    assert cleaned(bare).id != cleaned(replace(bare, title="Another")).id
    assert cleaned(bare).url is None


def test_an_endless_id_is_kept_short() -> None:
    assert len(cleaned(replace(PIER, id="x" * 10_000)).key) == 64


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (datetime(1989, 12, 31, tzinfo=UTC), False),
        (datetime(1990, 1, 1, tzinfo=UTC), True),
        (NOW + timedelta(hours=23), True),
        (NOW + timedelta(hours=25), False),
        (datetime(2099, 1, 1, tzinfo=UTC), False),
    ],
)
def test_only_a_believable_date_is_kept(moment: datetime, kept: bool) -> None:
    assert cleaned(replace(PIER, published_at=moment)).published_at == (moment if kept else None)


def test_an_untitled_post_is_titled_by_its_first_sentence() -> None:
    post = cleaned(replace(PIER, title=" ", summary="Fog on the quay. The ferry waits."))
    assert (post.title, post.blurb) == ("Fog on the quay.", "The ferry waits.")


def test_a_post_with_nothing_but_a_picture_is_titled_by_it() -> None:
    entry = replace(PIER, title="", summary='<img src="/fog.jpg" alt="Fog on the quay">')
    assert cleaned(entry).title == "Fog on the quay"


def test_a_post_with_nothing_but_a_link_is_titled_by_its_words() -> None:
    entry = replace(PIER, title="", summary="", link="https://harbour.example.org/2026/fog-on-the-quay.html")
    assert cleaned(entry).title == "Fog on the quay"


def test_an_entry_that_says_nothing_is_no_post() -> None:
    assert (
        clean_post(replace(PIER, title="…", summary="", link="https://harbour.example.org/?p=1"), SOURCE)
        is None
    )


def test_a_long_title_is_cut() -> None:
    assert len(cleaned(replace(PIER, title="pier " * 100)).title) <= TITLE


def test_a_summary_that_is_prose_goes_before_the_content() -> None:
    entry = replace(
        PIER, summary="Boats may land again.", content="<p>The board met on Monday. It was long.</p>"
    )
    assert cleaned(entry).blurb == "Boats may land again."


def test_a_summary_that_breaks_off_gives_way_to_the_content() -> None:
    content = "<p>The board met on Monday to speak about the pier.</p>"
    entry = replace(PIER, summary="The board met on Monday to sp [&hellip;]", content=content)
    assert cleaned(entry).blurb == "The board met on Monday to speak about the pier."


def test_scraps_before_the_first_paragraph_are_skipped() -> None:
    content = "<p>QUAY TOWN, Monday</p><p>The board met to speak about the pier.</p>"
    assert (
        cleaned(replace(PIER, summary="", content=content)).blurb == "The board met to speak about the pier."
    )


def test_tags_are_trimmed_folded_and_unique() -> None:
    entry = replace(
        PIER, tags=(" Sea-Level ", "sea level", "#Tides", "Uncategorized", "Allgemein", "", "coast")
    )
    assert cleaned(entry).tags == ("Sea-Level", "Tides", "coast")


def test_tags_of_machines_and_endless_tags_are_left_out() -> None:
    entry = replace(
        PIER, tags=("site|harbour", "https://harbour.example.org/tag/a", "x" * (TAG + 1), "Salt &amp; sand")
    )
    assert cleaned(entry).tags == ("Salt & sand", "Coast")


def test_tags_without_a_meaning_are_left_out_and_joined_words_are_parted() -> None:
    entry = replace(
        PIER,
        tags=(
            "_featured",
            "post-format-video",
            "4711",
            "9f86d081884c7d65",
            "r/harbour",
            "TVAndMovies",
            "YouTube",
        ),
    )
    assert cleaned(entry).tags == ("TV and Movies", "YouTube", "Coast")
    both = replace(PIER, tags=("ClimateChange", "structure:news/uk", "Climate-Change"))
    assert cleaned(both).tags == ("structure:news/uk", "Climate-Change", "Coast")


def test_a_time_stamp_before_a_title_is_taken_off() -> None:
    assert cleaned(replace(PIER, title="13/08/2026 21:27 - The pier opens")).title == "The pier opens"
    assert cleaned(replace(PIER, title="2026-2027: The pier opens")).title == "2026-2027: The pier opens"


def test_a_post_has_a_bounded_number_of_tags() -> None:
    assert len(cleaned(replace(PIER, tags=tuple(f"tag {number}" for number in range(99)))).tags) == TAGS


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("Ada Lind",), "Ada Lind"),
        (("Ada Lind", "Bo Moss", "Ada Lind"), "Ada Lind, Bo Moss"),
        (("ada@example.org (Ada Lind)",), "Ada Lind"),
        (("Ada Lind <ada@example.org>",), "Ada Lind"),
        (("Ada Lind (now) and Bo (earlier)",), "Ada Lind (now) and Bo (earlier)"),
        (("ada@example.org",), None),
        ((), None),
    ],
)
def test_authors_are_names_and_never_addresses(names: tuple[str, ...], shown: str | None) -> None:
    assert cleaned(replace(PIER, authors=names)).author == shown


def test_a_named_picture_goes_before_those_of_the_text() -> None:
    named = Picture(url="https://harbour.example.org/named.jpg")
    small = Picture(url="https://harbour.example.org/small.jpg")
    entry = replace(PIER, content='<img src="/text.jpg">', pictures=(named,), thumbnails=(small,))
    entries = (entry, replace(entry, pictures=()), replace(entry, pictures=(), content=""))
    chosen = [cleaned(entry).image for entry in entries]
    assert [image and image.url.rsplit("/")[-1] for image in chosen] == ["named.jpg", "text.jpg", "small.jpg"]


def test_an_excerpt_gives_way_to_the_text_that_it_was_cut_from() -> None:
    content = """<p><strong>SPREAD THE WORD</strong></p><h2>Board meets about pier</h2>
      <p>The board met on Monday to speak about the pier.</p>
      <p>Read the original story here:<br><a href="https://wire.example.test/tide">Wire News</a></p>"""
    summary = "SPREAD THE WORD Board meets about pier The board met on Monday to speak about [&hellip;]"
    post = cleaned(replace(PIER, title="Old stones", summary=summary, content=content, authors=("admin",)))
    assert (post.blurb, post.author) == ("The board met on Monday to speak about the pier.", None)
    assert post.via == Via(name="Wire News", url="https://wire.example.test/tide")


def test_a_deck_goes_before_a_body_that_begins_with_an_invitation() -> None:
    content = "<p>Thanks for reading! Subscribe for free.</p><p>On Monday the wall held.</p>"
    assert cleaned(replace(PIER, summary="What the wall taught us", content=content)).blurb == (
        "What the wall taught us"
    )


def test_a_post_that_names_its_own_site_has_no_source() -> None:
    line = '<p>The post <a href="/pier">Pier</a> appeared first on <a href="https://harbour.example.org">H</a>.</p>'
    assert cleaned(replace(PIER, content=f"<p>The board met.</p>{line}")).via is None
    assert cleaned(replace(PIER, origin=("Wire News", ""))).via == Via(name="Wire News")
    by_host = replace(
        PIER, content="<p>The board met.</p><p>This article originally appeared on Example.</p>"
    )
    assert cleaned(by_host).via is None
    titled = replace(SOURCE, title="The Tide is a magazine for people at the coast")
    post = clean_post(replace(PIER, origin=("The Tide", "")), titled)
    assert post is not None
    assert post.via is None
    assert cleaned(replace(PIER, title="The pier opens - Wire News", origin=("Wire News", ""))).title == (
        "The pier opens"
    )


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("The old pier opens | Harbour Post", "The old pier opens"),
        ("The old pier opens – harbour post", "The old pier opens"),
        ("The old pier opens · News from the coast", "The old pier opens"),
        ("Home | Harbour Post", "Home | Harbour Post"),
        ("The old pier opens | Wire News", "The old pier opens | Wire News"),
    ],
)
def test_the_name_of_the_site_at_the_end_of_a_title_is_taken_off(title: str, shown: str) -> None:
    source = replace(SOURCE, title="Harbour Post – News from the coast")
    post = clean_post(replace(PIER, title=title), source)
    assert post is not None
    assert post.title == shown


def test_a_name_after_a_dash_may_be_half_of_the_headline() -> None:
    post = clean_post(
        replace(PIER, title="Final score: Harbour 2 – Lakeside"), replace(SOURCE, title="Lakeside")
    )
    assert post is not None
    assert post.title == "Final score: Harbour 2 – Lakeside"


def test_the_source_is_found_where_a_link_leads_on_to_it() -> None:
    link = '<a href="https://www.coastwire.test/2026/pier">Read more at Coast Wire</a>'
    inside = cleaned(replace(PIER, summary=f"<p>The board met on Monday. {link}</p>"))
    assert (inside.via, inside.blurb) == (
        Via(name="Coast Wire", url="https://www.coastwire.test/2026/pier"),
        "The board met on Monday.",
    )
    related = f'<p>The board met on Monday.</p><div class="related-posts">{link}</div>'
    assert cleaned(replace(PIER, summary=related)).via is None


def test_the_name_of_a_columnist_stands_in_the_byline_only() -> None:
    post = cleaned(replace(PIER, title="The pier, at last | Ada Lind", authors=("Ada Lind at Quay Town",)))
    assert (post.title, post.author) == ("The pier, at last", "Ada Lind at Quay Town")


def test_a_content_warning_hides_text_and_picture() -> None:
    html = "<p><strong>Inhaltswarnung:</strong> Spinnen</p><hr><p>Eine große.</p><img src='/spider.jpg'>"
    post = cleaned(replace(PIER, title="", summary=html))
    assert (post.title, post.blurb, post.image) == ("Inhaltswarnung: Spinnen", "", None)
    assert cleaned(replace(PIER, content='<img src="/a.jpg">', for_adults=True)).image is None


def test_an_untitled_post_that_only_has_an_address_is_kept() -> None:
    text = "Look here https://example.org/tide"
    post = cleaned(replace(PIER, title="", summary=text, link="https://harbour.example.org/1"))
    assert (post.title, post.blurb) == (text, "")


def test_the_text_under_a_picture_and_the_name_of_the_source_are_no_blurb() -> None:
    caption = "<p><img src='/a.jpg'><br>The wall at dawn. Photo: Bo Moss</p><p>The wall held [1].</p>"
    assert cleaned(replace(PIER, summary=caption)).blurb == "The wall held."
    for text in ("<em>The wall at dawn.</em>", "The wall at dawn. Photos by Bo Moss and Ada Lind"):
        caption = f"<p><img src='/a.jpg'><br>{text}</p><p>The wall held, as it has for ninety years.</p>"
        assert cleaned(replace(PIER, summary=caption)).blurb == "The wall held, as it has for ninety years."
    listed = replace(PIER, title="Tide turns - Wire News", origin=("Wire News", ""))
    assert cleaned(replace(listed, summary="<a href='/a'>Tide turns</a> Wire News")).blurb == ""


def test_a_long_first_sentence_is_not_said_twice() -> None:
    text = f"The board met {'and talked ' * 12}about the pier. It was long."
    post = cleaned(replace(PIER, title="", summary=text))
    assert post.title.endswith("talked and…")
    assert post.blurb == "It was long."


def test_marks_in_titles_and_texts_become_characters() -> None:
    title = 'Smile <img class="wp-smiley" alt="😀" src="/a.png"> at 10<sup>9</sup> stars'
    text = "<p>In 1901<sup><a href='#fn1'>1</a></sup> it was <del>Monday</del> <ins>Tuesday</ins>.</p>"
    post = cleaned(replace(PIER, title=title, summary=text))
    assert (post.title, post.blurb) == ("Smile 😀 at 10⁹ stars", "In 1901 it was Tuesday.")


def test_hard_spaces_stay_where_they_belong_to_a_number_or_a_mark() -> None:
    title = "Prix\u202f: 10\xa0000\xa0€ en\xa0mai\xa0!"
    assert cleaned(replace(PIER, title=title)).title == "Prix\u202f: 10\xa0000\xa0€ en mai\xa0!"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Three things changed:", "Three things changed."),
        ("The keeper said: “It held.”", "The keeper said: “It held.”"),
        ("In short: The wall held.", "In short: The wall held."),
        ("The wall held. These are the reasons:", "The wall held."),
    ],
)
def test_a_blurb_does_not_end_with_a_colon(text: str, shown: str) -> None:
    assert cleaned(replace(PIER, summary=f"<p>{text}</p><ul><li>One</li></ul>")).blurb == shown


@pytest.mark.parametrize(("written", "kept"), [("de_DE", "de-DE"), ("pt", "pt"), ("<b>", "en"), ("", "en")])
def test_a_language_is_a_tag_or_that_of_the_feed(written: str, kept: str) -> None:
    assert cleaned(replace(PIER, language=written)).language == kept


def cleaned(entry: Entry) -> Post:
    post = clean_post(entry, SOURCE)
    assert post is not None
    return post
