from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.discovery.comments import is_of_comments
from digest.collect.discovery.find import REQUESTS, find_feeds
from digest.collect.discovery.found import Search
from digest.collect.discovery.page import looks_like_feed, read_page
from digest.collect.fetching.answers import Exchange, FetchRequest
from digest.collect.fetching.fetch import fetch_all
from digest.collect.fetching.guard import GuardedBackend, GuardedTransport
from digest.collect.reading.parse import Document
from digest.model.posts import FetchLimits
from digest.model.publication import SourceKind
from tests.collect.servers import Answer, Site, serving

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
LIMITS = FetchLimits(allow_hosts=frozenset(["127.0.0.1"]), timeout=10)
HOME = "https://harbour.test/news/"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def urls_on(page: str, links: str = "") -> list[str]:
    document = Document(body=page.encode(), url=HOME, content_type="text/html; charset=utf-8")
    return [each.url for each in read_page(document, links).candidates]


def feed(title: str, *names: str, below: str = "") -> bytes:
    items = "".join(
        f"<item><title>{name}</title><link>/{name}{below}</link><description>A ferry ran.</description>"
        "<category>City</category><pubDate>Sun, 22 Nov 2026 08:00:00 GMT</pubDate></item>"
        for name in names
    )
    return f'<rss version="2.0"><channel><title>{title}</title>{items}</channel></rss>'.encode()


def html(*head: str, body: str = "") -> Answer:
    page = (
        f"<!doctype html><html><head><title>Harbour</title>{''.join(head)}</head><body>{body}</body></html>"
    )
    return Answer(body=page.encode(), headers={"content-type": "text/html"})


def link(href: str, kind: str = "application/rss+xml", title: str = "") -> str:
    return f'<link rel="alternate" type="{kind}" href="{href}" title="{title}">'


def find(address: str, limits: FetchLimits = LIMITS) -> Search:
    return find_feeds(address, limits, NOW)


# ── what a page names ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("element", "url"),
    [
        ('<link rel=alternate type="application/rss+xml" href="/feed/">', "https://harbour.test/feed/"),
        ('<LINK REL="Home ALTERNATE" TYPE="Application/Atom+XML" HREF="a.atom">', f"{HOME}a.atom"),
        ('<link rel=alternate type="text/rss" href="?feed=rss2">', f"{HOME}?feed=rss2"),
        ('<link rel=alternate type="text/xml" href="//feeds.harbour.test/rss">', "https://feeds.harbour.test/rss"),
        ('<link rel=alternate href="/feed.json">', "https://harbour.test/feed.json"),
        ('<link rel=alternate type="application/feed+json" href="/j">', "https://harbour.test/j"),
        ('<link rel=alternate type="application/rss+xml; charset=utf-8" href="/q">', "https://harbour.test/q"),
        ('<link rel=feed href="/all">', "https://harbour.test/all"),
        ('<link rel=alternate type="application/rss+xml" href="feed://harbour.test/f">', "http://harbour.test/f"),
        ('<link rel=alternate type="application/rss+xml" href="feed:https://harbour.test/f">', "https://harbour.test/f"),
        ('<base href="/en/"><link rel=alternate type="application/rss+xml" href="feed">', "https://harbour.test/en/feed"),
        ('<body><p><link rel=alternate type="application/rss+xml" href="/late">', "https://harbour.test/late"),
        ('<body><a href="/sport/rss.xml">RSS</a>', "https://harbour.test/sport/rss.xml"),
        ('<body><a href="https://blog.harbour.test/atom">Blog</a>', "https://blog.harbour.test/atom"),
        ('<body><a href="https://feeds.press.test/harbour.rss">RSS</a>', "https://feeds.press.test/harbour.rss"),
    ],
)  # fmt: skip
def test_a_feed_is_found_however_a_page_names_it(element: str, url: str) -> None:
    assert urls_on(element) == [url]


@pytest.mark.parametrize(
    "element",
    [
        '<link rel="stylesheet alternate" type="text/css" href="/feed">',
        '<link rel=alternate hreflang=de href="/de/">',
        '<link rel=alternate type="application/json+oembed" href="/oembed?url=feed">',
        '<link rel=alternate type="application/json" href="/wp-json/wp/v2/pages/5">',
        '<link rel=alternate type="application/activity+json" href="/users/ada">',
        '<link rel=alternate media=handheld href="/mobile/">',
        '<link rel=alternate type="application/rss+xml" href="javascript:alert(1)">',
        '<link rel=alternate type="application/rss+xml">',
        '<body><a href="/sitemap.xml">Map</a>',
        '<body><a href="https://reader.test/subscription/feed/https://harbour.test/feed/">Subscribe</a>',
        '<body><a href="https://other.test/feed/">A friend</a>',
        '<body><a href="/feedback">Write to us</a>',
    ],
)
def test_other_links_are_no_feeds(element: str) -> None:
    assert urls_on(element) == []


def test_feeds_in_link_headers_are_found() -> None:
    first = '<https://api.harbour.test/>; rel="x", </f>; rel="alternate"; type="application/rss+xml"'
    header = f"{first}, <rss>; rel=feed"
    assert urls_on("", header) == ["https://harbour.test/f", f"{HOME}rss"]


def test_stated_feeds_come_before_links_and_each_feed_once() -> None:
    stated = f"{link('http://www.harbour.test/feed/')}{link('/atom')}"
    page = f"<body><a href='/feed'>RSS</a><a href='/b/feed'>B</a>{stated}<a href='/feed'>RSS</a>"
    assert urls_on(page) == [
        "http://www.harbour.test/feed/",
        "https://harbour.test/atom",
        "https://harbour.test/b/feed",
    ]


@given(st.binary(max_size=300), st.text(max_size=200))
def test_any_document_can_be_read(body: bytes, links: str) -> None:
    page = read_page(Document(body=b"<html><base href=x><link rel=alternate href=" + body, url=HOME), links)
    assert all(each.url.startswith("http") for each in page.candidates)


def test_a_page_that_nests_deep_is_read() -> None:
    assert urls_on(link("/feed/") + "<div>" * 100_000) == ["https://harbour.test/feed/"]


@pytest.mark.parametrize(
    ("url", "titles"),
    [
        ("https://a.test/comments/feed/", []),
        ("https://a.test/?feed=comments-rss2", []),
        ("https://a.test/feeds/comments/default", []),
        *(
            ("https://a.test/x/feed/", [title])
            for title in (
                "Harbour » Comments Feed", "Hafen » Kommentar-Feed", "Port » Flux des commentaires",
                "Puerto » Feed de los comentarios", "Porto » Feed dei commenti", "Haven » reacties feed",
                "Port » Kanał z komentarzami", "Гавань » Лента комментариев", "港 » コメントフィード",
                "海港 » 评论 Feed", "الميناء » خلاصة التعليقات", "Liman » yorum beslemesi",
                "Comments on: Tide", "Kommentare zu: Flut", "Commentaires sur : Marée",
            )
        ),
    ],
)  # fmt: skip
def test_feeds_of_comments_are_recognised(url: str, titles: Sequence[str]) -> None:
    assert is_of_comments(url, titles)


@pytest.mark.parametrize(
    ("url", "title"),
    [
        ("https://a.test/feed/", "Harbour Gazette"),
        ("https://a.test/comment/rss", "Comment"),
        ("https://a.test/meinung/rss", "Kommentare"),
        ("https://a.test/commentisfree/rss", "Comment is free"),
        ("https://a.test/feed/", "The Commentary"),
    ],
)
def test_opinions_of_a_newspaper_are_no_comments_of_readers(url: str, title: str) -> None:
    assert not is_of_comments(url, [title])


@given(st.text())
def test_no_address_is_too_odd_to_look_at(text: str) -> None:
    looks_like_feed(f"https://a.test/{text}".replace("[", "").replace("]", ""))


# ── the search ──────────────────────────────────────────────────────────────────────────────


def test_all_feeds_of_a_site_are_found_once_with_those_of_comments_last(site: Site) -> None:
    kinds = [
        link("/comments/feed/"),
        link("/feed/"),
        link("/atom", "application/atom+xml"),
        link("/notes/feed/"),
    ]
    site.put("/", html(*kinds, body='<a href="/sport/feed/">Sport</a>'))
    for path in ("/feed/", "/atom"):
        site.put(path, Answer(body=feed("Harbour Gazette - RSS", "a", "b", "c")))
    site.put("/notes/feed/", Answer(body=feed("Late words", "a", "b", below="#comment-7")))
    site.put("/sport/feed/", Answer(body=feed("Sport", "d")))
    site.put("/comments/feed/", Answer(body=feed("Comments for Harbour", "e")))
    found = find(site.url("/")).feeds
    assert [(each.title, each.url.removeprefix(site.url("")), each.comments) for each in found] == [
        ("Harbour Gazette", "/feed/", False),
        ("Sport", "/sport/feed/", False),
        ("Late words", "/notes/feed/", True),
        ("Comments for Harbour", "/comments/feed/", True),
    ]
    assert [post.title for post in found[0].posts] == ["a", "b", "c"]


def test_a_feed_that_nobody_names_is_found_where_feeds_usually_are(site: Site) -> None:
    site.put("/blog", html())
    site.put("/", html())
    site.put("/blog/index.xml", Answer(body=feed("Blog", "a")))
    site.put("/feed.json", Answer(body=feed("Harbour", "b")))
    assert [each.url for each in find(site.url("/blog")).feeds] == [site.url("/blog/index.xml")]
    assert [each.url for each in find(site.url("/")).feeds] == [site.url("/feed.json")]
    usual = {"/feed/", "/rss", "/atom.xml", "/index.xml", "/feed.xml", "/feed.json"}
    assert usual <= {path for path, _ in site.asked}


def test_a_page_that_lists_posts_is_a_source_itself_if_the_site_has_no_feed(site: Site) -> None:
    listed = "".join(
        f'<article><h2><a href="/{name}">{name} has come in</a></h2><time datetime="2026-11-2{number}">'
        "</time><p>The tide was high.</p></article>"
        for number, name in enumerate(("Ferry", "Tram", "Crane"))
    )
    site.put("/", html(body=listed))
    (page,) = find(site.url("/")).feeds
    assert (page.source, page.url, page.title) == (SourceKind.PAGE, site.url("/"), "Harbour")
    assert sorted(post.title for post in page.posts) == [
        "Crane has come in",
        "Ferry has come in",
        "Tram has come in",
    ]


def test_an_interface_of_wordpress_is_a_source(site: Site) -> None:
    post = {"id": 1, "link": "https://a.test/1", "title": {"rendered": "Tide"}, "guid": {"rendered": "1"}}
    url = site.put("/wp-json/wp/v2/posts", Answer(body=json.dumps([post]).encode()))
    (found,) = find(url).feeds
    assert ([post.title for post in found.posts], found.url) == (["Tide"], url)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Harbour Gazette - RSS Feed", "Harbour Gazette"),
        ("Harbour Gazette » Sport", "Harbour Gazette » Sport"),
        ("Port Post: all the news from the quay, the sea and the town", "Port Post"),
        ("Tide - breaking news, weather and ferries for everybody", "Tide"),
        ("This is a journal about everything that comes in with the tide", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_name_of_a_feed_is_short_enough_to_stand_above_a_story(site: Site, title: str, name: str) -> None:
    assert [each.title for each in find(site.put("/f", Answer(body=feed(title, "a")))).feeds] == [name]


def test_an_address_without_its_scheme_is_tried_with_https_first(site: Site) -> None:
    asked: list[str] = []

    def recording(requests: Iterable[FetchRequest], limits: FetchLimits) -> Iterator[Exchange]:
        listed = list(requests)
        asked.extend(each.url for each in listed)
        yield from fetch_all(listed, limits)

    site.put("/feed/", Answer(body=feed("Harbour", "a")))
    found = find_feeds(f"127.0.0.1:{site.port}/feed/", LIMITS, NOW, fetch=recording).feeds
    assert asked == [site.url("/feed/").replace("http:", "https:"), site.url("/feed/")]
    assert [each.url for each in found] == [site.url("/feed/")]


def test_a_feed_that_moved_for_good_gets_its_new_address(site: Site) -> None:
    site.redirect("/rss", "/feed/", status=301)
    site.redirect("/now", "/feed/", status=302)
    site.put("/feed/", Answer(body=feed("Harbour", "a")))
    assert find(site.url("/rss")).feeds[0].url == site.url("/feed/")
    assert find(site.url("/now")).feeds[0].url == site.url("/now")


def test_where_nothing_is_the_front_page_is_searched(site: Site) -> None:
    site.put("/", html(link("/feed/")))
    site.put("/post", html())
    site.put("/old", html('<META HTTP-EQUIV="Refresh" content="0; URL=\'/new\'">'))
    site.put("/new", html(link("/new/feed/")))
    site.put("/new/feed/", Answer(body=feed("New", "b")))
    site.put("/feed/", Answer(body=feed("Harbour", "a")))
    assert [each.url for each in find(site.url("/old")).feeds] == [site.url("/new/feed/")]
    for path in ("/gone", "/post"):
        assert [each.url for each in find(site.url(path)).feeds] == [site.url("/feed/")]
    assert find(site.url("/gone")).notes == (
        f"There is nothing at {site.url('/gone')}, so the front page was searched.",
    )


def test_the_name_and_password_go_to_the_feeds_of_the_same_site_only(site: Site) -> None:
    site.put("/", html(link("/feed/"), link(f"http://localhost:{site.port}/b/feed/")))
    site.put("/feed/", Answer(body=feed("Members", "a")))
    site.put("/b/feed/", Answer(body=feed("Guests", "b")))
    limits = FetchLimits(allow_hosts=frozenset(["127.0.0.1", "localhost"]))
    address = site.url("/").replace("//", "//ann:hush@")
    urls = {each.title: each.url for each in find(address, limits).feeds}
    assert urls["Members"] == site.url("/feed/").replace("//", "//ann:hush@")
    assert "hush" not in urls["Guests"]
    sent = {path: "authorization" in headers for path, headers in site.asked}
    assert sent == {"/": True, "/feed/": True, "/b/feed/": False}


@pytest.mark.parametrize("refresh", [False, True])
def test_the_name_and_password_do_not_follow_to_another_host(site: Site, refresh: bool) -> None:
    elsewhere = f"http://localhost:{site.port}/there"
    if refresh:
        site.put("/", html(f'<meta http-equiv="refresh" content="0; url={elsewhere}">'))
    else:
        site.redirect("/", elsewhere)
    site.put("/there", html(link("/feed/")))
    site.put("/feed/", Answer(body=feed("Guests", "b")))
    limits = FetchLimits(allow_hosts=frozenset(["127.0.0.1", "localhost"]))
    (found,) = find(site.url("/").replace("//", "//ann:hush@"), limits).feeds
    assert found.url == f"http://localhost:{site.port}/feed/"
    assert {path for path, headers in site.asked if "authorization" in headers} == {"/"}


def test_a_site_gets_few_requests_however_many_feeds_it_names(site: Site) -> None:
    site.put("/", html(*(link(f"/{number}/feed/") for number in range(100))))
    for number in range(100):
        site.put(f"/{number}/feed/", Answer(body=feed(f"Part {number}", str(number))))
    counts: list[int] = []
    found = find_feeds(site.url("/"), LIMITS, NOW, asked=counts.append).feeds
    assert len(found) == REQUESTS - 1
    assert len(site.asked) == REQUESTS
    assert counts == list(range(1, REQUESTS + 1))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (html(), "No feed was found"),
        (html(body='<form><input type="PASSWORD"></form>'), "asks for a log-in"),
        (Answer(status=401), "name and password (401); add them to the address."),
        (Answer(status=403), "refuses access (403)"),
        (Answer(status=404), "nothing at this address (404)"),
        (Answer(status=410), "removed this feed permanently (410)."),
        (Answer(status=503), "error (503); try again later."),
        (Answer(body=b" " * 1_000, endless=100), "larger than"),
        (Answer(body=b""), "No feed was found"),
        (Answer(body=b'{"tide": 4}'), "neither a web page nor a feed"),
        (Answer(body=b"\x89PNG\r\n\x1a\n"), "neither a web page nor a feed"),
        (Answer(silent=True), "no complete answer"),
    ],
)
def test_each_failure_is_one_sentence_that_says_what_to_do(site: Site, answer: Answer, reason: str) -> None:
    site.put("/", answer)
    limits = FetchLimits(allow_hosts=frozenset(["127.0.0.1"]), max_bytes=50_000, timeout=0.5)
    search = find(site.url("/"), limits)
    assert search.feeds == ()
    assert reason in search.failure
    assert "configured" not in search.failure
    assert "url" not in search.failure


def test_a_feed_that_needs_a_password_is_mentioned(site: Site) -> None:
    site.put("/", html(link("/feed/"), link("/members/feed/")))
    site.put("/feed/", Answer(body=feed("Harbour", "a")))
    site.put("/members/feed/", Answer(status=401))
    advice = "The feed requires a name and password (401); add them to the address."
    assert find(site.url("/")).notes == (f"{site.url('/members/feed/')}: {advice}",)


@pytest.mark.parametrize(
    "address",
    ["", " ", "ada@example.org", "ftp://a.test/", "javascript:alert(1)", "two words", "http://", "[::"],
)
def test_what_is_no_address_is_refused_without_a_request(address: str) -> None:
    assert "is not the address of a site" in find(address).failure


def test_internal_hosts_and_unknown_names_are_refused(site: Site) -> None:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        if host == "nobody.test":
            raise OSError
        return ["10.0.0.7"]

    def guarded(requests: Iterable[FetchRequest], limits: FetchLimits) -> Iterator[Exchange]:
        backend = GuardedBackend(limits.allow_hosts, resolve=resolve)
        return fetch_all(requests, limits, transport=lambda _: GuardedTransport(backend))

    inside = find_feeds("https://intranet.test/", LIMITS, NOW, fetch=guarded).failure
    assert "intranet.test is not a public host; to allow it, add it to allow_hosts" in inside
    unknown = find_feeds("nobody.test", LIMITS, NOW, fetch=guarded).failure
    assert unknown == "nobody.test: There is no host with this name; check the host name in the address."
