from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.smtp.transport import WaitingShare

NEW = WaitingShare()
seconds = st.floats(min_value=-1, max_value=1e6, allow_nan=False)


def after(turns: int, waited: float, passed: float, before: WaitingShare = NEW) -> WaitingShare:
    for _ in range(turns):
        before = before.after(waited, passed)
    return before


def test_a_sender_that_never_waits_is_the_slower_one() -> None:
    assert NEW.part_of(80) == 0
    assert after(50, 0.0, 0.01).part_of(80) == 0


def test_a_sender_that_mostly_waits_has_slower_servers() -> None:
    assert after(5, 0.009, 0.010).part_of(80) == 80


def test_one_long_wait_among_many_short_ones_says_nothing() -> None:
    assert after(20, 0.0, 0.01).after(1.0, 1.0).part_of(80) < 40


def test_waits_long_ago_are_forgotten() -> None:
    assert after(50, 0.0, 0.01, after(50, 0.01, 0.01)).part_of(80) == 0


def test_the_last_replies_to_each_group_do_not_make_groups_smaller() -> None:
    assert after(50, 0.0014, 0.01).part_of(80) == 0
    assert 0 < after(50, 0.0025, 0.01).part_of(80) < 80


@pytest.mark.parametrize("passed", [0.0, -1.0])
def test_a_clock_that_stands_still_tells_nothing(passed: float) -> None:
    assert after(5, 1.0, passed).part_of(80) == 0


@given(st.lists(st.tuples(seconds, seconds)))
def test_a_share_is_between_nothing_and_all(turns: list[tuple[float, float]]) -> None:
    waiting = NEW
    for waited, passed in turns:
        waiting = waiting.after(waited, passed)
    assert 0 <= waiting.share <= 1
    assert 0 <= waiting.part_of(80) <= 80
