"""WebSub: what documents name, whose requests are believed, and when a hub is asked again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.fetching import websub
from digest.collect.fetching.websub import Hub
from digest.collect.reading.parse import Document, Parsed, parse
from digest.model.posts import HubRow, HubState

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FEED = "https://harbour.example.org/feed"
HUB = Hub(url="https://hub.example.org/", topic=FEED)
ROW = HubRow(feed_id="f1", hub=HUB.url, topic=FEED, next_at=NOW)
RIGHT = {
    "hub.mode": "subscribe",
    "hub.topic": FEED,
    "hub.challenge": "a gull",
    "hub.lease_seconds": "864000",
}
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>Harbour</title><!-- <link rel="hub" href="/no"/> -->'
    "<link href='https://hub.example.org/' rel='hub'/>{own}"
    '<entry><title>Tide</title><link href="/tide"/><link rel="hub" href="https://else.example.org/"/></entry>'
    "</feed>"
)
RSS = (
    '<rss version="2.0" xmlns:a="http://www.w3.org/2005/Atom"><channel><title>Harbour</title>'
    f'<link>https://harbour.example.org/</link><a:link rel="self" href="{FEED}"/>'
    '<a:link rel="hub" href="https://hub.example.org/"/><item><title>Tide</title></item></channel></rss>'
)
JSON = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Harbour",
        "feed_url": FEED,
        "hubs": [
            7,
            {"type": "rssCloud", "url": "https://cloud.example.org/"},
            {"type": "WebSub", "url": HUB.url},
        ],
        "items": [{"id": "1", "title": "Tide"}],
    }
)


@pytest.mark.parametrize(
    ("body", "address"),
    [
        (ATOM.format(own=f'<link rel="self" href="{FEED}"/>'), "https://harbour.example.org/other"),
        (RSS, "https://harbour.example.org/other"),
        (JSON, "https://harbour.example.org/other"),
    ],
)
def test_a_document_names_its_hub_and_its_topic(body: str, address: str) -> None:
    document = Document(url=address, body=body.encode(), content_type="")
    parsed = parse(document, feed_id="f1", now=NOW)
    assert isinstance(parsed, Parsed)
    assert parsed.hub == HUB


def test_the_address_of_a_feed_is_not_told_to_a_hub_because_it_may_hold_a_token() -> None:
    for text in (ATOM.format(own=""), JSON.replace("feed_url", "url")):
        document = Document(url=f"{FEED}?token=1", body=text.encode(), content_type="")
        parsed = parse(document, feed_id="f1", now=NOW)
        assert isinstance(parsed, Parsed)
        assert parsed.hub is None


def test_headers_name_the_hub() -> None:
    links = f'<https://api.example.org/>; rel="https://api.w.org/", <{HUB.url}>; rel="hub", </feed>; rel=self'
    assert websub.in_headers(links, "https://harbour.example.org/x") == HUB
    own = f'<{FEED}>; rel="self"'
    assert websub.in_headers(f'<javascript:1>; rel="hub", {own}', FEED) is None
    assert websub.in_headers(f'<https://hub.example.org/>; title="rel", {own}', FEED) is None
    assert websub.in_headers('<https://hub.example.org/>; rel="hub self"', FEED) is not None
    assert websub.in_headers('<https://hub.example.org/>; rel="hub"', FEED) is None


@given(st.text(max_size=300), st.binary(max_size=300))
def test_no_text_breaks_the_reading(text: str, body: bytes) -> None:
    websub.in_headers(text, FEED)
    websub.in_xml(b"<link " + body + b">", FEED)
    websub.read_signature(text)


@pytest.mark.parametrize(
    ("base_url", "can"),
    [
        ("https://digest.harbour-news.org", True),
        ("https://digest.harbour-news.org./mail", True),
        ("http://localhost:8000", False),
        ("http://127.0.0.1", False),
        ("http://[::1]:8000", False),
        ("http://10.1.2.3", False),
        ("https://digest.example.org", False),
        ("https://digest.test", False),
        ("http://server", False),
        ("https://friend.example.org", True),
    ],
)
def test_hubs_are_asked_only_if_they_can_call(base_url: str, can: bool) -> None:
    assert websub.can_be_reached(base_url, ["friend.example.org"]) is can


def test_a_verification_counts_once_and_only_as_asked() -> None:
    asked = websub.asked(ROW, NOW)
    for wrong in (
        {"hub.topic": FEED + "/"},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
        {"hub.challenge": ""},
        {"hub.challenge": "x" * 1_001},
    ):
        assert websub.verified(asked, RIGHT | wrong, NOW) is None
    assert websub.verified(ROW, RIGHT, NOW) is None
    assert websub.verified(asked, RIGHT, NOW + timedelta(days=2)) is None
    active = websub.verified(asked, RIGHT, NOW)
    assert active is not None
    assert (active.state, active.lease_until) == (HubState.ACTIVE, NOW + timedelta(days=10))
    assert active.next_at == NOW + timedelta(days=8)
    assert websub.verified(active, RIGHT, NOW) is None  # a replay
    assert websub.is_active(websub.asked(active, active.next_at), active.next_at)  # while it is renewed


@given(st.text(max_size=12) | st.integers(-5, 10**10).map(str))
def test_a_lease_is_between_an_hour_and_thirty_days(seconds: str) -> None:
    after = websub.verified(websub.asked(ROW, NOW), RIGHT | {"hub.lease_seconds": seconds}, NOW)
    assert after is not None
    assert after.lease_until is not None
    assert timedelta(hours=1) <= after.lease_until - NOW <= timedelta(days=30)
    assert NOW < after.next_at < after.lease_until


def test_pauses_grow_and_a_hub_that_is_gone_is_dropped() -> None:
    row, pauses = ROW, []
    for _ in range(9):
        row = websub.refused(websub.asked(row, NOW), 503, NOW)
        pauses.append(row.next_at - NOW)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(minutes=15), timedelta(days=1))
    assert websub.refused(websub.asked(ROW, NOW), 410, NOW).state is HubState.GONE


def test_signatures_have_a_known_method_and_hexadecimal_digits() -> None:
    assert websub.read_signature("sha1=" + "0a" * 20) == ("sha1", b"\x0a" * 20)
    for wrong in ("", "md5=" + "0a" * 16, "sha1=", "sha1", "sha256=" + "zz" * 32, "sha1=" + "0" * 41):
        assert websub.read_signature(wrong) is None


def test_a_push_counts_only_in_the_lease() -> None:
    active = websub.verified(websub.asked(ROW, NOW), RIGHT, NOW)
    assert active is not None
    assert websub.pushed(active, NOW + timedelta(days=9)) is not None
    assert websub.pushed(active, NOW + timedelta(days=10)) is None
    assert websub.pushed(replace(active, state=HubState.DENIED), NOW) is None


def test_callbacks_and_secrets_differ_by_feed_hub_and_installation() -> None:
    keys = {
        websub.callback_key(secret, feed, hub)
        for secret in (b"one", b"two")
        for feed in ("f1", "f2")
        for hub in ("https://a.test/", "https://b.test/")
    }
    assert len(keys) == 8
    assert websub.signing_secret(b"one", ROW) != websub.signing_secret(b"one", replace(ROW, feed_id="f2"))
