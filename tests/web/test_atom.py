"""The feed of an archive, checked against the schema of RFC 4287 and its additional rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from digest.model.editions import Edition, EditionState, StepCause
from digest.render.sample import sample_edition
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.steps import advance
from digest.web.pages.atom import AtomEntry, AtomFeed, atom
from subscribers.model import Frequency
from tests.web.site import NOW, Site
from tests.web.test_archive import publish

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("atom.rng")))
NAMES = {"atom": "http://www.w3.org/2005/Atom"}
# The Schematron rules of the schema, as XPath expressions that find violations; and RFC 4287, 3.3 and 4.1.1.
RULES = (
    "/atom:feed[not(atom:author) and atom:entry[not(atom:author)]]",
    "//atom:entry[not(atom:link[@rel='alternate'] or atom:link[not(@rel)] or atom:content)]",
    "//atom:entry[not(atom:author or ../atom:author or atom:source/atom:author)]",
    "//atom:entry[atom:id = preceding-sibling::atom:entry/atom:id]",
    "//atom:link[@rel='alternate'][preceding-sibling::atom:link[@rel='alternate']]",
    "//*[self::atom:id or self::atom:title or self::atom:name][not(normalize-space())]",
)
RFC_3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"


def feed_of(place: Site, slug: str = "daily") -> etree._Element:
    """Return the feed of a digest, after checking it."""
    return valid_feed(place.client.get(f"/d/{slug}/feed.atom").content)


def valid_feed(body: bytes) -> etree._Element:
    root = etree.fromstring(body)
    SCHEMA.assertValid(root)
    for rule in RULES:
        assert root.xpath(rule, namespaces=NAMES) == [], rule
    for date in texts(root, "//atom:updated") + texts(root, "//atom:published"):
        assert re.fullmatch(RFC_3339, date), date
    return root


def texts(root: etree._Element, path: str) -> list[str]:
    return [str(text) for text in root.xpath(f"{path}/text()", namespaces=NAMES)]


def languages_of(root: etree._Element) -> list[str | None]:
    return [
        each.get("{http://www.w3.org/XML/1998/namespace}lang") for each in root.iter("{*}feed", "{*}entry")
    ]


def bring_out(place: Site, edition: Edition, frequency: Frequency = Frequency.EACH) -> None:
    """Store an edition as sent, without deliveries."""
    with place.app.database.write() as connection:
        insert_edition(connection, edition, frequency)
        for step in (EditionState.APPROVED, EditionState.SENDING, EditionState.SENT):
            advance(connection, edition.id, step, StepCause(at=place.clock(), by="Ana"))


def translated(language: str, number: int) -> Edition:
    sample = sample_edition()
    day = sample.local_date - timedelta(days=number)
    send_at = sample.send_at - timedelta(days=number)
    return replace(
        sample, id=f"daily-{day}", digest="daily", language=language, local_date=day, send_at=send_at
    )


def test_the_schema_accepts_valid_feeds_and_refuses_others() -> None:
    good = atom(AtomFeed(url="u", title="t", author="a", language="en", entries=[_entry("x", "y")]), NOW)
    assert SCHEMA.validate(etree.fromstring(good))
    for old, new in (
        (b"<title>t</title>", b""),
        (b'xml:lang="en"', b'xml:lang="en_GB"'),
        (b"<name>a</name>", b""),
        (b"<entry>", b'<entry kind="x">'),
        (b"00:00Z</published>", b"24:61Z</published>"),
        (b"</entry></feed>", b"</entry><id>i</id></feed>"),
    ):
        assert old in good
        assert not SCHEMA.validate(etree.fromstring(good.replace(old, new))), new


def test_an_archive_without_editions_has_a_valid_feed(quick: Site) -> None:
    assert texts(feed_of(quick), "//atom:updated") == ["2026-11-23T09:00:00Z"]


def test_entries_name_their_language_if_it_differs_from_the_feeds(quick: Site) -> None:
    for number, language in enumerate(("de", "ar", "pt_BR", "de", "no such language")):
        bring_out(quick, translated(language, number))
    feed = feed_of(quick)
    assert languages_of(feed) == ["de", None, "ar", "pt-BR", None, "en"]
    assert not [text for text in feed.itertext() if "Oilskin" in text], "a sponsor is no news"


def test_gathered_editions_are_listed_with_the_others(place: Site) -> None:
    edition = publish(place)
    week = replace(
        edition, id="daily-2026-w47", title="Daily, the week", send_at=edition.send_at - timedelta(1)
    )
    bring_out(place, week, Frequency.WEEKLY)
    links = feed_of(place).xpath("//atom:entry/atom:link/@href", namespaces=NAMES)
    assert [link.rpartition("/")[2] for link in links] == [edition.id, week.id]


def test_an_edition_that_was_sent_early_has_the_date_it_was_sent(place: Site) -> None:
    early, late = publish(place, -1), publish(place)
    assert late.send_at < place.clock() < early.send_at
    went, planned = "2026-11-23T09:00:00Z", "2026-11-22T17:30:00Z"
    root = feed_of(place)
    assert texts(root, "//atom:published") == [went, planned]
    assert texts(root, "//atom:updated") == [went, went, planned]
    assert re.findall(
        "<lastmod>(.*)</lastmod>", place.client.get("/sitemap.xml").text.replace("><", ">\n<")
    ) == [
        went,
        planned,
    ]
    for edition, date in ((early, "2026-11-23T09:00:00+00:00"), (late, "2026-11-22T17:30:00+00:00")):
        page = place.client.get(f"/d/daily/{edition.id}").text
        assert f'"article:published_time" content="{date}"' in page
    facts = place.client.get("/api/v1/editions?digest=daily").json()
    assert [each["sent_at"] for each in facts] == [went, planned]


@settings(max_examples=100, deadline=None)
@given(words=st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), max_size=4), name=st.text())
def test_no_title_makes_a_feed_invalid(words: Sequence[tuple[str, str]], name: str) -> None:
    url = "https://digest.example.org/d/daily"
    entries = [
        replace(_entry(f"x{title}", summary), url=f"{url}/{n}") for n, (title, summary) in enumerate(words)
    ]
    valid_feed(
        atom(AtomFeed(url=url, title=f"x{name}", author=f"x{name}", language="en", entries=entries), NOW)
    )


@pytest.mark.parametrize("title", ["]]>", "&amp;<b>", "\x00\x1b\x9b", "\ud83d", "🜂" * 500, "אב", "\ufffe"])
def test_unusual_titles_are_kept_as_far_as_xml_allows(title: str) -> None:
    body = atom(
        AtomFeed(url="u", title="t", author="a", language="en", entries=[_entry(f"T{title}", title)]), NOW
    )
    (view,) = texts(valid_feed(body), "//atom:entry/atom:title")
    assert view.startswith("T")


def _entry(title: str, summary: str) -> AtomEntry:
    return AtomEntry(
        url="https://digest.example.org/d/daily/1", title=title, summary=summary, language="en", at=NOW
    )
