from __future__ import annotations

from datetime import UTC, datetime
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.reading.clean import read_html
from digest.collect.reading.images import candidates, image_of
from digest.collect.reading.parse import Document, Parsed, parse
from digest.collect.reading.pictures.offers import Picture
from digest.collect.reading.pictures.sizes import size_in, without_size
from digest.model.posts import Candidate, Image, Post

PAGE = "https://harbour.example.org/2026/pier/"
PIER = "https://harbour.example.org/pier.jpg"
SHOP = "https://shop.test/?aff=7"


def of_text(html: str) -> str | None:
    """Return the address of the picture that is chosen from a text; None if there is none."""
    image = image_of(candidates([read_html(html, PAGE).pictures], PAGE))
    return image.url if image else None


def reasons(html: str) -> list[str]:
    return [each.reason for each in candidates([read_html(html, PAGE).pictures], PAGE)]


def chosen(*groups: list[Picture]) -> Image | None:
    return image_of(candidates(groups, PAGE))


def _is_kept(candidate: Candidate) -> bool:
    return not candidate.reason


def posts_of(*items: str, site: str = "https://harbour.example.org/") -> tuple[Post, ...]:
    spaces = 'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    entries = "".join(f"<item>{item}</item>" for item in items)
    channel = f"<channel><title>Pier</title><link>{site}</link>{entries}</channel>"
    body = f'<rss version="2.0" {spaces}>{channel}</rss>'
    document = Document(body=body.encode(), url="https://feeds.example.org/harbour/feed.xml")
    parsed = parse(document, feed_id="f", now=datetime(2026, 11, 24, 8, tzinfo=UTC))
    assert isinstance(parsed, Parsed)
    return parsed.posts


def item(number: int, html: str = "", more: str = "") -> str:
    link = f"https://harbour.example.org/{number}/"
    return f"<title>Story {number}</title><link>{link}</link><description>{escape(html)}</description>{more}"


def test_the_first_fitting_picture_is_chosen() -> None:
    found = chosen([], [Picture(url=PIER, alt="The pier", width=640, height=360)])
    assert found == Image(url=PIER, alt="The pier", width=640, height=360)


def test_no_picture_is_no_picture() -> None:
    assert candidates([]) == ()


def test_of_several_sizes_the_widest_useful_one_is_chosen() -> None:
    sizes = [Picture(url=f"{PIER}?width={width}", width=width) for width in (140, 460, 1200, 5000)]
    found = chosen(sizes)
    assert found is not None
    assert found.width == 1200


# ── where pictures stand ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "html",
    [
        '<img src="/images/lazyload.gif" data-lazy-src="/boat.jpg">',
        '<img src="/placeholder.png" data-original="/boat.jpg"><noscript><img src="/boat.jpg"></noscript>',
        '<img src="/1x1.trans.gif" data-srcset="/boat.jpg 1200w">',
        '<img src="data:image/gif;base64,R0lGOD" data-src="/boat.jpg">',
        '<img src="/spacer.gif"><noscript><img src="/boat.jpg"></noscript>',
        '<img src="/s.jpg" width="150" height="84" srcset="/s.jpg 150w, /boat.jpg 1200w, /huge.jpg 4000w">',
        '<img srcset="/s.jpg 400w,/boat.jpg 1200w">',
        '<picture><source type="image/webp" srcset="/b.webp 1200w"><img src="/boat.jpg"></picture>',
        '<picture><source srcset="/boat.jpg 2x, /b.jpg"><img width="320" height="200"></picture>',
        '<video poster="/boat.jpg" width="640"><source src="/boat.mp4">Your program shows no videos.</video>',
        '<img src="/boat-150x150.jpg" data-large-file="/boat.jpg?w=1024">',
        '<img src="/blank.gif" data-echo="/boat.jpg" data-pin-media="/pin.jpg">',
    ],
)
def test_pictures_are_found_where_pages_keep_them(html: str) -> None:
    found = of_text(f"<p>The ferry runs again.</p>{html}")
    assert found is not None
    assert found.partition("?")[0] == "https://harbour.example.org/boat.jpg"


def test_the_text_of_videos_and_twins_is_not_read() -> None:
    html = "<p>The ferry runs again.</p><noscript>Switch scripts on.</noscript><video>Too old.</video>"
    assert read_html(html).paragraphs == ("The ferry runs again.",)


def test_the_size_of_a_version_keeps_the_shape_of_the_shown_picture() -> None:
    html = '<img src="/s.jpg" srcset="/boat.jpg 1200w" width="150" height="84">'
    (found,) = candidates([read_html(html, PAGE).pictures], PAGE)
    assert (found.width, found.height) == (1200, 672)


def test_relative_pictures_belong_to_the_page_of_their_post() -> None:
    # A post that links to another site is an exception: its pictures are at home.
    html = '<p>Text</p><img src="boat.jpg">'
    away = f"<title>Away</title><link>https://quay.test/a</link><description>{escape(html)}</description>"
    based = f'<description xml:base="https://cdn.example.org/x/">{escape(html)}</description>'
    first, second, third = posts_of(item(1, html), away, f"<title>Base</title>{based}")
    assert first.image == Image(url="https://harbour.example.org/1/boat.jpg")
    assert second.image == Image(url="https://harbour.example.org/boat.jpg")
    assert third.image == Image(url="https://cdn.example.org/x/boat.jpg")


def test_the_picture_of_an_episode_is_read() -> None:
    (post,) = posts_of(item(1, more='<itunes:image href="/e12.jpg"/>'))
    assert post.image == Image(url="https://harbour.example.org/e12.jpg")


@pytest.mark.parametrize(
    "element",
    [
        '<enclosure url="https://img.test/e12.jpg" length="1"/>',
        "<image><url>https://img.test/e12.jpg</url></image>",
        "<featuredImage>https://img.test/e12.jpg</featuredImage>",
    ],
)
def test_a_picture_that_a_feed_names_in_its_own_way_is_read(element: str) -> None:
    (post,) = posts_of(item(1, more=element))
    assert post.image == Image(url="https://img.test/e12.jpg")
    (post,) = posts_of(item(1, more="<publisherLogo>https://img.test/e12.jpg</publisherLogo>"))
    assert post.image is None


# ── facts about one picture ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "size"),
    [
        ("https://a.test/pier-1024x683.jpg", (1024, 683)),
        ("https://a.test/26/70x70/pier.jpg?1", (70, 70)),
        ("https://a.test/pier_142x100.png", (142, 100)),
        ("https://a.test/pier.jpg?w=93", (93, None)),
        ("https://i0.wp.com/a.test/pier.jpg?resize=300%2C193&ssl=1", (300, 193)),
        ("https://a.test/pier.jpg?ops=224_126", (224, 126)),
        ("https://a.test/thumbor/x=/0x0:2200x1467/1310x873/b.test/pier.jpg", (1310, 873)),
        ("https://cdn.test/image/fetch/w_1456,c_limit/https%3A%2F%2Fb.test%2Fpier.jpg", (1456, None)),
        ("https://1.bp.test/-x/y/s72-c/pier.jpg", (72, None)),
        ("https://i.ytimg.com/vi/0A1ouV7/default.jpg", (120, None)),
        ("https://upload.test/thumb/a/ab/Pier.jpg/320px-Pier.jpg", (320, None)),
        ("https://ichef.bbci.co.uk/news/240/cpsprodpb/pier.jpg", (240, None)),
        ("https://a.test/styles/1x1_card/public/pier.jpg", (None, None)),
        ("https://a.test/2026/11/pier.jpg", (None, None)),
    ],
)
def test_the_size_in_an_address_is_believed(url: str, size: tuple[int | None, int | None]) -> None:
    assert size_in(url) == size


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.test/pier.jpg", "https://a.test/pier-300x200.jpg"),
        ("https://a.test/pier.jpg?w=93&q=7", "https://www.a.test/pier.jpg?w=1200"),
        ("https://a.test/pier.jpg", "https://i2.wp.com/a.test/pier-scaled.jpg?resize=300,193"),
        ("https://a.test/_next/image?url=%2Fpier.webp&w=640&q=75", "https://a.test/pier.webp"),
        ("https://a.test/26/70x70/pier.jpg?1", "https://a.test/26/800x600/pier.jpg"),
        ("https://t.test/ab=/400x0/cdn.test/pier.jpg", "https://t.test/cd=/800x0/cdn.test/pier.jpg"),
    ],
)
def test_addresses_of_one_picture_are_recognised(one: str, other: str) -> None:
    assert without_size(one) == without_size(other)


def test_different_pictures_stay_apart() -> None:
    assert without_size("https://a.test/show.php?id=1&w=90") != without_size(
        "https://a.test/show.php?id=2&w=90"
    )


def test_a_size_that_another_element_states_counts() -> None:
    url = "https://img.example.org/26/pier.jpg"
    known = Picture(url=url, width=70, height=70)
    assert [each.reason for each in candidates([[Picture(url=url)], [known]])] == [
        "it is too small (70 × 70 pixels)"
    ]


def test_a_small_picture_that_the_text_has_in_a_useful_size_is_used_in_that_size() -> None:
    small = Picture(url="https://harbour.example.org/pier-150x150.jpg", width=150, height=150)
    large = Picture(url=PIER, width=1024, height=683, alt="The pier")
    assert chosen([small], [large]) == Image(url=PIER, alt="The pier", width=1024, height=683)


@pytest.mark.parametrize("alt", ["IMG_2231.JPG", "pier-final.png", "DSC 0042", "image"])
def test_a_file_name_is_no_description(alt: str) -> None:
    assert chosen([Picture(url=PIER, alt=alt)]) == Image(url=PIER)


# ── what is left out ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://harbour.example.org/pier.svg", "emails cannot show its format"),
        ("https://secure.gravatar.com/avatar/0123?s=512", "it shows a person's profile"),
        ("https://harbour.example.org/wp-includes/images/smilies/icon_smile.gif", "it is an emoji"),
        ("https://s.w.org/images/core/emoji/72x72/1f600.png", "it is an emoji"),
        ("https://harbour.example.org/logo.png", "it is a logo or an icon"),
        ("https://pixel.wp.com/b.gif?blog=1", "it is a tracking pixel"),
        ("https://stats.harbour.example.org/matomo.php?idsite=8&rec=1", "it is a tracking pixel"),
        ("https://harbour.example.org/piwik/piwik.php?rec=1", "it is a tracking pixel"),
        ("https://feeds.feedburner.com/~r/harbour/~4/abc", "it is a tracking pixel"),
        ("https://ad.doubleclick.net/pier.gif", "it is a tracking pixel"),
        ("https://harbour.example.org/spacer.gif", "it is a tracking pixel"),
        ("https://harbour.example.org/images/lazyload.gif", "it stands in for a picture that loads later"),
        ("https://harbour.example.org/no-image.png", "it stands in for a picture that loads later"),
        ("https://harbour.example.org/boat-150x150.jpg", "it is too small (150 × 150 pixels)"),
        ("https://share.test/images/facebook.gif", "it is a button for sharing or following"),
        ("https://share.test/icons-32/twitter_icon-32.png", "it is a button for sharing or following"),
        ("https://harbour.example.org/img/pdf-icon.png", "it is the icon of a kind of file"),
        ("https://harbour.example.org/mime-types/word.gif", "it is the icon of a kind of file"),
        ("https://img.shields.io/build/passing.png", "it is a badge or a button"),
        ("https://i.creativecommons.org/l/by/4.0/88x31.png", "it is a badge or a button"),
        ("https://harbour.example.org/ads/summer.jpg", "it is an advertisement"),
        ("https://harbour.example.org/SUMMER-BANNER-728X90-1.png", "it is an advertisement"),
    ],
)
def test_pictures_that_are_not_of_the_story_are_left_out_with_the_reason(url: str, reason: str) -> None:
    left_out, kept = sorted(
        candidates([[Picture(url=url)], [Picture(url=PIER)]], PAGE), key=lambda c: not c.reason
    )
    assert (left_out.url, left_out.reason, kept.url) == (url, reason, PIER)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (1, 1, "it is a tracking pixel"),
        (199, None, "it is too small (199 × ? pixels)"),
        (400, 80, "it is a strip of 400 × 80 pixels"),
        (300, 6000, "it is 300 × 6000 pixels, too tall for an email"),
        (728, 90, "it is an advertisement"),
        (300, 250, "it is an advertisement"),
    ],
)
def test_pictures_of_an_unsuitable_size_are_left_out(width: int, height: int | None, reason: str) -> None:
    (found,) = candidates([[Picture(url=PIER, width=width, height=height)]])
    assert found.reason == reason


@pytest.mark.parametrize(
    "html",
    [
        f'<a href="{SHOP}"><img src="/summer.jpg" width="600" height="400"></a>',
        '<a href="https://shop.test/"><img src="/summer.jpg" width="250" height="250"></a>',
        2 * '<a href="https://shop.test/"><img src="/b.jpg"></a><p>Text</p>',
        '<img class="ad" src="/b.jpg">',
        '<img alt="Advertisement" src="/b.jpg">',
    ],
)
def test_advertisements_are_left_out(html: str) -> None:
    assert of_text(html) is None
    assert set(reasons(html)) == {"it is an advertisement"}


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://www.facebook.com/sharer.php?u=x"><img src="/f.png"></a>',
        '<a href="https://harbour.example.org/x"><img src="/f.png" alt="Share on Facebook"></a>',
    ],
)
def test_buttons_for_sharing_are_left_out(html: str) -> None:
    assert reasons(html) == ["it is a button for sharing or following"]


@pytest.mark.parametrize(
    "address",
    ["https://harbour.example.org/subscribe", "https://www.patreon.com/pier", "https://quay.test/spenden/"],
)
def test_pictures_that_invite_to_subscribe_or_to_give_are_left_out(address: str) -> None:
    html = f'<a href="{address}"><img src="/now.png" width="600" height="338"></a>'
    assert reasons(html) == ["it invites to subscribe or to give"]
    assert of_text(html.replace(address, "https://harbour.example.org/2026/subscribers-meet/")) is not None


def test_a_picture_in_a_box_beside_the_post_is_left_out() -> None:
    assert reasons('<div class="related-posts"><img src="/boat.jpg"></div>') == [
        "it stands in a box beside the post"
    ]


@pytest.mark.parametrize(
    "html",
    [
        '<img src="/harbour-banner.jpg" width="1200" height="630">',
        '<a href="https://www.flickr.com/p/1"><img src="https://live.staticflickr.com/1/2_b.jpg"></a>',
        '<a href="/full.jpg"><img src="/pier.jpg"></a>',
        '<a href="https://quay.test/"><img src="/pier.jpg" width="1024" height="576"></a>',
        '<img src="/the-mayor-presents-the-new-logo.jpg">',
        '<img src="/uploads/facebook-opens-an-office-at-the-quay.jpg">',
        '<img src="/11ec-ad7d-8118/pier.jpg"><img src="/b.jpg">',
        '<img src="/styles/1x1_card/public/pier.jpg">',
        '<a href="https://harbour.example.org/2026/pier/"><img src="/pier.jpg">Read more</a>',
    ],
)
def test_pictures_that_only_look_like_noise_are_used(html: str) -> None:
    assert of_text(html) is not None


def test_a_picture_that_leads_to_another_site_is_used_only_if_there_is_no_other() -> None:
    linked = '<a href="https://quay.test/"><img src="/quay.jpg" width="1024" height="576"></a>'
    assert of_text(f'{linked}<p>Text</p><img src="/pier.jpg">') == PIER


@pytest.mark.parametrize(
    "name", ["choir-logo-web-rgb.jpg", "nightharbourlogo_web4.jpg", "quaylogo.png", "harbour-logos-2.png"]
)
def test_a_picture_whose_name_has_logo_as_a_part_is_used_only_if_there_is_no_other(name: str) -> None:
    logo = f'<img src="/{name}" width="1024" height="576">'
    assert of_text(f'{logo}<p>Text</p><img src="/pier.jpg">') == PIER


def test_a_picture_that_many_posts_have_says_nothing_about_one_of_them() -> None:
    html = '<p>Text</p><img src="/default.webp?{n}"><img src="/house-style-{n}00x400.jpg">'
    own = '<p>Text</p><img src="/house-style.jpg"><img src="/boat.jpg">'
    posts = posts_of(*(item(n, html.format(n=n)) for n in range(2, 6)), item(1, own))
    assert [post.image for post in posts] == [None] * 4 + [Image(url="https://harbour.example.org/boat.jpg")]
    assert "it is a default: many posts of the feed have it" in {each.reason for each in posts[-1].pictures}
    assert len({post.fingerprint for post in posts}) == 5


def test_webp_and_avif_are_candidates_but_emails_cannot_show_them_as_they_are() -> None:
    for url in (
        f"{PAGE}a.webp",
        f"{PAGE}a.avif?v=2",
        f"{PAGE}img?format=webp",
        f"{PAGE}_next/image?url=%2Fa.webp&w=640",
    ):
        (found,) = candidates([[Picture(url=url, width=640)]])
        assert (found.reason, found.convert) == ("", True)
        assert chosen([Picture(url=url, width=640)], [Picture(url=PIER)]) == Image(url=PIER)


@pytest.mark.parametrize(
    "host",
    ["192.168.1.1", "169.254.169.254", "127.1", "2130706433", "0x7f.0x1", "[::1]", "printer.localhost."],
)
def test_readers_are_never_led_into_an_internal_network(host: str) -> None:
    (found,) = candidates([[Picture(url=f"http://{host}/pier.jpg")]], PAGE)
    assert (found.reason, found.convert, image_of([found])) == ("", True, None)


@given(st.text(alphabet="facebokpdficonad-_.x0123456789/=?&,: ", max_size=60), st.text(max_size=40))
def test_any_address_gets_an_answer(path: str, alt: str) -> None:
    found = candidates([[Picture(url=f"https://a.test/{path}.jpg", alt=alt, link="https://b.test/x")]], PAGE)
    assert len(found) == 1
