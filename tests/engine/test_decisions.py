from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from digest.engine.decisions import BEATS, Sign, Watchdog, pause_after
from digest.model.errors import NotFoundError, OutageError, TransportError
from digest.schedule.jobs import NewerJobError

START = datetime(2026, 11, 23, 7, tzinfo=UTC)


def sign(beat: int = 0, *, fetched: int = 0, is_idle: bool = False) -> Sign:
    return Sign(heartbeat_at=START + timedelta(seconds=3 * beat), fetched=fetched, is_idle=is_idle)


def verdicts(*signs: Sign) -> list[str]:
    watchdog, found = Watchdog(), []
    for each in signs:
        watchdog = watchdog.after(each)
        found.append(watchdog.verdict)
    return found


def test_a_heartbeat_that_moves_is_a_sign_of_life() -> None:
    assert not any(verdicts(*(sign(beat) for beat in range(20))))


def test_a_heartbeat_that_stands_still_for_three_beats_means_that_the_worker_is_deaf() -> None:
    *before, last = verdicts(*(sign() for _ in range(BEATS + 1)))
    assert before == [""] * BEATS
    assert "has not moved for 3 beats" in last


def test_a_heartbeat_that_is_late_by_two_beats_is_not_deafness() -> None:
    assert not any(verdicts(sign(0), sign(0), sign(0), sign(1), sign(1), sign(1), sign(2)))


def test_a_worker_whose_row_is_gone_is_deaf_at_once() -> None:
    gone = Sign(heartbeat_at=None, fetched=0, is_idle=False)
    assert "its row is gone" in verdicts(sign(), gone)[-1]


def test_a_worker_that_leaves_jobs_waiting_although_it_has_lines_is_deaf() -> None:
    found = verdicts(*(sign(beat, is_idle=True) for beat in range(BEATS + 1)))
    assert "it has fetched none" in found[-1]
    assert not any(found[:-1])


def test_a_worker_that_fetches_is_not_deaf_although_more_jobs_wait() -> None:
    assert not any(verdicts(*(sign(beat, fetched=beat, is_idle=True) for beat in range(20))))


def test_a_worker_whose_lines_are_busy_may_leave_jobs_waiting() -> None:
    assert not any(verdicts(*(sign(beat, is_idle=beat % 2 == 0) for beat in range(20))))


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (OutageError("away"), [1, 2, 4, 8, 10, 10]),
        (TransportError("smtp.example.org", "cannot be reached"), [10] * 6),
        (ZeroDivisionError(), [60] * 6),
        (NewerJobError("send daily 1"), [10, 20, 30, 40, 50, 60]),
        (NotFoundError("edition", "daily", ()), [None] * 6),
    ],
)
def test_a_failed_job_is_tried_again_unless_its_subject_is_gone(
    error: Exception, pauses: list[int | None]
) -> None:
    assert [pause_after(error, attempts) for attempts in range(6)] == pauses
