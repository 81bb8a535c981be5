from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.deliveries import DeliveryState, Result
from digest.model.messages import Outcome, Receipt
from digest.send.answers.retries import (
    Doubt,
    RetryRules,
    goes_again,
    pause_after,
    pause_of,
    rest_through,
    result_of,
)
from subscribers.model import make_id
from subscribers.rules.answers import Answered
from tests.send.world import NOW

RESEND = RetryRules(doubt=Doubt.RESEND)
BRIEF = RetryRules(doubt=Doubt.RESEND, lifetime=timedelta(minutes=1))


def after(outcome: Outcome, *, key: int = 7, tries: int = 1, rules: RetryRules | None = None) -> Result:
    receipt = Receipt(key, outcome, code=451, enhanced="4.2.2", reply="mailbox full")
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


@pytest.mark.parametrize(
    ("answered", "kept"),
    [
        (None, "5.1.1 no such user"),
        (Answered.RECIPIENT, "5.1.1 no such user"),
        (Answered.SENDER, "in answer to the sender: 5.1.1 no such user"),
        (Answered.TEXT, "in answer to the text: 5.1.1 no such user"),
    ],
)
def test_an_answer_is_kept_with_the_part_that_it_refuses(answered: Answered | None, kept: str) -> None:
    receipt = Receipt(7, Outcome.REJECTED, 550, "5.1.1", "no such user", answered)
    assert result_of(receipt, tries=1, now=NOW, rules=RetryRules()).reply == kept


def kept_for(receipt: Receipt, *, alike: bool = False, tries: int = 1) -> tuple[DeliveryState, int, int]:
    result = result_of(receipt, tries=tries, now=NOW, rules=RetryRules(), alike=alike)
    minutes = (result.due_at - NOW) // timedelta(minutes=1) if result.due_at else 0
    return result.state, minutes, result.tried


def test_a_message_that_was_refused_because_of_us_waits_and_loses_no_try() -> None:
    quota = Receipt(1, Outcome.REJECTED, 554, "5.2.0", "SubmissionQuotaExceeded")
    assert kept_for(quota) == (DeliveryState.DEFERRED, 60, 0)
    blocked = Receipt(1, Outcome.REJECTED, 550, "5.7.1", "your host is blocked", Answered.RECIPIENT)
    assert kept_for(blocked, alike=True) == (DeliveryState.DEFERRED, 5, 0)


def test_a_message_that_one_domain_refuses_because_of_us_is_given_up_after_a_few_tries() -> None:
    blocked = Receipt(1, Outcome.REJECTED, 550, "5.7.1", "your host is blocked", Answered.RECIPIENT)
    assert kept_for(blocked) == (DeliveryState.DEFERRED, 5, 1)
    assert kept_for(blocked, tries=4) == (DeliveryState.REJECTED, 0, 1)


@pytest.mark.parametrize("code", [421, 432, 454])
def test_a_message_that_came_too_soon_for_its_server_loses_no_try(code: int) -> None:
    unsent = Receipt(1, Outcome.UNSENT, code, None, "sending rate exceeded")
    assert kept_for(unsent, tries=9) == (DeliveryState.DEFERRED, 5, 0)


def test_the_pauses_grow_and_then_stay() -> None:
    minutes = [pause_after(tries) // timedelta(minutes=1) for tries in range(1, 9)]
    assert minutes == [5, 15, 30, 60, 120, 240, 240, 240]


@pytest.mark.parametrize(
    ("keys", "seconds"), [(range(8), 0), (range(8, 16), 139), (range(16, 24), 53), (range(800, 808), 180)]
)
def test_a_deferred_message_comes_back_after_its_pause_and_up_to_a_quarter_more(
    keys: range, seconds: int
) -> None:
    dues = {after(Outcome.DEFERRED, key=key, tries=2).due_at for key in keys}
    assert dues == {NOW + timedelta(minutes=15, seconds=seconds)}


def due_in(keys: Iterable[int], *, tries: int = 1) -> list[timedelta]:
    dues = [after(Outcome.DEFERRED, key=key, tries=tries).due_at for key in keys]
    return [due_at - NOW for due_at in dues if due_at]


CONSECUTIVE = range(1, 10_001)
FIRST = make_id(1_795_330_800_000_000, 517)
FRESH = range(FIRST, FIRST + 10_000)  # as an import gives them
FAR_APART = range(3, 10_000 << 32, 1 << 32)


@pytest.mark.parametrize("keys", [CONSECUTIVE, FRESH, FAR_APART], ids=["consecutive", "fresh", "far apart"])
@pytest.mark.parametrize(("tries", "share"), [(1, 0.015), (2, 0.006), (6, 0.001)])
def test_messages_deferred_in_one_second_come_back_spread(keys: range, tries: int, share: float) -> None:
    dues = due_in(keys, tries=tries)
    pause = pause_after(tries)
    assert len(dues) == len(keys) == 10_000
    assert all(pause <= due < pause * 5 / 4 for due in dues)
    assert max(Counter(dues).values()) <= share * len(dues)
    parts = Counter((due - pause) * 20 // pause for due in dues)  # each a fifth of the quarter
    assert all(1_950 <= parts[number] <= 2_050 for number in range(5))


def test_a_few_messages_are_spread_as_well_as_many() -> None:
    seconds = sorted(due // timedelta(seconds=1) for due in due_in(range(101, 221)))
    assert max(later - sooner for sooner, later in pairwise(seconds)) <= 10


def test_a_group_that_is_deferred_is_settled_in_few_statements() -> None:
    for first in (1, 77, FIRST):
        assert len(set(due_in(range(first, first + 80)))) <= 11


def test_the_same_delivery_always_comes_back_at_the_same_time() -> None:
    assert due_in(CONSECUTIVE) == due_in(CONSECUTIVE)
    assert due_in(reversed(CONSECUTIVE)) == due_in(CONSECUTIVE)[::-1]


@given(st.integers(0, 2**63 - 1), st.integers(1, 12))
def test_no_delivery_comes_back_before_its_pause_or_a_quarter_later(key: int, tries: int) -> None:
    assert pause_after(tries) <= pause_of(key, tries) < pause_after(tries) * 5 / 4
    assert pause_of(key, tries) % timedelta(seconds=1) == timedelta()


def test_a_delivery_is_given_up_when_its_pauses_would_exceed_the_lifetime() -> None:
    pauses = [rest_through(tries) for tries in range(1, 12)]
    assert pauses[:3] == [timedelta(minutes=5), timedelta(minutes=20), timedelta(minutes=50)]
    assert pauses[9] < RetryRules().lifetime < pauses[10]
    assert after(Outcome.DEFERRED, tries=10).due_at == NOW + timedelta(hours=4)
    assert after(Outcome.DEFERRED, key=8, tries=10).due_at == NOW + timedelta(hours=4, seconds=2224)
    over = after(Outcome.DEFERRED, tries=11)
    assert (over.state, over.reply) == (DeliveryState.REJECTED, "gave up after 11 tries: 4.2.2 mailbox full")
    exact = RetryRules(lifetime=timedelta(minutes=50))
    for key in range(1, 200):  # the number of tries does not depend on the spread
        assert after(Outcome.DEFERRED, key=key, tries=3, rules=exact).state is DeliveryState.DEFERRED
        assert after(Outcome.DEFERRED, key=key, tries=4, rules=exact).state is DeliveryState.REJECTED


def test_a_message_that_reached_no_server_goes_again_at_once_but_not_forever() -> None:
    assert [after(Outcome.UNSENT, key=8, tries=tries).due_at for tries in (1, 2, 3)] == [
        NOW,
        NOW,
        NOW + timedelta(minutes=30, seconds=278),
    ]


@pytest.mark.parametrize(
    ("rules", "again"),
    [
        (RetryRules(), [False, False, False, False]),
        (RESEND, [True, True, True, False]),
        (RetryRules(doubt=Doubt.RESEND, lifetime=timedelta(minutes=20)), [True, True, False, False]),
        (BRIEF, [False, False, False, False]),
    ],
)
def test_an_unanswered_message_goes_again_at_most_three_times_and_within_its_lifetime(
    rules: RetryRules, again: list[bool]
) -> None:
    assert [goes_again(tries, rules) for tries in (1, 2, 3, 4)] == again
    states = [after(Outcome.UNCERTAIN, tries=tries, rules=rules).state for tries in (1, 2, 3, 4)]
    assert [state is DeliveryState.DEFERRED for state in states] == again


def test_an_uncertain_delivery_is_held_or_sent_again_as_the_rules_say() -> None:
    assert after(Outcome.UNCERTAIN, rules=RESEND).state is DeliveryState.DEFERRED
    assert after(Outcome.UNCERTAIN, tries=4, rules=RESEND).state is DeliveryState.UNCERTAIN
    assert after(Outcome.UNCERTAIN, rules=BRIEF).state is DeliveryState.UNCERTAIN
