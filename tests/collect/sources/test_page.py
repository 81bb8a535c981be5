from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.fetching.answers import Exchange, Fetched, FetchRequest
from digest.collect.reading.entry import FeedSource
from digest.collect.reading.parse import Contents, Document, Parsed, ParseFailure, cleaned
from digest.collect.sources.ask import Asked, Terms, ask
from digest.collect.sources.main_text import main_text
from digest.collect.sources.page import read_page
from digest.model.posts import FetchLimits, Image, Post
from digest.model.publication import Feed, SourceKind

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
URL = "https://harbour.example.org/news/"


def contents(html: str, text: str | None = "", limit: int = 50) -> Contents | str:
    document = Document(body=html.encode(), url=URL, content_type="text/html; charset=utf-8")
    return read_page(document, limit, lambda _: text)


def posts(html: str, text: str | None = "") -> tuple[Post, ...]:
    found = contents(html, text)
    assert isinstance(found, Contents), found
    parsed = cleaned(found, FeedSource(feed_id="a", now=NOW))
    assert isinstance(parsed, Parsed)
    return parsed.posts


def linked(*things: object) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(each)}</script>' for each in things)


def article(number: int, **values: object) -> dict[str, object]:
    return {
        "@type": "NewsArticle",
        "headline": f"The pier opens &amp; closes {number}",
        "url": f"/news/{number}",
        "datePublished": f"2026-11-{number:02}T08:00:00+01:00",
        **values,
    }


PIER = article(
    3,
    url="https://harbour.example.org/news",
    description="The pier has opened after two years of work.",
    author=[{"@type": "Person", "name": "Ada Quill"}, "Dana Fox"],
    articleSection="Town",
    keywords="Pier, Harbour",
    image={"@type": "ImageObject", "url": "/files/pier.jpg", "width": 1200, "height": "800"},
    inLanguage="en-GB",
)


def test_a_page_that_describes_itself_as_an_article_is_one_post() -> None:
    crumbs = {
        "@type": "BreadcrumbList",
        "itemListElement": [{"@type": "ListItem", "name": "News", "url": "/n"}],
    }
    related = '<article><h3><a href="/other">Another story</a></h3></article>' * 3
    (post,) = posts(f"<html><head>{linked({'@graph': [PIER, crumbs]})}</head><body>{related}")
    assert (post.title, post.author) == ("The pier opens & closes 3", "Ada Quill, Dana Fox")
    assert (post.url, post.blurb) == (
        "https://harbour.example.org/news",
        "The pier has opened after two years of work.",
    )
    assert (post.tags, post.language) == (("Town", "Pier", "Harbour"), "en-GB")
    assert post.published_at == datetime(2026, 11, 3, 7, tzinfo=UTC)
    assert post.image == Image(url="https://harbour.example.org/files/pier.jpg", width=1200, height=800)


@pytest.mark.parametrize(
    "data",
    [
        linked(article(1), article(2)),
        linked([article(1), article(2)]),
        linked({"@type": "Blog", "name": "News", "blogPost": [article(1), article(2)]}),
        linked(
            {
                "@type": ["WebPage", "CollectionPage"],
                "mainEntity": {
                    "@type": "ItemList",
                    "itemListElement": [{"@type": "ListItem", "item": article(n)} for n in (1, 2)],
                },
            }
        ),
        linked(
            {
                "@type": "ItemList",
                "itemListElement": [
                    {"@type": "ListItem", "name": f"The pier opens & closes {n}", "url": f"/news/{n}"}
                    for n in (1, 2)
                ],
            }
        ),
    ],
)
def test_a_page_that_lists_articles_gives_a_post_for_each(data: str) -> None:
    found = posts(f"<html><head>{data}</head><body><h1>News</h1>")
    assert [(post.title, post.url) for post in found] == [
        (f"The pier opens & closes {n}", f"https://harbour.example.org/news/{n}") for n in (1, 2)
    ]


CARDS = """<html lang="de"><head><base href="https://files.example.org/"></head><body>
<nav><a href="/">Home</a></nav>
<article><img src="/fog.jpg" width="800" height="600"><h2><a href="/fog">No more fog</a></h2>
  <time datetime="2026-11-21T09:00:00Z">yesterday</time><p>The horn is silent. It was sold.</p>
  <a rel="tag" href="/t">Sea</a></article>
<article><a href="/ferry"><h2>A new ferry</h2><p>It sails from Monday on.</p></a></article>
<article><h2>Market day</h2><p>The market opens at eight.</p><a href="/market">Read more</a></article>
<article><h2>No link</h2></article>"""


def test_without_data_the_articles_in_the_markup_are_read() -> None:
    fog, ferry, market = posts(CARDS)
    assert (fog.title, fog.url, fog.blurb) == (
        "No more fog",
        "https://files.example.org/fog",
        "The horn is silent. It was sold.",
    )
    assert (fog.published_at, fog.tags, fog.language) == (
        datetime(2026, 11, 21, 9, tzinfo=UTC),
        ("Sea",),
        "de",
    )
    assert fog.image == Image(url="https://files.example.org/fog.jpg", width=800, height=600)
    assert (ferry.title, ferry.blurb) == ("A new ferry", "It sails from Monday on.")
    assert (market.url, market.blurb) == ("https://files.example.org/market", "The market opens at eight.")


def test_the_body_of_an_article_is_its_text() -> None:
    body = "It opened at noon & was full. " * 3 + "\nMore follows."
    (post,) = posts(f"<html>{linked(article(3, articleBody=body))}<p>Menu")
    assert post.blurb == "It opened at noon & was full. It opened at noon & was full."


def test_text_after_an_article_is_not_its_own() -> None:
    markup = (
        "<html><head><meta property='og:type' content='article'><title>The market</title></head><body>"
        "<article><h1>The market</h1><p>It opened at noon.</p></article>The ferry leaves at ten."
    )
    (post,) = posts(markup)
    assert post.blurb == "It opened at noon."


def test_data_and_markup_about_one_link_are_joined() -> None:
    card = (
        '<article><h2><a href="/news/1?utm_source=x">Pier</a></h2><p>The pier has opened again.</p></article>'
    )
    first, _ = posts(f"<html>{linked(article(1), article(2))}<body>{card}")
    assert (first.title, first.blurb) == ("The pier opens & closes 1", "The pier has opened again.")


def test_a_list_with_dates_needs_no_articles() -> None:
    rows = "".join(
        f'<li><time datetime="2026-11-{n:02}">{n}.</time> <a href="/n/{n}">Notice {n}</a></li>'
        for n in (5, 4)
    )
    found = posts(f"<html><body><ul>{rows}</ul><time datetime='2026-11-05'></time></body></html>")
    assert [(post.title, post.published_at) for post in found] == [
        ("Notice 5", datetime(2026, 11, 5, tzinfo=UTC)),
        ("Notice 4", datetime(2026, 11, 4, tzinfo=UTC)),
    ]


def test_a_page_that_is_an_article_by_its_head_or_markup_is_one_post() -> None:
    head = (
        '<meta property="og:title" content="A quiet night">'
        '<meta property="og:description" content="No wind &lt; 3.">'
        '<meta property="article:published_time" content="2026-11-20T22:00Z">'
        '<meta property="article:section" content="Sea"><meta property="og:image" content="/night.png">'
    )
    (post,) = posts(f"<html><head>{head}</head><body>{CARDS}")
    assert (post.title, post.blurb, post.tags[:1]) == ("A quiet night", "No wind < 3.", ("Sea",))
    assert post.published_at == datetime(2026, 11, 20, 22, tzinfo=UTC)
    (post,) = posts(
        "<html><body><article><h1>High water</h1><p>It comes at noon. See <a href='/x'>x</a>.</p>"
    )
    assert (post.title, post.blurb, post.url) == ("High water", "It comes at noon. See x.", URL)


def test_without_any_structure_the_main_text_is_read() -> None:
    text = "The harbour office is closed on Monday. " * 6
    (post,) = posts("<html><title>Notice</title><meta name=description content='Welcome'><p>x", text)
    assert (post.title, post.blurb) == ("Notice", text[:79])


@pytest.mark.parametrize(
    ("html", "text", "words"),
    [
        ("", "", "is empty"),
        ("just words", "", "is empty"),
        ("<html><p>x", None, 'pip install "newsletter-digest[text]"'),
        ("<html><p>x", "Short.", "no article"),
    ],
)
def test_a_page_without_posts_is_refused_with_a_reason(html: str, text: str | None, words: str) -> None:
    refusal = contents(html, text)
    assert isinstance(refusal, str)
    assert words in refusal


def test_the_main_text_is_found_between_menus() -> None:
    menu = "".join(f'<li><a href="/{n}">Menu {n}</a></li>' for n in range(20))
    prose = "The harbour office is closed on Monday, because its roof is being repaired. " * 5
    html = f"<html><body><nav><ul>{menu}</ul></nav><main><h1>Notice</h1><p>{prose}</p></main></body></html>"
    found = main_text(html)
    assert found is not None
    assert "its roof is being repaired" in found
    assert "Menu 3" not in found


@pytest.mark.parametrize("html", ["", "\x00", "<", "<html>" + "<div>" * 50_000, "<svg>" * 9_000, "<!--"])
def test_a_page_without_a_main_text_has_none(html: str) -> None:
    assert main_text(html) == ""


def test_no_more_than_the_limit_is_read() -> None:
    found = contents(f"<html>{linked(*(article(n) for n in range(1, 9)))}", limit=3)
    assert isinstance(found, Contents)
    assert len(found.entries) == 3


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000,
        f"<html>{linked(json.loads('[' * 300 + ']' * 300))}",
        f'<html><script type="application/ld+json">{"[" * 100_000}</script>',
        '<html><script type="application/ld+json">{"@type": "NewsArticle", "url": "javascript:x"}</script>',
        "<article><h2><a href='file:///etc/passwd'>x</a></h2></article>" * 2,
        "<time datetime='2026-11-22'>" * 3_000,
    ],
)
def test_a_hostile_page_does_no_harm(html: str) -> None:
    found = contents(html)
    if isinstance(found, Contents):
        cleaned(found, FeedSource(feed_id="a", now=NOW))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PIER, "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*PIER, "@id", "itemListElement", "item", "@graph"]), _JSON), st.text()
)
@settings(max_examples=40, deadline=None)
def test_data_of_any_type_does_no_harm(data: dict[str, object], html: str) -> None:
    contents(f"<html>{linked({**PIER, **data}, data)}{html}")


def test_a_page_is_read_as_a_page_only_if_the_source_says_so() -> None:
    def fetch(requests: object, _: FetchLimits) -> list[Exchange]:
        return [(request, Fetched(url=URL, body=CARDS.encode()))]

    request = FetchRequest(feed_id="a", url=URL)
    terms = Terms(limits=FetchLimits(), now=NOW, fetch=lambda *given: iter(fetch(*given)))
    for source, kind in ((SourceKind.PAGE, Parsed), (SourceKind.FEED, ParseFailure)):
        feed = Feed(name="Harbour", url=URL, source=source)
        (answer,) = ask([Asked(feed=feed, request=request)], terms)
        assert isinstance(answer.parsed, kind)
