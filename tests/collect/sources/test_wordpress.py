from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.reading.entry import FeedSource
from digest.collect.reading.parse import Contents, Parsed, cleaned
from digest.collect.reading.placeholders import is_protected
from digest.collect.sources.wordpress import addresses, page_url, read_posts
from digest.model.links import is_rest
from digest.model.posts import Post

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
SITE = "https://harbour.example.org"


def media(url: str, width: int, height: int) -> dict[str, Any]:
    sizes = {
        "large": {"source_url": f"{url}-1024.jpg", "width": 1024, "height": 768, "mime_type": "image/jpeg"},
        "square": {"source_url": f"{url}-1200.jpg", "width": 1200, "height": 1200, "mime_type": "image/jpeg"},
        "broken": "no size",
    }
    return {
        "source_url": f"{url}.jpg",
        "alt_text": "The old pier",
        "mime_type": "image/jpeg",
        "media_details": {"width": width, "height": height, "sizes": sizes},
    }


def term(taxonomy: str, name: str, path: str) -> dict[str, str]:
    return {"taxonomy": taxonomy, "name": name, "link": f"{SITE}/{path}/"}


def post(**changes: object) -> dict[str, object]:
    return {
        "id": 123,
        "date_gmt": "2026-11-21T18:30:00",
        "guid": {"rendered": f"{SITE}/?post_type=post&#038;p=123"},
        "link": f"{SITE}/2026/11/pier/",
        "title": {"rendered": "Pier &#038; promenade: &#8220;open&#8221; again"},
        "excerpt": {"rendered": "<p>The pier has opened after two years of work.</p>"},
        "content": {"rendered": "<p>The pier has opened after two years of work.</p>", "protected": False},
        "_embedded": {
            "author": [{"name": "Ada Quill"}],
            "wp:featuredmedia": [media(f"{SITE}/pier", 4000, 3000)],
            "wp:term": [
                [
                    term("category", "Sailing", "category/sport/sailing"),
                    term("category", "Sport", "category/sport"),
                    term("category", "Town &amp; harbour", "category/town"),
                ],
                [term("post_tag", "Pier", "tag/pier")],
                [term("post_format", "Gallery", "type/gallery")],
            ],
        },
    } | changes


def read(*posts: object) -> tuple[Post, ...]:
    contents = read_posts(json.dumps(posts).encode(), f"{SITE}/wp-json/wp/v2/posts", 500)
    assert isinstance(contents, Contents), contents
    parsed = cleaned(contents, FeedSource(feed_id="a", now=NOW))
    assert isinstance(parsed, Parsed)
    return parsed.posts


def test_a_post_is_read_with_its_categories_before_its_tags() -> None:
    (found,) = read(post())
    assert found.title == "Pier & promenade: “open” again"
    assert found.blurb == "The pier has opened after two years of work."
    assert found.tags == ("Sport", "Town & harbour", "Sailing", "Pier")
    assert (found.key, found.author) == (f"{SITE}/?post_type=post&p=123", "Ada Quill")
    assert found.published_at == datetime(2026, 11, 21, 18, 30, tzinfo=UTC)


def test_of_its_picture_the_largest_size_that_shows_all_of_it_is_used() -> None:
    (found,) = read(post())
    assert found.image is not None
    assert (found.image.url, found.image.width, found.image.alt) == (
        f"{SITE}/pier-1024.jpg",
        1024,
        "The old pier",
    )


def test_a_protected_post_is_recognised_and_a_draft_is_left_out() -> None:
    (found,) = read(post(content={"rendered": "", "protected": True}), post(status="draft"))
    assert found.title.startswith("Protected: Pier")
    assert is_protected(found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Sign in</html>",
        b"<br><b>Warning</b>: in line 3<br>[]",
        b"[" * 100_000,
        b'{"code": "rest_disabled"}',
    ],
)
def test_another_answer_is_refused_with_a_sentence(body: bytes) -> None:
    refusal = read_posts(body, SITE, 10)
    assert isinstance(refusal, str)
    assert refusal.endswith(".")


def test_terms_instead_of_posts_are_refused() -> None:
    assert isinstance(read_posts(b'[{"id": 1, "name": "News"}]', SITE, 10), str)
    assert isinstance(read_posts(b"[]", SITE, 10), Contents)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*post(), "status"]), _JSON), _JSON, _JSON)
@settings(max_examples=30, deadline=None)
def test_values_of_any_type_do_no_harm(changes: dict[str, Any], terms: Any, pictures: Any) -> None:
    embedded = {"author": pictures, "wp:term": [terms, [terms]], "wp:featuredmedia": [pictures]}
    contents = read_posts(json.dumps([post(_embedded=embedded), post(**changes)]).encode(), SITE, 10)
    assert isinstance(contents, Contents)
    assert cleaned(contents, FeedSource(feed_id="a", now=NOW))


# ── addresses ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [SITE, f"{SITE}/", f"{SITE}/feed/", f"{SITE}/wp-json/", f"{SITE}/wp-json/wp/v2/posts?per_page=5"],
)
def test_any_address_of_a_site_leads_to_all_of_them(url: str) -> None:
    rewritten, plain, *feeds = addresses(url)
    assert rewritten.startswith(f"{SITE}/wp-json/wp/v2/posts?per_page=20&_embed=author,wp:term")
    assert plain.startswith(f"{SITE}/?rest_route=/wp/v2/posts&per_page=20")
    assert feeds == [f"{SITE}/feed/", f"{SITE}/?feed=rss2"]
    assert [is_rest(address) for address in addresses(url)] == [True, True, False, False]


def test_a_site_without_rewritten_addresses_is_asked_without_them_first() -> None:
    found = addresses("https://ada:secret@harbour.example.org/blog/?rest_route=/wp/v2/posts")
    assert found[0].startswith("https://ada:secret@harbour.example.org/blog/?rest_route=/wp/v2/posts&")
    assert found[2] == "https://ada:secret@harbour.example.org/blog/?feed=rss2"


def test_below_the_root_no_address_gives_the_posts_of_the_whole_site() -> None:
    found = addresses(f"{SITE}/category/town/")
    assert [address.partition("?")[0] for address in found] == [
        f"{SITE}/category/town/wp-json/wp/v2/posts",
        f"{SITE}/category/town/feed/",
        f"{SITE}/category/town/",
    ]


@pytest.mark.parametrize(
    "url", [f"{SITE}/wp-json/wp/v2/posts?categories=7", f"{SITE}/?rest_route=/wp/v2/events"]
)
def test_special_posts_have_no_other_address(url: str) -> None:
    (found,) = addresses(url)
    assert found.startswith(url)
    assert "_fields=" in found


@pytest.mark.parametrize(
    ("url", "second"),
    [
        (f"{SITE}/feed/", f"{SITE}/feed/?paged=2"),
        (f"{SITE}/feed?a=1&paged=9", f"{SITE}/feed?a=1&paged=2"),
        (f"{SITE}/?rest_route=/wp/v2/posts", f"{SITE}/?rest_route=/wp/v2/posts&page=2"),
    ],
)
def test_later_pages_have_a_number(url: str, second: str) -> None:
    assert page_url(url, 2) == second
