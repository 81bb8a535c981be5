from __future__ import annotations

from datetime import timedelta

import pytest

from digest.model import DeliveryState, Outcome, Receipt
from digest.send.retries import Doubt, Result, RetryRules, pause_after, rest_through, result_of
from tests.send.world import NOW

RESEND = RetryRules(doubt=Doubt.RESEND)
BRIEF = RetryRules(doubt=Doubt.RESEND, lifetime=timedelta(minutes=1))


def after(outcome: Outcome, *, tries: int = 1, rules: RetryRules | None = None) -> Result:
    receipt = Receipt(7, outcome, code=451, enhanced="4.2.2", reply="mailbox full")
    return result_of(receipt, tries=tries, now=NOW, rules=rules or RetryRules())


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.ACCEPTED, DeliveryState.ACCEPTED),
        (Outcome.REJECTED, DeliveryState.REJECTED),
        (Outcome.DEFERRED, DeliveryState.DEFERRED),
        (Outcome.UNCERTAIN, DeliveryState.UNCERTAIN),
        (Outcome.UNSENT, DeliveryState.QUEUED),
    ],
)
def test_each_outcome_has_its_state(outcome: Outcome, state: DeliveryState) -> None:
    result = after(outcome)
    assert (result.key, result.state, result.code, result.reply) == (7, state, 451, "4.2.2 mailbox full")


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("mailbox full", "5.1.1 mailbox full"),
        ("5.1.1 mailbox full", "5.1.1 mailbox full"),
        ("5.1.1 <ada@example.org>: no such user ada@example.org", "5.1.1 … no such user …"),
        ("", "5.1.1"),
    ],
)
def test_an_answer_is_kept_with_its_code_once_and_without_addresses(answer: str, kept: str) -> None:
    receipt = Receipt(7, Outcome.REJECTED, code=550, enhanced="5.1.1", reply=answer)
    assert result_of(receipt, tries=1, now=NOW, rules=RetryRules()).reply == kept


def test_the_pauses_grow_and_then_stay() -> None:
    minutes = [pause_after(tries) // timedelta(minutes=1) for tries in range(1, 9)]
    assert minutes == [5, 15, 30, 60, 120, 240, 240, 240]


def test_a_deferred_letter_comes_back_after_its_pause() -> None:
    assert after(Outcome.DEFERRED, tries=2).due_at == NOW + timedelta(minutes=15)


def test_it_is_given_up_when_its_pauses_would_be_longer_than_the_lifetime() -> None:
    pauses = [rest_through(tries) for tries in range(1, 12)]
    assert pauses[:3] == [timedelta(minutes=5), timedelta(minutes=20), timedelta(minutes=50)]
    assert pauses[9] < RetryRules().lifetime < pauses[10]
    assert after(Outcome.DEFERRED, tries=10).due_at == NOW + timedelta(hours=4)
    over = after(Outcome.DEFERRED, tries=11)
    assert (over.state, over.reply) == (DeliveryState.REJECTED, "gave up after 11 tries: 4.2.2 mailbox full")
    exact = RetryRules(lifetime=timedelta(minutes=50))
    assert after(Outcome.DEFERRED, tries=3, rules=exact).state is DeliveryState.DEFERRED


def test_what_never_reached_a_server_goes_again_at_once_but_not_for_ever() -> None:
    assert [after(Outcome.UNSENT, tries=tries).due_at for tries in (1, 2, 3)] == [
        NOW,
        NOW,
        NOW + timedelta(minutes=30),
    ]


def test_a_doubt_is_held_or_sent_again_as_the_rules_say() -> None:
    assert after(Outcome.UNCERTAIN, rules=RESEND).state is DeliveryState.DEFERRED
    assert after(Outcome.UNCERTAIN, tries=4, rules=RESEND).state is DeliveryState.UNCERTAIN
    assert after(Outcome.UNCERTAIN, rules=BRIEF).state is DeliveryState.UNCERTAIN
