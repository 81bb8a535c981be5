from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce

import pytest

from digest.model.messages import Outcome, Receipt
from digest.send.answers.refusals import ENOUGH, Refusals

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
BEGUN = Refusals(accepted_before=True)


def refused(enhanced: str | None = "5.7.1", code: int = 550, reply: str = "sender not allowed") -> Receipt:
    return Receipt(1, Outcome.REJECTED, code, enhanced, reply)


ACCEPTED = Receipt(2, Outcome.ACCEPTED, 250, "2.0.0", "ok")
DEFERRED = Receipt(3, Outcome.DEFERRED, 450, "4.2.0", "later")
QUOTA = refused("5.2.0", 554, "SubmissionQuotaExceeded")
DEAD = refused("5.1.1", reply="no such user")


def after(*receipts: Receipt, before: Refusals = BEGUN) -> Refusals:
    return reduce(Refusals.after, receipts, before)


def alarm(*receipts: Receipt, before: Refusals = BEGUN) -> str:
    return after(*receipts, before=before).alarm(NOW)


def test_fifty_messages_refused_because_of_us_are_enough() -> None:
    assert not alarm(*[refused()] * (ENOUGH - 1))
    said = alarm(*[refused()] * ENOUGH)
    assert said.startswith(
        "50 messages were refused because the server does not take messages from this sender;"
    )
    assert said.endswith("the last answer was: 550 sender not allowed")


def test_the_reasons_may_differ_and_only_an_accepted_message_ends_the_row() -> None:
    mixed = [refused("5.7.1"), refused(None, 554, "no"), DEFERRED, QUOTA] * (ENOUGH // 2)
    assert alarm(*mixed)
    half = [refused(None, 554, "no")] * (ENOUGH // 2)
    assert not alarm(*half, ACCEPTED, *half)
    assert not alarm(*[DEFERRED] * 500)


def test_the_count_continues_from_one_batch_to_the_next() -> None:
    refusals = BEGUN
    for _ in range(ENOUGH):
        assert not refusals.alarm(NOW)
        refusals = refusals.after(refused())
    assert refusals.alarm(NOW)


def test_a_quota_is_noticed_by_its_share_and_other_faults_are_not() -> None:
    assert alarm(*[QUOTA, ACCEPTED] * ENOUGH)
    assert alarm(*[ACCEPTED] * 5_000, *[QUOTA, ACCEPTED] * ENOUGH)
    assert not alarm(*[QUOTA, ACCEPTED, ACCEPTED, ACCEPTED] * 1_000)
    assert not alarm(*[refused(None, 554, "no"), ACCEPTED] * 500)


@pytest.mark.parametrize(
    ("reply", "until"),
    [
        ("SubmissionQuotaExceeded", "2026-11-23 07:00 UTC at the latest if it is counted by the day"),
        ("the hourly limit is exceeded", "2026-11-22 08:00 UTC at the latest if it is counted by the hour"),
    ],
)
def test_of_a_quota_it_is_said_when_sending_can_resume(reply: str, until: str) -> None:
    assert until in alarm(*[refused("5.2.0", 554, reply)] * ENOUGH)


def test_a_run_of_dead_mailboxes_is_no_alarm_unless_nothing_was_accepted_before() -> None:
    assert not alarm(*[DEAD] * 500)
    assert alarm(*[DEAD] * ENOUGH, before=Refusals())
    assert alarm(*[refused("5.1.8", reply="sender unknown")] * ENOUGH)


def test_what_was_rejected_in_the_row_is_known_and_what_only_waits_is_not_rejected() -> None:
    rejected = [Receipt(key, Outcome.REJECTED, 554, None, "no") for key in (7, 8)]
    assert after(*rejected, QUOTA).rejected == (7, 8)
    assert after(*rejected, ACCEPTED).rejected == ()


def test_at_the_end_a_few_messages_are_enough_if_the_server_refused_all_because_of_us() -> None:
    few = after(*[refused()] * 3, before=Refusals())
    assert not few.alarm(NOW)
    assert few.alarm(NOW, at_the_end=True)
    assert not after(refused()).alarm(NOW, at_the_end=True)
    assert not after(*[DEAD] * 3, before=Refusals()).alarm(NOW, at_the_end=True)


def test_the_alarm_contains_no_address() -> None:
    said = alarm(*[refused(reply="<ada@example.org>: Sender address rejected")] * ENOUGH)
    assert said.endswith("the last answer was: 550 … Sender address rejected")
