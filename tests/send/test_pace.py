from __future__ import annotations

from datetime import UTC, datetime, timedelta

from digest.model import Outcome, Receipt
from digest.send.pace import Lately, asks_for_less, complaint

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def receipt(outcome: Outcome, code: int | None, enhanced: str | None = None) -> Receipt:
    return Receipt(1, outcome, code, enhanced, "try later")


def test_421_and_4_7_ask_for_less_and_nothing_else_does() -> None:
    assert asks_for_less(receipt(Outcome.DEFERRED, 421))
    assert asks_for_less(receipt(Outcome.DEFERRED, 450, "4.7.28"))
    assert asks_for_less(receipt(Outcome.UNSENT, 421, "4.7.0"))
    assert not asks_for_less(receipt(Outcome.DEFERRED, 452, "4.2.2"))
    assert not asks_for_less(receipt(Outcome.REJECTED, 550, "5.7.1"))
    assert not asks_for_less(receipt(Outcome.ACCEPTED, 250, "2.0.0"))
    assert not asks_for_less(Receipt(1, Outcome.DEFERRED, 451, "4.7.1", "Greylisted, come again"))


def test_a_complaint_is_kept_without_the_addresses_in_it() -> None:
    told = Receipt(1, Outcome.DEFERRED, 450, "4.7.28", "<ana@example.org> gets too much" + "!" * 500)
    assert complaint(told).startswith("450 4.7.28 … gets too much!")
    assert len(complaint(told)) == 200


def sent(seconds: int, **letters: int) -> Lately:
    """Send so many letters to each scope every second."""
    lately = Lately()
    for second in range(seconds):
        for scope, count in letters.items():
            lately.count([scope] * count, NOW + SECOND * second)
    return lately


def test_the_pace_is_what_went_to_a_domain_in_the_seconds_before() -> None:
    lately = sent(35, quick=50, slow=2)
    assert lately.pace("quick", NOW + SECOND * 35) == 50 * 60
    assert lately.pace("slow", NOW + SECOND * 35) == 2 * 60
    assert lately.pace("other", NOW + SECOND * 35) == 0


def test_what_went_long_before_counts_no_longer() -> None:
    lately = sent(20, quick=50)
    for second in range(20, 40):
        lately.count(["quick"], NOW + SECOND * second)
    assert lately.pace("quick", NOW + SECOND * 40) == 60


def test_of_a_moment_or_after_a_rest_no_pace_can_be_told() -> None:
    assert Lately().pace("quick", NOW) is None
    assert sent(1, quick=500).pace("quick", NOW + SECOND) is None
    rested = sent(30, quick=50)
    assert rested.pace("quick", NOW + SECOND * 60) is None
    rested.count(["quick"], NOW + SECOND * 60)
    assert rested.pace("quick", NOW + SECOND * 61) is None
    assert rested.pace("quick", NOW + SECOND * 63) == 20
