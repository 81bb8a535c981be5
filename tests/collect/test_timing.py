from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.collect.fetching.answers import freshness
from digest.collect.fetching.timing import (
    LONGEST_WISH,
    OFTEN,
    QUARTER,
    SELDOM,
    SLACK,
    TOLD,
    UNKNOWN,
    Wishes,
    every_text,
    next_fetch,
    rate,
    read_wishes,
    stated,
    with_freshness,
)
from digest.model.posts import FeedRow

NOW = datetime(2026, 11, 25, 4, 20, tzinfo=UTC)  # a Wednesday
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CUTOFFS = (NOW.replace(hour=6, minute=0), NOW.replace(hour=6, minute=0) + DAY)
ROW = FeedRow(id="a", name="Harbour News", url="https://harbour.example.org/feed", next_fetch_at=NOW)

wishes = st.builds(
    Wishes,
    fresh=st.none() | st.integers(0, 10**6),
    every=st.none() | st.integers(0, 10**7),
    hours=st.sets(st.integers(0, 23)).map(lambda found: tuple(sorted(found))),
    days=st.sets(st.integers(0, 6)).map(lambda found: tuple(sorted(found))),
    usual=st.none() | st.integers(0, 10**7),
    span=st.none() | st.integers(0, 10**8),
    newest=st.none() | st.integers(0, 2 * 10**9),
)
starts = st.integers(0, 366 * 24 * 60).map(lambda minutes: NOW + minutes * MINUTE)


@given(wishes)
def test_stored_wishes_are_read_as_they_were(wished: Wishes) -> None:
    assert read_wishes(wished.written()) == wished


@given(wishes, starts, st.booleans(), st.booleans(), st.none() | st.integers(-3_000, 3_000))
@settings(max_examples=200)
def test_no_feed_is_asked_too_often_too_seldom_or_before_its_publisher_allows_it(
    wished: Wishes, now: datetime, busy: bool, soon: bool, pushed: int | None
) -> None:
    row = replace(
        ROW, wishes=wished.written(), changed_at=now, gap=9 if busy else 0, gap_at=now if busy else None
    )
    pushed_at = None if pushed is None else now + pushed * MINUTE
    cutoffs = tuple(now + hours * HOUR for hours in (5, 29))
    at = next_fetch(row, now, cutoffs, soon=soon, pushed_at=pushed_at).at
    assert at >= now + OFTEN - SLACK
    assert at >= now + min(timedelta(seconds=wished.fresh or 0), LONGEST_WISH)
    if not (busy or soon):
        assert at >= now + min(timedelta(seconds=wished.every or 0), LONGEST_WISH)
    if not (wished.hours or wished.days):
        assert at <= now + max(SELDOM, 2 * LONGEST_WISH)
    elif len(wished.hours) < 24 and len(wished.days) < 7:
        assert at.hour not in wished.hours
        assert at.weekday() not in wished.days


@pytest.mark.parametrize("fresh", [None, 0, 600, 3600, 7200, 5 * 3600, 86_400, 10**8])
@pytest.mark.parametrize("often", [60, 86_400, 30 * 86_400])
def test_from_the_second_day_on_each_cutoff_finds_a_document_of_the_last_quarter_of_an_hour(
    fresh: int | None, often: int
) -> None:
    now, asked = NOW, [NOW]
    while now < CUTOFFS[0] + 4 * DAY:
        newest = int((now - timedelta(seconds=often)).timestamp())
        wished = Wishes(fresh=fresh, usual=often, span=20 * often, newest=newest)
        coming = tuple(CUTOFFS[0] + days * DAY for days in range(8) if CUTOFFS[0] + days * DAY > now)
        now = next_fetch(replace(ROW, wishes=wished.written()), now, coming[:2]).at + MINUTE / 2
        asked.append(now)
    for days in (2, 3, 4):
        cutoff = CUTOFFS[0] + days * DAY
        assert any(timedelta(0) <= cutoff - at <= 15 * MINUTE for at in asked), days
    assert len(asked) <= 4 * 24 * 7


def test_a_wish_that_would_forbid_the_look_before_a_cutoff_moves_the_time_before() -> None:
    row = replace(ROW, wishes=Wishes(fresh=3600).written())
    at = next_fetch(row, NOW, CUTOFFS).at  # not at 05:20, because 06:20 would be the time after that
    assert 5 * MINUTE <= CUTOFFS[0] - at <= 15 * MINUTE or CUTOFFS[0] - at >= 3 * MINUTE
    assert at > NOW + HOUR


def test_in_hours_that_the_publisher_rules_out_the_look_comes_before_them() -> None:
    row = replace(ROW, wishes=Wishes(hours=(5, 6, 7), usual=86_400, span=10**6, newest=0).written())
    assert next_fetch(row, NOW, CUTOFFS).at == NOW.replace(hour=4, minute=59)
    assert next_fetch(row, NOW.replace(hour=4, minute=59), CUTOFFS).at.hour not in (5, 6, 7)


@pytest.mark.parametrize(
    ("usual", "silence", "expected"),
    [
        (3600, 0, 15 * MINUTE),
        (8 * 3600, 0, 2 * HOUR),
        (15 * 86_400, 0, SELDOM),
        (3600, 30 * 86_400, SELDOM),
        (60, 0, 10 * MINUTE),  # twenty posts are gone after twenty minutes
        (10, 0, OFTEN),
    ],
)
def test_a_feed_is_asked_as_often_as_it_has_posts(usual: int, silence: int, expected: timedelta) -> None:
    newest = int(NOW.timestamp()) - silence
    row = replace(ROW, wishes=Wishes(usual=usual, span=20 * usual, newest=newest).written())
    assert next_fetch(row, NOW, ()).at == NOW + expected - SLACK


def test_a_feed_without_dates_or_wishes_is_asked_every_hour_and_after_a_gap_every_five_minutes() -> None:
    assert next_fetch(ROW, NOW, ()).at == NOW + UNKNOWN - SLACK
    row = replace(ROW, gap=10, gap_at=NOW - DAY, wishes=Wishes(every=3600).written())
    assert next_fetch(row, NOW, ()).at == NOW + OFTEN - SLACK
    assert next_fetch(row, NOW, ()).pace == "every 5 minutes, because all its posts were new at once"
    assert next_fetch(replace(row, gap_at=NOW - 8 * DAY), NOW, ()).pace == "every hour, as the feed says"
    assert next_fetch(replace(row, wishes=Wishes(fresh=3600).written()), NOW, ()).at == NOW + HOUR


def test_the_rate_is_read_from_the_dates_of_the_entries() -> None:
    dates = [NOW - days * DAY for days in range(40)]
    found = rate([NOW + DAY, *dates], NOW)
    assert found == Wishes(usual=86_400, span=39 * 86_400, newest=int(NOW.timestamp()))
    assert rate(dates[:2], NOW) == Wishes()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b"<rss><channel><ttl> 60 </ttl><item/>", Wishes(every=3600)),
        (b"<rss><channel><ttl>soon</ttl><item/>", Wishes()),
        (b"<channel><sy:updatePeriod>\n hourly </sy:updatePeriod>", Wishes(every=3600)),
        (
            b"<ttl>5</ttl><sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>",
            Wishes(every=21_600),
        ),
        (
            b"<updatePeriod>hourly</updatePeriod><sy:updateFrequency>0</sy:updateFrequency>",
            Wishes(every=3600),
        ),
        (
            b"<skipHours><hour>0</hour><hour>24</hour><hour> 5 </hour></skipHours>",
            Wishes(hours=(0, 5)),
        ),
        (
            b"<skipDays><day>Sunday</day><day>Saturday</day></skipDays>",
            Wishes(days=(5, 6)),
        ),
        (b"<rss><channel><item><ttl>60</ttl></item>", Wishes()),
        (b"<feed><entry/>", Wishes()),
        (b"<rss><title><![CDATA[" + b"<ttl " * 20_000 + b"]]></title><ttl>60</ttl>", Wishes()),
        (b"<rss>" + b"<ttl>" * 20_000, Wishes()),
    ],
)
def test_the_wishes_of_a_feed_are_read(document: bytes, expected: Wishes) -> None:
    assert stated(document) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"cache-control": "public, max-age=3600"}, 3600),
        ({"cache-control": 'Max-Age="3600"', "age": "600"}, 3000),
        ({"cache-control": "max-age=3600, no-cache"}, 0),
        ({"cache-control": 'no-cache="set-cookie", max-age=60'}, 60),
        ({"cache-control": "no-store"}, 0),
        ({"cache-control": "s-maxage=3600"}, None),
        ({"cache-control": "s-maxage=3600, max-age=60"}, 60),
        ({"cache-control": "max-age=60", "expires": format_datetime(NOW + HOUR)}, 60),
        ({"expires": format_datetime(NOW + HOUR)}, 3600),
        ({"expires": format_datetime(NOW + HOUR), "date": format_datetime(NOW + HOUR / 2)}, 1800),
        ({"expires": format_datetime(NOW - HOUR)}, 0),
        ({"expires": "0"}, None),
        ({"cache-control": "max-age=99999999999999999999"}, 999_999_999),
    ],
)
def test_the_freshness_of_an_answer_is_read(headers: dict[str, str], expected: int | None) -> None:
    assert freshness(headers, NOW) == expected


def test_an_answer_without_a_document_may_state_a_new_freshness() -> None:
    before = Wishes(fresh=60, every=3600).written()
    assert with_freshness(before, None) == before
    assert read_wishes(with_freshness(before, 900)) == Wishes(fresh=900, every=3600)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (5, "every 5 minutes"),
        (59, "every hour"),
        (60, "every hour"),
        (150, "every 2 hours"),
        (1440, "every day"),
    ],
)
def test_an_interval_is_put_into_words(minutes: int, words: str) -> None:
    assert every_text(minutes * MINUTE) == words


def test_a_feed_whose_hub_tells_of_each_post_is_asked_less_often_but_before_each_cutoff() -> None:
    newest = int(NOW.timestamp())
    wished = Wishes(usual=3600, span=72_000, newest=newest).written()
    row = replace(ROW, wishes=wished, changed_at=NOW)
    found = next_fetch(row, NOW, (), pushed_at=NOW - MINUTE)
    assert found.at == NOW + TOLD - SLACK
    assert found.pace == "every 6 hours, because its hub tells of new posts"
    assert CUTOFFS[0] - next_fetch(row, NOW, CUTOFFS, pushed_at=NOW).at < 15 * MINUTE
    quarter = NOW + QUARTER - SLACK
    assert next_fetch(row, NOW, ()).at == quarter
    assert next_fetch(row, NOW, (), pushed_at=NOW - 2 * HOUR).at == quarter  # a post came without a push
    assert next_fetch(row, NOW, (), pushed_at=NOW + MINUTE).at == quarter  # the push has shown nothing yet
    assert next_fetch(replace(row, gap=9, gap_at=NOW), NOW, (), pushed_at=NOW).at == NOW + OFTEN - SLACK
    seldom = replace(row, wishes=Wishes(usual=15 * 86_400, span=10**8, newest=newest).written())
    assert next_fetch(seldom, NOW, (), pushed_at=NOW).at == NOW + SELDOM - SLACK
