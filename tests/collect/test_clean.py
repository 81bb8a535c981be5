from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.reading.clean import feed_link, plain, read_html
from subscribers.text import one_line

BASE = "https://harbour.example.org/2026/pier/"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("The tide", "The tide"),
        ("Salt &amp; pepper", "Salt & pepper"),
        ("Salt &#38; pepper &#8217;n more", "Salt & pepper ’n more"),
        ("Salt &amp;amp; pepper", "Salt &amp; pepper"),
        ("The <em>old</em> pier<br/>opens", "The old pier opens"),
        ("<script>alert(1)</script>Pier", "Pier"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;Pier", "Pier"),
        ("Five < six & seven > two", "Five < six & seven > two"),
        ("Pier<img src=x onerror=alert(1)>", "Pier"),
        ("Pier\r\nBcc: all@example.org", "Pier Bcc: all@example.org"),
        ("", ""),
    ],
)
def test_a_title_becomes_plain_text(title: str, expected: str) -> None:
    assert plain(title) == expected


def test_a_title_of_500_characters_is_cut_at_a_word() -> None:
    title = plain("harbour " * 70, 300)
    assert len(title) <= 300
    assert title.endswith("harbour…")


def test_paragraphs_come_one_by_one_as_plain_text() -> None:
    html = "<h2>Pier</h2><p>The <b>old</b>&nbsp;pier&amp;quay</p><div>Bring a coat.<br><br>And a hat.</div>"
    assert read_html(html).paragraphs == ("The old pier&quay", "Bring a coat.", "And a hat.")


def test_plain_text_is_split_at_its_blank_lines() -> None:
    assert read_html("The pier\nis open.\n\nBring a coat.").paragraphs == (
        "The pier is open.",
        "Bring a coat.",
    )


@pytest.mark.parametrize(
    "noise",
    [
        '<div class="sharedaddy sd-sharing"><h3>Share this:</h3><ul><li><a href="#">Post</a></ul></div>',
        '<div id="jp-relatedposts" class="jp-relatedposts"><h3>Related</h3></div>',
        '<div class="addtoany_share_save_container">Share with friends</div>',
        '<div class="newsletter-signup"><p>Sign up below for daily updates from the harbour.</p></div>',
        '<div class="ad-banner"><p>Buy anchors at half price today!</p></div>',
        '<p>The post <a href="https://a.example.org/p">Pier</a> appeared first on <a href="/">H</a>.</p>',
        '<p><a href="https://harbour.example.org/p">Continue reading <span>“Pier”</span> →</a></p>',
        '<p>Read the original <a href="https://harbour.example.org/p">here</a>.</p>',
        '<p>Share this: <a href="#">Mail</a></p>',
        "<p>Sign up for our daily newsletter.</p>",
        "<p>Advertisement</p>",
        "<p>Photo: Ada Lind / Harbour News</p>",
        "<p>By Ada Lind</p>",
        "<script>alert('x')</script>",
        "<style>p { color: red }</style>",
        "<figure><img src='/a.jpg'><figcaption>The pier in May.</figcaption></figure>",
        "<iframe src='https://video.example.org'>Your browser is old.</iframe>",
        "<form><button>Send</button></form>",
        "<blockquote class='twitter-tweet'><p>What a pier!</p></blockquote>",
    ],
)
def test_noise_around_the_post_is_dropped(noise: str) -> None:
    post = "<p>The old pier opens again on Monday.</p>"
    for html in (noise + post, post + noise):
        assert read_html(html, BASE).paragraphs == ("The old pier opens again on Monday.",)


@pytest.mark.parametrize(
    "html",
    [
        '<p>The old pier opens on Monday. <a href="/p">Continue reading...</a></p>',
        "<p>The old pier opens on Monday. Read more…</p>",
        '<p>The old pier opens on Monday. <a href="/p">(more…)</a> [Read the full story »]</p>',
    ],
)
def test_an_invitation_to_read_on_is_cut_off(html: str) -> None:
    (text,) = read_html(html, BASE).paragraphs
    assert text.removesuffix(" (more…)") == "The old pier opens on Monday."


@pytest.mark.parametrize(
    "text",
    [
        "Copyright law is to change, says the harbour board.",
        "Subscribers of the pier met on Monday.",
        "Related firms were not asked, said the board.",
        "By noon the pier was full of people.",
        "The post office on the pier appeared in a film.",
    ],
)
def test_prose_that_begins_like_a_notice_stays(text: str) -> None:
    assert read_html(f"<p>{text}</p>").paragraphs == (text,)


def test_an_article_in_a_badly_named_box_stays() -> None:
    text = "The harbour board met. " * 40
    assert read_html(f'<div class="content-share"><p>{text}</p></div>').paragraphs == (text.strip(),)


def test_a_list_of_links_is_used_if_there_is_nothing_else() -> None:
    html = '<ul><li><a href="/a">The pier opens</a></li><li><a href="/b">The tide turns</a></li></ul>'
    assert read_html(html).paragraphs == ("The pier opens", "The tide turns")
    assert read_html(html + "<p>Three notes from the harbour.</p>").paragraphs == (
        "Three notes from the harbour.",
    )


def test_pictures_are_found_with_their_sizes() -> None:
    html = '<p>Text</p><img src="/pier.jpg" alt=" The\npier " width="640px" height="360" class="alignleft">'
    (picture,) = read_html(html, BASE).pictures
    assert (picture.url, picture.alt) == ("https://harbour.example.org/pier.jpg", "The pier")
    assert (picture.width, picture.height, picture.label) == (640, 360, "alignleft")


def test_a_picture_that_loads_late_is_found() -> None:
    html = '<img src="data:image/gif;base64,R0lGOD" data-src="pier.jpg">'
    assert [picture.url for picture in read_html(html, BASE).pictures] == [f"{BASE}pier.jpg"]


def test_relative_pictures_without_a_base_are_left_out() -> None:
    assert read_html('<img src="/pier.jpg">').pictures == ()


def test_a_page_names_its_feed() -> None:
    page = """<html><head><link rel="stylesheet" href="/a.css">
      <link rel='alternate' type='application/rss+xml' title='News' href='/feed?a=1&amp;b=2'></head>"""
    assert feed_link(page, BASE) == "https://harbour.example.org/feed?a=1&b=2"
    assert feed_link("<html><p>Nothing here</p>", BASE) is None


@given(st.text() | st.text(alphabet="<>/apimgscript =\"'&;!-\x00"))
def test_no_html_is_too_strange(html: str) -> None:
    body = read_html(html, BASE)
    for text in (*body.paragraphs, plain(html)):
        assert text == one_line(text)
        assert text.isprintable() or all(char.isprintable() or ord(char) > 0xFF for char in text)


@pytest.mark.parametrize(
    "html", ["<b>" * 40_000, "<div>" * 30_000 + "x", "<" * 200_000, "&" * 200_000, "<p a=" * 30_000]
)
def test_hostile_html_is_read_without_harm(html: str) -> None:
    assert isinstance(read_html(html, BASE).paragraphs, tuple)
