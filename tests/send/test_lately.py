from __future__ import annotations

from datetime import UTC, datetime, timedelta

from digest.send.lately import Lately

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def sent(seconds: int, **letters: int) -> Lately:
    """Send so many letters to each domain every second."""
    lately = Lately()
    for second in range(seconds):
        for domain, count in letters.items():
            lately.count([domain] * count, NOW + SECOND * second)
    return lately


def test_the_pace_is_what_went_to_a_domain_in_the_seconds_before() -> None:
    lately = sent(35, quick=50, slow=2)
    assert lately.pace(["quick"], NOW + SECOND * 35) == 50 * 60
    assert lately.pace(["slow"], NOW + SECOND * 35) == 2 * 60
    assert lately.pace(["quick", "slow"], NOW + SECOND * 35) == 52 * 60
    assert lately.pace(["other"], NOW + SECOND * 35) == 0


def test_what_went_long_before_counts_no_longer() -> None:
    lately = sent(20, quick=50)
    for second in range(20, 40):
        lately.count(["quick"], NOW + SECOND * second)
    assert lately.pace(["quick"], NOW + SECOND * 40) == 60


def test_of_a_moment_or_after_a_rest_no_pace_can_be_told() -> None:
    assert Lately().pace(["quick"], NOW) is None
    assert sent(1, quick=500).pace(["quick"], NOW + SECOND) is None
    rested = sent(30, quick=50)
    assert rested.pace(["quick"], NOW + SECOND * 60) is None
    rested.count(["quick"], NOW + SECOND * 60)
    assert rested.pace(["quick"], NOW + SECOND * 61) is None
    assert rested.pace(["quick"], NOW + SECOND * 63) == 20


def test_of_very_many_domains_those_with_most_letters_are_kept() -> None:
    lately = Lately()
    lately.count(["gmail.com"] * 300 + [f"{n}.example.org" for n in range(10_000)], NOW)
    assert lately.pace(["gmail.com"], NOW + SECOND * 10) == 1_800
