from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.reading.prose import feed_line
from digest.model.links import public_url
from digest.model.publication import Feed
from digest.sources.opml import LONGEST, read_opml, write_opml

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
_texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).map(feed_line).filter(bool)
_tags = st.one_of(_texts.map("{} sea".format), st.just("a/b, c"))
_feeds = st.builds(
    Feed,
    name=_texts,
    url=st.integers(0, 5000).map(lambda number: f"https://port.test/{number}/feed/?a=1&b=<\"'>"),
    tags=st.lists(_tags, max_size=3).map(tuple),
)


def opml(*outlines: str) -> bytes:
    return f'<?xml version="1.0"?><opml version="2.0"><body>{"".join(outlines)}</body></opml>'.encode()


def line(url: str, text: str = "Tide", more: str = "") -> str:
    return f'<outline type="rss" text="{text}" xmlUrl="{url}"{more}/>'


@settings(max_examples=30)
@given(st.lists(_feeds, max_size=8, unique_by=lambda feed: feed.url))
def test_what_is_written_is_read_again(feeds: list[Feed]) -> None:
    written = write_opml(feeds, "Port & <Sea>", NOW)
    assert ET.fromstring(written.encode()).get("version") == "2.0"
    read = {feed.url: feed for feed in read_opml(written.encode()).feeds}
    assert {url: feed.name for url, feed in read.items()} == {feed.url: feed.name for feed in feeds}
    for feed in feeds:
        assert {tag.casefold() for tag in read[feed.url].tags} <= {tag.casefold() for tag in feed.tags}
        assert bool(read[feed.url].tags) is bool(feed.tags)


def test_names_passwords_and_tokens_are_not_written() -> None:
    urls = [
        "https://ann:hu@sh@port.test/feed/?a=1&access_token=hush&author=ann#x",
        "https://port.test/rss?key=hush",
        "https://port.test/rss?ApiKey=hush&auth=hush&page=2",
    ]
    assert [public_url(url) for url in urls] == [
        "https://port.test/feed/?a=1&author=ann#x",
        "https://port.test/rss",
        "https://port.test/rss?page=2",
    ]
    assert "hush" not in write_opml([Feed(name="Tide", url=url) for url in urls], "Port", NOW)


def test_folders_become_tags_and_names_are_made_of_hosts() -> None:
    text = opml(
        '<outline text="Sea"><outline text="Harbour">',
        line("https://a.test/feed", "A &amp; &#x142;"),
        line("feed://b.test/feed", ""),
        "</outline></outline>",
        '<outline text="Uncategorized">',
        line("https://www.c.test/feed", "", ' category="/Town/Trams,Quay"'),
        "</outline>",
        line("https://a.test/feed", "Again", ' category="Quay"'),
    )
    assert read_opml(text).feeds == (
        Feed(name="A & ł", url="https://a.test/feed", tags=("Harbour", "Quay")),
        Feed(name="b.test", url="http://b.test/feed", tags=("Harbour",)),
        Feed(name="c.test", url="https://www.c.test/feed", tags=("Trams", "Quay")),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_any_encoding_is_read(encoding: str) -> None:
    outline = line("https://a.test/", "Ünsere Küste")
    text = f'<?xml version="1.0" encoding="{encoding}"?><opml version="1.1"><body>{outline}</body></opml>'
    assert [feed.name for feed in read_opml(text.encode(encoding)).feeds] == ["Ünsere Küste"]


def test_a_line_with_a_bad_address_is_left_out_and_the_others_stay() -> None:
    bad = ("javascript:alert(1)", "file:///etc/passwd", "ftp://a.test/", "/feed", "https://", "https://a b/")
    listed = read_opml(
        opml(*(line(url, f"No {number}") for number, url in enumerate(bad)), line("https://a.test/"))
    )
    assert [feed.url for feed in listed.feeds] == ["https://a.test/"]
    assert listed.faults == tuple(
        f"No {number}: its address is not a web address, so it is left out" for number in range(len(bad))
    )


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", "not an OPML file"),
        (b"https://port.test/feeds.opml", "not an OPML file"),
        (b"<rss><channel><title>Tide</title></channel></rss>", "not an OPML file"),
        (b"\x00\xff\xfe<<<", "not an OPML file"),
        (opml(), "names no feed."),
        (opml('<outline type="include" text="More" url="https://a.test/x.opml"/>'), "only 1 other list"),
        (b" " * (LONGEST + 1), "larger than"),
        (opml('<outline text="x">' * 5_000 + line("https://a.test/")), "too deep"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_gets_one_sentence(body: bytes, failure: str) -> None:
    listed = read_opml(body)
    assert failure in listed.failure
    assert listed.feeds == ()


def test_entities_of_the_file_are_not_expanded() -> None:
    entities = '<!ENTITY a "lolololol">' + "".join(f'<!ENTITY a{n} "{"&a;" * 9}">' for n in range(9))
    outside = '<!ENTITY file SYSTEM "file:///etc/hostname">'
    outline = line("https://a.test/", "&a8;&file;")
    text = f"<!DOCTYPE opml [{entities}{outside}]><opml><body>{outline}</body></opml>"
    assert [feed.name for feed in read_opml(text.encode()).feeds] == ["&a8;&file;"]


@given(st.binary(max_size=200))
def test_no_file_is_too_odd_to_read(body: bytes) -> None:
    read_opml(b"<opml><body></outline><outline text=a><outline xmlUrl=" + body)
