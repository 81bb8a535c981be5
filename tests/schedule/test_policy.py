from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from digest.model.editions import EditionRecord, EditionState
from digest.model.publication import Digest, Gathering, Review
from digest.render.sample import sample_edition
from digest.schedule.policy import UNSAVED, EditionStep, Ruling, occasions, ruling
from subscribers.model import Frequency

DAILY = Digest(slug="daily", title="Daily", schedule="every day at 07:00", sender="daily@digest.example.org")
MONDAY = datetime(2026, 11, 23, 7, tzinfo=UTC)
SUNDAY = MONDAY - timedelta(days=1)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def dates(now: datetime, digest: Digest = DAILY, done: tuple[date, ...] = ()) -> tuple[list[int], list[int]]:
    """Return the days of the month to compose, and those missed, counted from Sunday the 22nd."""
    found = occasions(digest, after=SUNDAY, done=done, now=now)
    return [due.local_date.day for due in found.compose], [due.local_date.day for due in found.missed]


@pytest.mark.parametrize(
    ("now", "compose", "missed"),
    [
        (MONDAY - minutes(31), [], []),
        (MONDAY - minutes(30), [23], []),
        (MONDAY, [23], []),
        (MONDAY + timedelta(hours=4), [23], []),  # late, and within the limit
        (MONDAY + timedelta(hours=4, seconds=1), [], [23]),
        (MONDAY + timedelta(days=2, hours=1), [25], [23, 24]),
        (MONDAY + timedelta(days=2, hours=5), [], [23, 24, 25]),
        (MONDAY + timedelta(days=1) - minutes(10), [24], [23]),
    ],
)
def test_occurrences_that_have_become_due(now: datetime, compose: list[int], missed: list[int]) -> None:
    assert dates(now) == (compose, missed)


def test_of_several_late_ones_only_the_last_is_composed() -> None:
    patient = replace(DAILY, late=timedelta(days=7))
    assert dates(MONDAY + timedelta(days=2, hours=1), patient) == ([25], [23, 24])


def test_a_date_that_is_done_is_not_done_again() -> None:
    assert dates(MONDAY, done=(date(2026, 11, 23),)) == ([], [])


def test_an_early_cutoff_may_have_several_ahead() -> None:
    early = replace(DAILY, cutoff=timedelta(hours=36))
    assert dates(MONDAY - timedelta(hours=8), early) == ([23, 24], [])


def record(state: EditionState, approved_at: datetime | None = None) -> EditionRecord:
    edition = replace(sample_edition(), digest="daily", send_at=MONDAY)
    return EditionRecord(edition=edition, hash="", state=state, approved_at=approved_at)


def step(record: EditionRecord, now: datetime, review: Review = Review.SEND) -> EditionStep:
    return ruling(record, replace(DAILY, review=review), now).step


def test_nothing_happens_before_the_send_time() -> None:
    for review in Review:
        assert step(record(EditionState.DRAFT), MONDAY - minutes(1), review) is EditionStep.WAIT
    assert step(record(EditionState.APPROVED), MONDAY - minutes(1)) is EditionStep.WAIT


@pytest.mark.parametrize(
    ("review", "expected"),
    [(Review.SEND, EditionStep.SEND), (Review.HOLD, EditionStep.WAIT), (Review.SKIP, EditionStep.SKIP)],
)
def test_at_the_send_time_the_review_policy_decides_on_a_draft(review: Review, expected: EditionStep) -> None:
    assert step(record(EditionState.DRAFT), MONDAY, review) is expected


@pytest.mark.parametrize("review", list(Review))
def test_an_approved_edition_goes_under_every_policy(review: Review) -> None:
    assert step(record(EditionState.APPROVED), MONDAY, review) is EditionStep.SEND


def test_a_draft_waits_a_few_minutes_for_text_that_is_not_saved() -> None:
    draft, approved = record(EditionState.DRAFT), record(EditionState.APPROVED)
    waits = ruling(draft, DAILY, MONDAY, writer="Jonas")
    assert waits == Ruling(EditionStep.WAIT, "waits a few minutes for the unsaved edits of Jonas")
    assert ruling(draft, DAILY, MONDAY + UNSAVED, writer="Jonas").step is EditionStep.SEND
    assert ruling(approved, DAILY, MONDAY, writer="Jonas").step is EditionStep.SEND


def test_a_draft_that_missed_its_time_by_too_much_is_skipped() -> None:
    assert step(record(EditionState.DRAFT), MONDAY + timedelta(hours=4)) is EditionStep.SEND
    assert step(record(EditionState.DRAFT), MONDAY + timedelta(hours=5)) is EditionStep.SKIP


def test_one_on_hold_waits_however_long_and_goes_when_it_is_approved() -> None:
    later = MONDAY + timedelta(days=3)
    assert step(record(EditionState.DRAFT), later, Review.HOLD) is EditionStep.WAIT
    assert step(record(EditionState.APPROVED, approved_at=later), later, Review.HOLD) is EditionStep.SEND


def test_one_approved_in_time_and_missed_by_an_outage_is_skipped() -> None:
    approved = record(EditionState.APPROVED, approved_at=MONDAY - minutes(10))
    assert step(approved, MONDAY + timedelta(hours=5)) is EditionStep.SKIP


@pytest.mark.parametrize("state", [EditionState.SENT, EditionState.SKIPPED, EditionState.CANCELLED])
def test_finished_editions_are_not_touched(state: EditionState) -> None:
    assert step(record(state), MONDAY) is EditionStep.WAIT


def test_sending_continues_even_without_the_digest() -> None:
    assert ruling(record(EditionState.SENDING), None, MONDAY + timedelta(days=9)).step is EditionStep.SEND


def test_an_edition_of_a_removed_digest_waits_and_says_so() -> None:
    found = ruling(record(EditionState.DRAFT), None, MONDAY)
    assert (found.step, "config.toml" in found.reason) == (EditionStep.WAIT, True)


def gathered(state: EditionState) -> EditionRecord:
    return replace(record(state), frequency=Frequency.WEEKLY)


OFFERED = replace(DAILY, gather=(Gathering(frequency=Frequency.WEEKLY, schedule="mondays at 08:00"),))


@pytest.mark.parametrize(
    ("review", "expected"),
    [(Review.SEND, EditionStep.SEND), (Review.HOLD, EditionStep.WAIT), (Review.SKIP, EditionStep.SEND)],
)
def test_a_gathered_edition_needs_no_second_approval_unless_all_are_held(
    review: Review, expected: EditionStep
) -> None:
    digest = replace(OFFERED, review=review)
    assert ruling(gathered(EditionState.DRAFT), digest, MONDAY).step is expected


@pytest.mark.parametrize("state", [EditionState.DRAFT, EditionState.APPROVED])
def test_a_gathered_edition_is_skipped_if_its_content_was_stopped_or_it_is_not_offered(
    state: EditionState,
) -> None:
    stopped = ruling(gathered(state), OFFERED, MONDAY, stopped="daily-2026-11-22")
    assert (stopped.step, "daily-2026-11-22 was stopped" in stopped.reason) == (EditionStep.SKIP, True)
    gone = ruling(gathered(state), DAILY, MONDAY)
    assert (gone.step, gone.reason) == (EditionStep.SKIP, "weekly editions are not offered any more")


def test_a_gathered_edition_that_is_being_sent_goes_on() -> None:
    sending = gathered(EditionState.SENDING)
    assert ruling(sending, DAILY, MONDAY, stopped="daily-2026-11-22").step is EditionStep.SEND
