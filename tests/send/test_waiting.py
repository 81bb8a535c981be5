from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.send.waiting import Waiting

NEW = Waiting()
seconds = st.floats(min_value=-1, max_value=1e6, allow_nan=False)


def after(turns: int, waited: float, passed: float, before: Waiting = NEW) -> Waiting:
    for _ in range(turns):
        before = before.after(waited, passed)
    return before


def test_a_sender_that_never_waits_is_the_slower_one() -> None:
    assert not NEW.is_much
    assert not after(50, 0.0, 0.01).is_much


def test_a_sender_that_mostly_waits_has_slower_servers() -> None:
    assert after(5, 0.009, 0.010).is_much


def test_one_long_wait_among_many_short_ones_says_nothing() -> None:
    assert not after(20, 0.0, 0.01).after(1.0, 1.0).is_much


def test_what_was_long_ago_is_forgotten() -> None:
    assert not after(50, 0.0, 0.01, after(50, 0.01, 0.01)).is_much


@pytest.mark.parametrize("passed", [0.0, -1.0])
def test_a_clock_that_stands_still_tells_nothing(passed: float) -> None:
    assert not after(5, 1.0, passed).is_much


@given(st.lists(st.tuples(seconds, seconds)))
def test_a_share_is_between_nothing_and_all(turns: list[tuple[float, float]]) -> None:
    waiting = NEW
    for waited, passed in turns:
        waiting = waiting.after(waited, passed)
    assert 0 <= waiting.share <= 1
