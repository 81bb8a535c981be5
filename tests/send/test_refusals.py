from __future__ import annotations

from digest.model.messages import Outcome, Receipt
from digest.send.refusals import ENOUGH, Streak


def refused(enhanced: str | None = "5.7.1", code: int = 550, reply: str = "sender not allowed") -> Receipt:
    return Receipt(1, Outcome.REJECTED, code, enhanced, reply)


ACCEPTED = Receipt(2, Outcome.ACCEPTED, 250, "2.0.0", "ok")
DEFERRED = Receipt(3, Outcome.DEFERRED, 450, "4.2.0", "later")


def test_fifty_messages_refused_with_one_code_are_enough() -> None:
    assert not Streak().after([refused()] * (ENOUGH - 1)).alarm
    alarm = Streak().after([refused()] * ENOUGH).alarm
    assert (
        alarm == "50 messages in a row were refused with 550 5.7.1; the last answer was: sender not allowed"
    )


def test_messages_refused_with_different_codes_or_deferred_are_not() -> None:
    mixed = [refused("5.7.1"), refused("5.1.1"), refused(None, 554)] * ENOUGH
    assert not Streak().after(mixed).alarm
    assert not Streak().after([DEFERRED] * 500).alarm


def test_an_accepted_message_restarts_the_count_and_a_deferred_one_does_not() -> None:
    half = [refused()] * (ENOUGH // 2)
    assert not Streak().after([*half, ACCEPTED, *half]).alarm
    assert Streak().after([*half, DEFERRED, *half]).alarm


def test_the_count_continues_from_one_batch_to_the_next() -> None:
    streak = Streak()
    for _ in range(ENOUGH):
        assert not streak.alarm
        streak = streak.after([refused()])
    assert streak.alarm


def test_an_account_that_is_closed_half_way_is_noticed_and_a_run_of_dead_mailboxes_is_not() -> None:
    begun = Streak().after([ACCEPTED])
    assert begun.after([refused("5.7.1")] * ENOUGH).alarm
    assert begun.after([refused("5.1.8")] * ENOUGH).alarm
    assert not begun.after([refused("5.1.1")] * 500).alarm
    assert not begun.after([refused("5.2.1")] * 500).alarm


def test_dead_mailboxes_alone_are_noticed_when_nothing_was_accepted_before() -> None:
    assert Streak().after([refused("5.1.1")] * ENOUGH).alarm


def test_the_alarm_contains_no_address() -> None:
    reply = "<ada@example.org>: Recipient address rejected"
    alarm = Streak().after([refused(reply=reply)] * ENOUGH).alarm
    assert alarm.endswith("the last answer was: … Recipient address rejected")
