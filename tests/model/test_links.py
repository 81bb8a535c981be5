from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.links import LONGEST, canonical_url, host_of, shown_url, web_url, with_ascii_host


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://harbour.example.org/a", "https://harbour.example.org/a"),
        ("/a?b=1#c", "https://harbour.example.org/a?b=1#c"),
        ("//cdn.example.org/a.png", "https://cdn.example.org/a.png"),
        ("  https://harbour.example.org/a\n", "https://harbour.example.org/a"),
        ("HTTPS://Harbour.Example.org:443/A", "https://harbour.example.org/A"),
        ("http://harbour.example.org:8080/", "http://harbour.example.org:8080/"),
        ("https://editor:secret@harbour.example.org/a", "https://harbour.example.org/a"),
        ("https://bücher.example.org/größe", "https://xn--bcher-kva.example.org/gr%C3%B6%C3%9Fe"),
        ("https://ankerstraße.example/", "https://xn--ankerstrae-e4a.example/"),
        ("https://ΛΙΜΗΝ-ΟΔΟΣ.example/", "https://xn----5lbhhjhirb4b.example/"),
        ("http://Ada:secret@ⓗarbour。example。:8080/", "http://harbour.example:8080/"),
        ("//i❤.example/a", "https://xn--i-7iq.example/a"),
        (
            "https://کتاب‌ها.example/کتاب‌ها‌",
            "https://xn--mgbacg1m8wy53l.example/%DA%A9%D8%AA%D8%A7%D8%A8%E2%80%8C%D9%87%D8%A7",
        ),
        ("https://[2001:db8::1]:443/", "https://[2001:db8::1]/"),
        ('https://harbour.example.org/"><script>', "https://harbour.example.org/%22%3E%3Cscript%3E"),
        ("https://harbour.example.org/a%20b", "https://harbour.example.org/a%20b"),
    ],
)
def test_a_link_becomes_an_absolute_address(link: str, expected: str) -> None:
    assert web_url(link, "https://harbour.example.org/feed") == expected


@pytest.mark.parametrize(
    "link",
    [
        None,
        "",
        "#top",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "mailto:editor@example.org",
        "file:///etc/passwd",
        "ftp://example.org/a",
        "https://[::1",
        "https://example.org:port/",
        "https://exa mple.org/",
        "https://ha\u200drbour.example/",
        "https://1.مرفأ.example/",
        "https://[v1.fe]/",
        "https://[::1%eth0]/",
        "https://../",
        f"https://example.org/{'a' * LONGEST}",
    ],
)
def test_a_text_that_is_no_web_address_gives_none(link: str | None) -> None:
    assert web_url(link, "https://harbour.example.org/feed") is None


def test_a_relative_link_without_a_base_is_none() -> None:
    assert web_url("/a") is None
    assert web_url("https://") is None


@pytest.mark.parametrize(
    "spelling",
    [
        "http://harbour.example.org/a",
        "https://www.harbour.example.org/a/",
        "https://harbour.example.org/a?utm_source=rss&utm_medium=feed",
        "https://harbour.example.org/a?at_medium=RSS&at_campaign=TIDES",
        "https://harbour.example.org/a?CMP=rss",
        "https://harbour.example.org/a?fbclid=1&src=rss",
        "https://harbour.example.org/a#comments",
        "https://harbour.example.org/a#xtor=RSS-1",
        "https://HARBOUR.example.org:443/a",
    ],
)
def test_spellings_of_one_link_meet(spelling: str) -> None:
    assert canonical_url(spelling) == canonical_url("https://harbour.example.org/a")


@pytest.mark.parametrize(
    "other",
    [
        "https://harbour.example.org/b",
        "https://harbour.example.org/a?page=2",
        "https://harbour.example.org/a#2026-11-22",
        "https://quay.example.org/a",
        "https://harbour.example.org/a?source=council",
    ],
)
def test_different_links_stay_different(other: str) -> None:
    assert canonical_url(other) != canonical_url("https://harbour.example.org/a")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Harbour.Example.org/a?b", "https://Harbour.Example.org/a?b"),
        (
            "https://Ada:größe@ankerstraße.example:8080/größe?b#c",
            "https://Ada:größe@xn--ankerstrae-e4a.example:8080/größe?b#c",
        ),
        ("/größe", "/größe"),
        ("https://ada:größe@[2001:db8::1]/", "https://ada:größe@[2001:db8::1]/"),
        ("//ⓗarbour.example/a", "//harbour.example/a"),
    ],
)
def test_only_the_host_is_written_in_ascii(url: str, expected: str) -> None:
    assert with_ascii_host(url) == expected


@pytest.mark.parametrize("url", ["https://har‥bour.example/", "https://ü[/", "https://。/"])
def test_a_link_to_a_host_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"host|Invalid"):
        with_ascii_host(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/a?utm_source=x&b=%2F+c&fbclid=1", "https://example.org/a?b=%2F+c"),
        ("https://example.org/a?utm_source=rss#xtor=RSS-1", "https://example.org/a"),
        ("https://example.org/a?b=1&&c#top", "https://example.org/a?b=1&&c#top"),
        (
            "https://www.google.com/url?rct=j&url=https://example.org/a%3Fb%3D1&ct=ga",
            "https://example.org/a?b=1",
        ),
        ("https://www.google.co.uk/url?q=https://example.org/a", "https://example.org/a"),
        (
            "https://www.google.com/url?url=javascript:alert(1)",
            "https://www.google.com/url?url=javascript:alert(1)",
        ),
        (
            "https://example.org/url?url=https://other.example.org/",
            "https://example.org/url?url=https://other.example.org/",
        ),
    ],
)
def test_readers_get_links_without_tracking_parameters(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_only_the_host_of_an_address_is_shown() -> None:
    assert host_of("https://editor:secret@harbour.example.org/feed?key=1") == "harbour.example.org"
    assert host_of("https://[") == ""


@given(st.text(), st.sampled_from([None, "https://harbour.example.org/feed", "file:///feeds/a.xml"]))
def test_every_address_is_plain_ascii_and_stays_the_same(link: str, base: str | None) -> None:
    url = web_url(link, base)
    if url is not None:
        assert url.isascii()
        assert not set(url) & set(' "<>\r\n\t\x00')
        assert url.startswith(("https://", "http://"))
        assert web_url(url) == url


@given(st.from_regex(r"https?://(www\.)?[a-z]{1,5}\.example\.org(/[a-z%&=?#+.]{0,20})?", fullmatch=True))
def test_a_canonical_link_is_its_own_canonical_link(url: str) -> None:
    assert canonical_url(canonical_url(url)) == canonical_url(url)
