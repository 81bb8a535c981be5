from __future__ import annotations

from datetime import UTC, datetime, timedelta

from digest.limits.pace import SlidingWindow, asks_for_less, complaint
from digest.model.messages import Outcome, Receipt

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def receipt(outcome: Outcome, code: int | None, enhanced: str | None = None) -> Receipt:
    return Receipt(1, outcome, code, enhanced, "try later")


def test_a_deferred_message_with_421_or_4_7_asks_for_less_and_nothing_else_does() -> None:
    assert asks_for_less(receipt(Outcome.DEFERRED, 421))
    assert asks_for_less(receipt(Outcome.DEFERRED, 450, "4.7.28"))
    assert not asks_for_less(receipt(Outcome.UNSENT, 421, "4.7.0")), "the transport has slowed the server"
    assert not asks_for_less(receipt(Outcome.DEFERRED, 452, "4.2.2"))
    assert not asks_for_less(receipt(Outcome.REJECTED, 550, "5.7.1"))
    assert not asks_for_less(receipt(Outcome.ACCEPTED, 250, "2.0.0"))
    assert not asks_for_less(Receipt(1, Outcome.DEFERRED, 451, "4.7.1", "Greylisted, come again"))


def test_a_complaint_is_kept_without_addresses() -> None:
    receipt = Receipt(1, Outcome.DEFERRED, 450, "4.7.28", "<ana@example.org> gets too much" + "!" * 500)
    assert complaint(receipt).startswith("450 4.7.28 … gets too much!")
    assert len(complaint(receipt)) == 200


def test_a_complaint_has_its_status_once() -> None:
    assert complaint(Receipt(1, Outcome.DEFERRED, 421, "4.7.0", "4.7.0 try later")) == "421 4.7.0 try later"
    assert complaint(Receipt(1, Outcome.DEFERRED, 421, "4.7.0", "try later")) == "421 4.7.0 try later"
    assert complaint(Receipt(1, Outcome.DEFERRED, 421, None, "try later")) == "421 try later"


def sent(seconds: int, **messages: int) -> SlidingWindow:
    """Send so many messages to each scope every second."""
    window = SlidingWindow()
    for second in range(seconds):
        for scope, count in messages.items():
            window.count([scope] * count, NOW + SECOND * second)
    return window


def test_the_pace_is_measured_in_the_seconds_before() -> None:
    window = sent(35, quick=50, slow=2)
    assert window.pace("quick", NOW + SECOND * 35) == 50 * 60
    assert window.pace("slow", NOW + SECOND * 35) == 2 * 60
    assert window.pace("other", NOW + SECOND * 35) == 0


def test_messages_long_before_do_not_count() -> None:
    window = sent(20, quick=50)
    for second in range(20, 40):
        window.count(["quick"], NOW + SECOND * second)
    assert window.pace("quick", NOW + SECOND * 40) == 60


def test_after_a_moment_or_a_rest_no_pace_is_known() -> None:
    assert SlidingWindow().pace("quick", NOW) is None
    assert sent(1, quick=500).pace("quick", NOW + SECOND) is None
    rested = sent(30, quick=50)
    assert rested.pace("quick", NOW + SECOND * 60) is None
    rested.count(["quick"], NOW + SECOND * 60)
    assert rested.pace("quick", NOW + SECOND * 61) is None
    assert rested.pace("quick", NOW + SECOND * 63) == 20
