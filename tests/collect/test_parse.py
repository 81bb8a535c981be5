from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.collect.reading.entry import TAG, TAGS, TITLE
from digest.collect.reading.parse import Document, Parsed, ParseFailure, parse, shortened
from digest.collect.reading.prose import BLURB
from digest.model.links import web_url
from digest.model.posts import Image, Post

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
FEEDS = Path(__file__).parent / "feeds"
URL = "https://harbour.example.org/feed/"


def test_a_wordpress_feed_is_read() -> None:
    parsed = read("harbour.rss")
    assert parsed.title == "Harbour News – from the water’s edge"
    assert parsed.language == "en-GB"
    assert [post.title for post in parsed.posts] == [
        "The old pier opens again & the ferry is back",
        "Tide tables: what changes in 2027",
        "Fog on the quay this morning.",
    ]
    assert parsed.skipped == ("entry 4 has no title, no text, and no link with words in it",)


def test_a_wordpress_post_is_clean() -> None:
    post = read("harbour.rss").posts[0]
    expected = (
        "After nine months of work the old pier opens on Monday. The first ferry leaves at 7 a.m. sharp."
    )
    assert post.blurb == expected
    assert post.author == "Ada Lind"
    assert post.tags == ("Harbour", "Ferries")
    assert post.key == "https://harbour.example.org/?p=4711"
    assert post.published_at == datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    assert post.image == Image(
        url="https://harbour.example.org/files/2026/11/pier-1024x683.jpg",
        alt="The old pier at dawn",
        width=1024,
        height=683,
    )


def test_a_post_with_an_impossible_date_is_read_without_it() -> None:
    post = read("harbour.rss").posts[1]
    assert post.published_at is None
    assert post.url == "https://harbour.example.org/2026/11/tide-tables/"
    assert post.author == "The desk"
    assert post.image == Image(url="https://harbour.example.org/files/tides-big.png", width=640, height=360)


def test_an_untitled_post_with_an_enclosed_picture_is_read() -> None:
    post = read("harbour.rss").posts[2]
    assert (post.blurb, post.published_at) == ("The ferry waits.", datetime(2026, 11, 20, 23, tzinfo=UTC))
    assert post.image == Image(url="https://harbour.example.org/files/fog.jpg")


def test_an_atom_feed_is_read() -> None:
    (post,) = read("quay.atom").posts
    assert (post.title, post.blurb) == ("Möwen & Meer", "Am 5. April kam die erste Möwe. Sie blieb.")
    assert post.url == "https://quay.example.org/blog/moewen"
    assert post.image == Image(url="https://quay.example.org/blog/moewe.jpg", alt="Eine Möwe")
    assert (post.author, post.tags, post.language) == ("Bo Moss, Ada Lind", ("Vögel",), "de")
    assert post.published_at == datetime(2026, 11, 21, 7, tzinfo=UTC)


def test_an_rdf_feed_is_read() -> None:
    (post,) = read("tides.rdf").posts
    assert (post.title, post.blurb, post.tags) == ("High water", "High water comes at noon.", ("Tides",))


def test_a_json_feed_is_read_whatever_its_content_type() -> None:
    lamp, night = read("notes.json", url="https://lighthouse.example.org/feed").posts
    assert (lamp.key, lamp.url, lamp.tags) == (
        "17",
        "https://lighthouse.example.org/notes/17",
        ("Lamps", "Lighthouse"),
    )
    assert (lamp.author, lamp.language) == ("Cleo Ray", "en-US")
    assert lamp.published_at == datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert lamp.image == Image(url="https://lighthouse.example.org/files/lamp.jpg")
    assert (night.title, night.blurb, night.author) == ("Wind < 3 & no fog.", "A quiet night.", "Dana Fox")
    assert night.image == Image(url="https://lighthouse.example.org/files/night.png", width=800, height=600)


def test_everything_in_a_json_feed_that_matters_for_a_post_is_used() -> None:
    item: dict[str, object] = {
        "id": "https://lighthouse.example.org/notes/19",
        "external_url": "",
        "title": "Two lamps",
        "summary": "Both lamps < 2 years old & bright.",
        "content_html": "<p>Long story.</p>",
        "content_text": "Long story.",
        "banner_image": "https://lighthouse.example.org/files/banner.jpg",
        "date_modified": "2026-11-21T08:00:00.5Z",
        "authors": [{"name": "Cleo Ray"}, {"url": "https://dana.example.org"}, {"name": "Dana Fox"}],
        "language": "de",
        "attachments": [{"url": "https://lighthouse.example.org/talk.mp3", "mime_type": "audio/mpeg"}],
    }
    (post,) = json_feed(item).posts
    assert (post.url, post.language) == (item["id"], "de")
    assert (post.blurb, post.author) == ("Both lamps < 2 years old & bright.", "Cleo Ray, Dana Fox")
    assert post.published_at == datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    assert post.image == Image(url="https://lighthouse.example.org/files/banner.jpg")


@pytest.mark.parametrize(
    ("stated", "found"),
    [("/feed?page=2", "https://harbour.example.org/feed?page=2"), (URL, ""), ("file:///etc/passwd", "")],
)
def test_a_json_feed_says_where_its_older_posts_are(stated: str, found: str) -> None:
    assert json_feed({"id": "1", "title": "Fog"}, next_url=stated).next_url == found


def test_a_json_feed_that_has_ended_reports_this_and_keeps_its_posts() -> None:
    parsed = json_feed({"id": "1", "title": "Fog"}, expired=True)
    assert (len(parsed.posts), parsed.complete) == (1, False)
    assert parsed.error.startswith("The publisher has ended this feed")


def json_feed(*items: dict[str, object], **members: object) -> Parsed:
    whole = {"version": "https://jsonfeed.org/version/1.1", "items": items, **members}
    parsed = parse(Document(body=json.dumps(whole).encode(), url=URL), feed_id="a", now=NOW)
    assert isinstance(parsed, Parsed)
    return parsed


def test_links_of_a_feed_read_from_a_file_are_those_of_its_site() -> None:
    post = read("harbour.rss", url="file:///feeds/harbour.rss").posts[1]
    assert post.url == "https://harbour.example.org/2026/11/tide-tables/"


def test_a_feed_gives_its_own_tags_to_every_post() -> None:
    document = Document(body=(FEEDS / "tides.rdf").read_bytes(), url=URL)
    parsed = parse(document, feed_id="tides", now=NOW, tags=("Sea", "tides"))
    assert isinstance(parsed, Parsed)
    assert parsed.posts[0].tags == ("Tides", "Sea")


def test_no_more_than_the_limit_is_read() -> None:
    for name in ("harbour.rss", "notes.json"):
        parsed = parse(Document(body=(FEEDS / name).read_bytes(), url=URL), feed_id="a", now=NOW, max_posts=1)
        assert isinstance(parsed, Parsed)
        assert len(parsed.posts) == 1


@pytest.mark.parametrize("name", ["harbour.rss", "quay.atom", "tides.rdf"])
def test_a_feed_cut_off_at_the_limit_stays_well_formed(name: str) -> None:
    body = (FEEDS / name).read_bytes()
    short = shortened(body, 1)
    assert short is not None
    ElementTree.fromstring(short)
    assert shortened(body, 100) == body


def test_markup_inside_an_entry_is_not_counted() -> None:
    text = "<![CDATA[</item><p><br>]]><!-- </item> -->"
    item = "<item><title>Tide {}</title><description>" + text + "</description></item>"
    body = rss("".join(item.format(number) for number in range(3))).encode()
    parsed = parse(Document(body=body, url=URL), feed_id="a", now=NOW, max_posts=2)
    assert isinstance(parsed, Parsed)
    assert [post.title for post in parsed.posts] == ["Tide 0", "Tide 1"]


def test_a_web_page_is_no_feed_and_names_its_feed() -> None:
    failure = parse(
        Document(body=(FEEDS / "page.html").read_bytes(), url="https://harbour.example.org/"),
        feed_id="a",
        now=NOW,
    )
    assert failure == ParseFailure(
        "This is a web page, not a feed; its feed seems to be https://harbour.example.org/feed/."
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<html><body>Hello", "web page, not a feed; look for its feed address"),
        (b"<?xml version='1.0'?>\n<!-- hi -->\n<!DOCTYPE html><html>", "web page"),
        (b"Not found", "XML is broken"),
        (b"<rss version='2.0'><channel><title>x</chan", "XML is broken"),
        (b"<rss version='2.0'><channel><item><item/></item></channel></rss>", "No entry has a title"),
        (b"<opml version='2.0'><body/></opml>", "neither RSS nor Atom nor JSON Feed"),
        (b'{"items": [', "begins like JSON but is broken"),
        (b'{"name": "harbour"}', "JSON but not a JSON Feed"),
        (b"[" * 100_000, "begins like JSON but is broken"),
        (b"<rss version='2.0'>" + b"<a>" * 5_000, "nests more than"),
    ],
)
def test_a_document_that_is_no_feed_gives_the_reason(body: bytes, words: str) -> None:
    failure = parse(Document(body=body, url=URL), feed_id="a", now=NOW)
    assert isinstance(failure, ParseFailure)
    assert words in failure.detail


def test_a_well_formed_feed_without_entries_is_a_feed() -> None:
    assert titles("") == []


def test_entries_before_the_break_are_read() -> None:
    body = b"<rss version='2.0'><channel><item><title>Tide</title></item><item><title>Fog & <b"
    parsed = parse(Document(body=body, url=URL), feed_id="a", now=NOW)
    assert isinstance(parsed, Parsed)
    assert parsed.posts[0].title == "Tide"


def test_entities_that_multiply_are_not_expanded() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    item = rss("<item><title>&l9;</title></item>")
    body = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{levels}]>{item}'
    outcome = parse(Document(body=body.encode(), url=URL), feed_id="a", now=NOW)
    assert isinstance(outcome, ParseFailure) or all(len(post.title) <= TITLE for post in outcome.posts)


def test_a_reference_to_no_character_does_not_cost_the_feed() -> None:
    assert len(titles("<item><title>Tide &#xD800;</title></item></b><item><title>Fog</title></item>")) == 2


def test_a_wrong_charset_does_not_stop_a_feed() -> None:
    body = rss("<item><title>Größe</title><guid>1</guid></item>").encode("latin-1")
    parsed = parse(
        Document(body=body, url=URL, content_type="application/xml; charset=utf-8"), feed_id="a", now=NOW
    )
    assert isinstance(parsed, Parsed)
    assert len(parsed.posts) == 1


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("&lt;script&gt;alert(1)&lt;/script&gt;Tide", "Tide"),
        ("<![CDATA[<script>alert(1)</script>Tide]]>", "Tide"),
        ("Tide&#13;&#10;Bcc: all@example.org", "Tide Bcc: all@example.org"),
        ("Tide 🌊👩‍👩‍👧", "Tide 🌊👩‍👩‍👧"),
        ("المد والجزر \u202egnp", "المد والجزر gnp"),
        ("<![CDATA[Salt &amp; sand]]>", "Salt & sand"),
    ],
)
def test_hostile_and_foreign_titles_come_out_clean(written: str, shown: str) -> None:
    assert titles(f"<item><title>{written}</title></item>") == [shown]


@pytest.mark.parametrize(
    "date",
    [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 2099 00:00:00 GMT",
        "0000-00-00",
        "soon",
        "9999-99-99T99:99:99Z",
        "",
    ],
)
def test_an_impossible_date_is_ignored(date: str) -> None:
    (post,) = posts(f"<item><title>Tide</title><pubDate>{date}</pubDate></item>")
    assert post.published_at is None


def test_duplicate_ids_with_different_links_are_different_posts() -> None:
    items = "".join(
        f"<item><guid isPermaLink='false'>1</guid><title>Tide {n}</title><link>https://a.example.org/{n}</link></item>"
        for n in (1, 2, 2)
    )
    assert [post.title for post in posts(items)] == ["Tide 1", "Tide 2"]


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://", "//[::1"]
)
def test_a_bad_link_is_left_out(link: str) -> None:
    (post,) = posts(f"<item><title>Tide</title><link>{link}</link></item>")
    assert post.url is None or post.url.startswith("https://harbour.example.org/")


def test_credentials_are_removed_from_links() -> None:
    (post,) = posts("<item><title>Tide</title><link>https://bank.test@evil.example.org/</link></item>")
    assert post.url == "https://evil.example.org/"


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "url", "title", "name", "mime_type", "tags", "image"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
MEMBERS = ["id", "url", "title", "summary", "content_html", "content_text", "tags", "authors", "author"]
ITEMS = st.dictionaries(
    st.sampled_from([*MEMBERS, "attachments", "image", "date_published", "language"]), WRONG
)


@given(
    st.fixed_dictionaries(
        {"version": WRONG, "items": st.lists(ITEMS | WRONG, max_size=4)}, optional={"title": WRONG}
    )
)
def test_a_json_feed_may_have_wrong_types_everywhere(document: dict[str, object]) -> None:
    holds_what_is_promised(json.dumps(document).encode())


PIECES = [
    *(
        b"<rss version='2.0'><channel>",
        b"<feed xmlns='http://www.w3.org/2005/Atom'>",
        b"<rdf:RDF>",
        b"</channel></rss>",
    ),
    *(
        b"<item>",
        b"</item>",
        b"<entry>",
        b"</entry>",
        b"<title>",
        b"</title>",
        b"<title type='html'>",
        b"<![CDATA[",
        b"]]>",
    ),
    *(
        b"<link>https://a.example.org/1</link>",
        b"<link href='x'/>",
        b"<guid>",
        b"</guid>",
        b"<pubDate>",
        b"</pubDate>",
    ),
    *(
        b"<description>",
        b"</description>",
        b"<content type='xhtml'><div>",
        b"&lt;img src=x&gt;",
        b"&#0;",
        b"&#xD800;",
    ),
    *(
        b"<media:content url='a.jpg' width='x'/>",
        b"<category term='a' scheme='b'/>",
        b"<author>",
        b"\xff\xfe",
        b"&amp;",
    ),
    *(
        b"0000-00-00",
        b"2026-11-21T00:00:00Z",
        b"Sat, 21 Nov 2026",
        b"\r\nBcc: x",
        b"<!--",
        b"-->",
        b"<?xml version='1.0'",
    ),
]


@settings(max_examples=200)
@given(st.binary() | st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=30).map(b"".join))
@example(b"<?xml version='1.0' encoding='utf-7'?><rss version='2.0'><channel><item><title>+ADw-b")
@example(b"<>&#xD800;")
@example(b"\x00\x00\xfe\xff<rss>")
@example(b'{"version": "https://jsonfeed.org/version/1", "items": [{"id": "\\ud800", "title": "\\u0000x"}]}')
def test_no_document_is_too_strange(body: bytes) -> None:
    holds_what_is_promised(body)


def holds_what_is_promised(body: bytes) -> None:
    outcome = parse(Document(body=body, url=URL), feed_id="a", now=NOW)
    if isinstance(outcome, ParseFailure):
        assert outcome.detail.endswith(".")
        return
    assert (
        len({post.id for post in outcome.posts})
        == len({post.key for post in outcome.posts})
        == len(outcome.posts)
    )
    for post in outcome.posts:
        is_clean(post)


def is_clean(post: Post) -> None:
    lines = [post.title, post.blurb, post.author or "", post.image.alt if post.image else "", *post.tags]
    for line in lines:
        assert line == " ".join(line.split())
        line.encode()
        assert not any(
            char < " " or "\x7f" <= char <= "\x9f" or char in "\u202a\u202e\u2066" for char in line
        )
    assert 0 < len(post.title) <= TITLE
    assert len(post.blurb) <= BLURB
    assert len(post.tags) <= TAGS
    assert all(0 < len(tag) <= TAG for tag in post.tags)
    for url in (post.url, post.image.url if post.image else None):
        assert url is None or web_url(url) == url
    assert post.published_at is None or 1990 <= post.published_at.year <= 2026
    assert post.first_seen_at == NOW


def read(name: str, url: str = URL) -> Parsed:
    parsed = parse(Document(body=(FEEDS / name).read_bytes(), url=url), feed_id="harbour", now=NOW)
    assert isinstance(parsed, Parsed)
    return parsed


def rss(items: str) -> str:
    return f"<rss version='2.0'><channel><title>Harbour</title>{items}</channel></rss>"


def posts(items: str) -> tuple[Post, ...]:
    parsed = parse(Document(body=rss(items).encode(), url=URL), feed_id="harbour", now=NOW)
    assert isinstance(parsed, Parsed)
    return parsed.posts


def titles(items: str) -> list[str]:
    return [post.title for post in posts(items)]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<author>ines@quay.media (Ines Marlowe)</author>", "Ines Marlowe"),
        ("<author>Ines Marlowe &lt;ines@quay.museum&gt;</author>", "Ines Marlowe"),
        ("<author>ines@news.quay.photography</author>", None),
        ("<author>ines@quay.example.org (Ines)</author>", "Ines"),
        (
            "<dc:creator>ines@quay.media (Ines Marlowe)</dc:creator><dc:creator>Tomas Reyes</dc:creator>",
            "Ines Marlowe, Tomas Reyes",
        ),
        (
            "<dc:creator>Ines &lt;ines@quay.media&gt;</dc:creator><dc:creator>Tomas</dc:creator>",
            "Ines, Tomas",
        ),
    ],
)
def test_a_byline_has_the_name_beside_an_address_with_any_ending(written: str, shown: str | None) -> None:
    body = rss(f"<item><title>Tide</title><guid>1</guid>{written}</item>").encode()
    parsed = parse(Document(body=body, url=URL), feed_id="a", now=NOW)
    assert isinstance(parsed, Parsed)
    assert parsed.posts[0].author == shown


def test_a_date_is_read_in_the_language_of_the_feed() -> None:
    item = "<item><title>Tide</title><guid>1</guid><pubDate>03/05/2026 09:05</pubDate></item>"
    parsed = parse(
        Document(body=rss(f"<language>en-US</language>{item}").encode(), url=URL), feed_id="a", now=NOW
    )
    assert isinstance(parsed, Parsed)
    assert parsed.posts[0].published_at == datetime(2026, 3, 5, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>",
            "protection against robots",
        ),
        ("<html><h1>Error establishing a database connection</h1></html>", "cannot use its database"),
        ("<div>WordPress database error: [Table is crashed]</div><?xml version='1.0'?><rss>", "its database"),
        ("<br />\n<b>Fatal error</b>: Allowed memory exhausted in /x.php", "has failed"),
        (
            "<rss version='2.0'><channel><title>Error</title><item><title>Error 502: away</title></item>",
            "The feed reports an error: Error 502: away.",
        ),
    ],
)
def test_an_error_that_is_sent_as_a_document_is_a_failure(body: str, words: str) -> None:
    found = parse(Document(body=body.encode(), url="https://tide.example.org/"), feed_id="a", now=NOW)
    assert isinstance(found, ParseFailure)
    assert words in found.detail


def test_a_feed_about_errors_is_a_feed() -> None:
    items = "".join(f"<item><title>Error {n} in the archive</title></item>" for n in range(2))
    for title, entries in (("Error watch", items), ("Museum", items[: len(items) // 2])):
        body = f"<rss version='2.0'><channel><title>{title}</title>{entries}</channel></rss>".encode()
        found = parse(Document(body=body, url="https://tide.example.org/"), feed_id="a", now=NOW)
        assert isinstance(found, Parsed)
