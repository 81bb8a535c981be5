from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.limits.buckets import bucket_of, kept_of
from digest.limits.limits import (
    NO_LIMIT,
    Limit,
    Meter,
    Rules,
    Unit,
    WarmUp,
    domain_of,
    domain_rules,
    free_at,
    parse_limit,
    room,
    slow,
    span,
    take,
    uses,
)

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3_600, 86_400))
SPANS = {Unit.SECOND: SECOND, Unit.MINUTE: MINUTE, Unit.HOUR: HOUR, Unit.DAY: DAY}
TOO_MUCH = "421 4.7.0 try later"


def rules(*limits: str, warm_up: WarmUp | None = None) -> Rules:
    return Rules(scope="server", limits=tuple(map(parse_limit, limits)), warm_up=warm_up)


def all_that_may_go(found: Rules, times: list[datetime]) -> list[tuple[datetime, int]]:
    """Send all messages that may go, at each of these times."""
    meter, sent = Meter(), []
    for now in times:
        count = room(found, meter, now)
        meter = take(found, meter, count, now)
        sent.append((now, count))
    return sent


# ── as people write them ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("100 per second", Limit(100, Unit.SECOND)),
        ("100/s", Limit(100, Unit.SECOND)),
        ("20 a minute", Limit(20, Unit.MINUTE)),
        ("500 an hour", Limit(500, Unit.HOUR)),
        ("5_000 per Day", Limit(5_000, Unit.DAY)),
        (" 20,000 / d ", Limit(20_000, Unit.DAY)),
    ],
)
def test_a_limit_is_read_as_people_write_it(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit
    assert parse_limit(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "'fast' is not a valid limit"),
        ("-5 per day", "is not a valid limit"),
        ("1.5 per second", "is not a valid limit"),
        ("5 per fortnight", "'fortnight' must be second, minute, hour or day"),
        ("0 per day", "must be between 1 and"),
        ("99999999999 per day", "between 1 and 1,000,000,000"),
    ],
)
def test_an_invalid_limit_is_refused_with_examples(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_limit(text)


def test_a_domain_is_the_same_however_it_is_written() -> None:
    assert domain_of("Ana@Gmail.COM") == domain_of("gmail.com") == "gmail.com"
    assert domain_of("ana@bücher.example.org") == "xn--bcher-kva.example.org"
    assert (
        domain_of("ana@ankerstraße.example")
        == domain_of("ANKERSTRAẞE.example")
        == "xn--ankerstrae-e4a.example"
    )
    assert domain_of("ana@har‥Bour.example") == "har‥bour.example"
    assert domain_of("ana@" + "ü" * 80 + ".org").endswith(".org")


# ── what holds ──────────────────────────────────────────────────────────────────────────────


pauses = st.lists(st.integers(0, 5_000_000), min_size=1, max_size=60)
counts = st.integers(1, 500)


@settings(deadline=None)
@given(messages=counts, unit=st.sampled_from(Unit), pauses=pauses, scale=st.sampled_from([1, 1_000, 20_000]))
def test_no_window_has_more_than_the_limit_and_the_small_burst(
    messages: int, unit: Unit, pauses: list[int], scale: int
) -> None:
    times = [NOW]
    for pause in pauses:
        times.append(times[-1] + timedelta(microseconds=pause * scale))
    sent = all_that_may_go(rules(f"{messages} per {unit}"), times)
    even = unit in (Unit.SECOND, Unit.MINUTE)
    burst = 1 + messages * 0.25 / SPANS[unit].total_seconds() if even else 0
    for start, _ in sent:
        window = sum(count for at, count in sent if start <= at < start + SPANS[unit])
        assert window <= messages + burst


@settings(max_examples=40, deadline=None)
@given(
    messages=st.integers(1, 1_000),
    unit=st.sampled_from([Unit.SECOND, Unit.MINUTE]),
    every=st.integers(9, 249),
)
def test_the_long_run_rate_is_exact_however_often_it_is_checked(
    messages: int, unit: Unit, every: int
) -> None:
    look, end = timedelta(milliseconds=every), NOW + MINUTE
    times = [NOW + look * n for n in range(MINUTE // look + 1)]
    total = sum(count for _, count in all_that_may_go(rules(f"{messages} per {unit}"), [*times, end]))
    exact, per_second = messages * (MINUTE // SPANS[unit]), messages / SPANS[unit].total_seconds()
    assert exact <= total <= exact + 1 + per_second * 0.25


def test_a_hundred_per_second_is_that_within_a_minute_to_one_percent() -> None:
    times = [NOW + timedelta(milliseconds=73 * n) for n in range(60_000 // 73)]
    total = sum(count for _, count in all_that_may_go(rules("100 per second"), times))
    assert abs(total - 6_000) <= 60


def test_the_rate_does_not_drift_in_days() -> None:
    found, meter, now = rules("7 per minute"), take(rules("7 per minute"), Meter(), 1, NOW), NOW
    for _ in range(7 * 60 * 24):
        now = free_at(found, meter, 1, now)
        assert room(found, meter, now) == 1
        meter = take(found, meter, 1, now)
    assert now == NOW + DAY - timedelta(milliseconds=250), "the 10,081st message goes a day after the first"


def test_a_quota_may_go_at_once_and_comes_back_a_period_later() -> None:
    found = rules("5000 per day")
    meter = take(found, Meter(), room(found, Meter(), NOW), NOW)
    assert room(found, meter, NOW + HOUR * 23) == 0
    assert free_at(found, meter, 1, NOW + HOUR) == NOW + DAY
    assert room(found, meter, NOW + DAY) == 5_000


def test_a_saturated_quota_gives_its_share_every_time() -> None:
    found, look = rules("60 per hour", "3 per minute"), timedelta(seconds=5)
    sent = all_that_may_go(found, [NOW + look * n for n in range(HOUR * 5 // look)])
    for hour in range(5):
        these = sum(count for at, count in sent if NOW + HOUR * hour <= at < NOW + HOUR * (hour + 1))
        assert these == 60


def test_all_limits_must_allow_a_message() -> None:
    found = rules("10 per second", "15 per hour")
    meter, now = Meter(), NOW
    sent = []
    for _ in range(20):
        count = room(found, meter, now)
        meter = take(found, meter, count, now)
        sent.append(count)
        now += timedelta(milliseconds=200)
    assert sum(sent) == 15
    assert sent[0] == 3
    assert free_at(found, meter, 1, now) >= NOW + HOUR


def test_without_limits_any_number_may_go() -> None:
    assert room(Rules(scope="server"), Meter(), NOW) == NO_LIMIT
    assert free_at(Rules(scope="server"), Meter(), 10**9, NOW) == NOW
    assert take(Rules(scope="server"), Meter(), 5, NOW) == Meter()


@given(
    limits=st.sets(st.sampled_from(["3 per second", "7 per minute", "40 per hour", "90 per day"])), n=counts
)
def test_free_at_is_right(limits: set[str], n: int) -> None:
    found = rules(*limits, "30 per minute")
    meter = take(found, Meter(), 25, NOW)
    n = min(n, 1)
    at = free_at(found, meter, n, NOW)
    assert room(found, meter, at) >= n
    assert at == NOW or room(found, meter, at - timedelta(microseconds=1)) < n


def test_looking_ahead_counts_what_will_flow_and_what_will_come_back() -> None:
    found = rules("10 per second")
    empty = take(found, Meter(), room(found, Meter(), NOW), NOW)
    assert room(found, empty, NOW, ahead=SECOND * 30) == 300
    assert span(found, empty, 300, NOW) == SECOND * 30
    daily = rules("50 per day")
    empty = take(daily, Meter(), 50, NOW)
    assert (room(daily, empty, NOW, ahead=HOUR), room(daily, empty, NOW, ahead=DAY)) == (0, 50)
    assert free_at(daily, empty, 120, NOW) == NOW + DAY * 3


@given(back=st.integers(0, 50_000))
def test_a_clock_that_is_behind_takes_no_more_than_is_free(back: int) -> None:
    found = rules("100 per second", "30 per hour")
    meter = take(found, Meter(), room(found, Meter(), NOW), NOW)
    behind = NOW - timedelta(milliseconds=back)
    assert room(found, meter, behind) == 0
    meter = take(found, meter, 0, behind)
    assert room(found, meter, NOW + timedelta(milliseconds=9)) <= 1


def test_a_clock_that_was_a_year_ahead_does_not_stop_sending_for_a_year() -> None:
    found, wrong = rules("100 per second", "30 per hour"), NOW + DAY * 365
    meter = take(found, Meter(), 26, wrong)
    meter = take(found, meter, 0, NOW)
    assert room(found, meter, NOW + SECOND) > 20


def test_a_changed_limit_takes_over_what_was_used() -> None:
    meter = take(rules("5000 per day"), Meter(), 3_000, NOW)
    assert room(rules("4000 per day"), meter, NOW) == 1_000
    assert room(rules("2000 per day"), meter, NOW) == 0
    assert room(rules("10 per second"), meter, NOW) == 3


# ── warming up ──────────────────────────────────────────────────────────────────────────────


def test_a_warm_up_lets_more_go_each_day_until_it_is_over() -> None:
    found = rules(warm_up=WarmUp(date(2026, 11, 22), (200, 400, 800)))
    meter = take(found, Meter(), 200, NOW)
    assert room(found, meter, NOW + HOUR) == 0
    assert room(found, meter, NOW + HOUR * 18) == 200, "the second day's, less what is not a day old"
    assert room(found, meter, NOW + DAY) == 400
    assert room(found, meter, NOW + DAY * 2) == 800
    assert room(found, meter, NOW + DAY * 3) == NO_LIMIT
    assert room(found, Meter(), NOW - DAY) == 200


def test_readers_who_wait_in_a_warm_up_go_on_the_next_day() -> None:
    found = rules(warm_up=WarmUp(date(2026, 11, 22), (200, 400)))
    meter = take(found, Meter(), 200, NOW)
    assert free_at(found, meter, 1, NOW) == datetime(2026, 11, 23, tzinfo=UTC)


# ── slower by itself ────────────────────────────────────────────────────────────────────────


def share(meter: Meter, now: datetime) -> int:
    assert meter.slowdown
    return meter.slowdown.share_at(now)


def test_a_domain_that_asks_for_less_gets_half_and_half_again_and_never_nothing() -> None:
    meter, now, shares = Meter(), NOW, []
    for _ in range(6):
        meter = slow(meter, TOO_MUCH, now)
        shares.append(share(meter, now))
        now += SECOND * 30
    assert shares == [50, 25, 12, 6, 5, 5]
    assert meter.slowdown
    assert (meter.slowdown.reason, meter.slowdown.since) == (TOO_MUCH, NOW)
    found = domain_rules("gmail.com", limits=(parse_limit("60 per minute"),))
    assert room(found, take(found, meter, 2, now), now, ahead=MINUTE * 10) in (29, 30)


def test_messages_already_on_their_way_do_not_halve_the_pace_again() -> None:
    meter = slow(Meter(), TOO_MUCH, NOW)
    assert slow(meter, "421 again", NOW + SECOND * 29) is meter


def test_a_slowdown_recovers_a_step_each_quiet_minute_and_ends() -> None:
    found = domain_rules("gmail.com", limits=(parse_limit("100 per second"),))
    meter = slow(Meter(), TOO_MUCH, NOW)
    shares = [share(meter, NOW + MINUTE * n) for n in range(11)]
    assert shares == [50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100]
    assert all(later >= before for before, later in pairwise(shares))
    after = take(found, meter, 1, NOW + MINUTE * 10)
    assert (after.slowdown, list(after.buckets)) == (None, ["second"])


HARBOUR = domain_rules("harbour.example.org", limits=(parse_limit("5000000 per day"),))


def per_minute(meter: Meter, now: datetime) -> float:
    """Return the pace of a domain that has only a quota."""
    return MINUTE / span(HARBOUR, meter, 1, now)


@pytest.mark.parametrize(("pace", "slowed"), [(60_000, 30_000), (None, 3_000), (90, 60), (0, 60)])
def test_a_domain_with_only_a_quota_is_slowed_to_half_of_its_recent_pace(
    pace: int | None, slowed: int
) -> None:
    meter = slow(Meter(), TOO_MUCH, NOW, pace=pace)
    assert room(HARBOUR, Meter(), NOW) == 5_000_000
    assert per_minute(meter, NOW) == slowed
    assert room(HARBOUR, meter, NOW + MINUTE * 10) == 5_000_000


def test_the_pace_is_halved_again_from_the_first_measure_and_never_stopped() -> None:
    meter, paces = slow(Meter(), TOO_MUCH, NOW, pace=1_000), []
    for n in range(5):
        paces.append(per_minute(meter, NOW + SECOND * 30 * n))
        meter = slow(meter, TOO_MUCH, NOW + SECOND * 30 * (n + 1), pace=7)
    assert [round(pace) for pace in paces] == [500, 250, 120, 60, 60]


def test_a_domain_with_only_a_quota_recovers_in_steps() -> None:
    meter = slow(Meter(), TOO_MUCH, NOW, pace=60_000)
    paces = [round(per_minute(meter, NOW + MINUTE * n), -2) for n in range(10)]
    assert paces == [30_000 + 3_000 * n for n in range(10)]


def test_a_complaint_after_the_recovery_starts_a_new_slowdown() -> None:
    meter = slow(slow(Meter(), TOO_MUCH, NOW), "450 4.7.28 slowly", NOW + MINUTE * 30)
    assert meter.slowdown
    assert (meter.slowdown.share, meter.slowdown.since) == (50, NOW + MINUTE * 30)


# ── kept and shown ──────────────────────────────────────────────────────────────────────────


@given(messages=counts, again=st.integers(0, 100_000))
def test_a_stored_bucket_is_read_back_unchanged(messages: int, again: int) -> None:
    found = rules("9 per second", "70 per hour", warm_up=WarmUp(date(2026, 11, 22), (200,)))
    meter = take(found, slow(Meter(), TOO_MUCH, NOW, pace=messages), messages, NOW)
    meter = take(found, meter, messages, NOW + timedelta(seconds=again))
    read = {key: bucket_of(kept_of(bucket)) for key, bucket in meter.buckets.items()}
    assert replace(meter, buckets=read) == meter


def test_each_limit_shows_its_use_and_when_it_is_free_again() -> None:
    found = rules("60 per minute", "100 per day")
    meter = take(found, slow(Meter(), TOO_MUCH, NOW), 100, NOW)
    shown = {use.limit: (use.allowed, use.used, use.next_at) for use in uses(found, meter, NOW)}
    assert shown["100 per day"] == (100, 100, NOW + DAY)
    assert list(shown) == ["60 per minute", "100 per day", "slowed to 30 per minute"]
