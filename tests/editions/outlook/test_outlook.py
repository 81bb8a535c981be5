"""An edition's state in one sentence: every phase has its own, with the time, the policy and the readers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.editions.outlook.phases import DeskStep, Outlook, Phase, held_reason, phase_of, possible_steps
from digest.editions.outlook.sentence import coming_sentence, left_words, sentence, stressed
from digest.editions.outlook.timeline import timeline
from digest.editions.outlook.words import at_words, clock_words, span_words
from digest.model.deliveries import Counts, DeliveryState
from digest.model.editions import Due, EditionRecord, EditionState
from digest.model.publication import Digest, Review
from digest.render.sample import sample_edition
from digest.schedule.staff_notices import Copies

SIX_THIRTY = datetime(2026, 11, 30, 5, 30, tzinfo=UTC)  # in Berlin
SEVEN = SIX_THIRTY + timedelta(minutes=30)
NOW = SIX_THIRTY + timedelta(minutes=6)
DAILY = Digest(slug="daily", title="Daily", schedule="weekdays at 07:00", sender="d@digest.test")
STATES = list(EditionState)
READERS = 2_312


def outlook(state: EditionState, review: Review = Review.SEND, **values: Any) -> Outlook:
    edition = replace(
        sample_edition(), digest="daily", zone="Europe/Berlin", cutoff_at=SIX_THIRTY, send_at=SEVEN
    )
    own = {name: values.pop(name) for name in list(values) if name in EditionRecord.__slots__}
    record = replace(EditionRecord(edition=edition, hash="7c1e", state=state), **own)
    digest = replace(DAILY, review=review, head_start=values.pop("head_start", minutes(0)))
    whole = Outlook(record=record, digest=digest, readers=READERS)
    return replace(whole, **values)


def counts(**numbers: int) -> Counts:
    return Counts(by_state=tuple((DeliveryState[name], number) for name, number in numbers.items()))


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


DRAFT, APPROVED, SENDING = EditionState.DRAFT, EditionState.APPROVED, EditionState.SENDING
MAREN: dict[str, Any] = {"approved_by": "Maren Kolb", "approved_at": NOW + minutes(5)}
JONAS: dict[str, Any] = {
    "paused_at": NOW + minutes(8),
    "reason": held_reason("Jonas Behr", "Wait for the court ruling."),
}
PAUSED: dict[str, Any] = {
    "started_at": SEVEN,
    "paused_at": SEVEN + minutes(1),
    "reason": held_reason("Ida Lund", ""),
}
LATE: dict[str, Any] = {"approved_by": "Maren Kolb", "approved_at": SEVEN + minutes(30)}
COPIES = (Copies("7c1e", SEVEN - minutes(5)),)
LATE_COPIES = (Copies("7c1e", SEVEN + minutes(31)),)
VOID: dict[str, Any] = {"voided_at": NOW, "reason": "Jonas rewrote a headline"}


NEEDS = "Needs approval by 07:00, in 24 minutes, or it will not be sent"
NO_LONGER = "No longer approved: Jonas rewrote a headline."


@pytest.mark.parametrize(
    ("found", "at", "said"),
    [
        (
            outlook(DRAFT),
            NOW,
            "Draft. Sends automatically at 07:00, in 24 minutes, to 2,312 readers.",
        ),
        (
            outlook(DRAFT, Review.SKIP),
            NOW,
            "Draft. Needs approval by 07:00, in 24 minutes, or it will not be sent.",
        ),
        (
            outlook(DRAFT, Review.HOLD),
            NOW,
            f"Draft. {NEEDS} until someone approves it.",
        ),
        (
            outlook(DRAFT, Review.HOLD),
            SEVEN + minutes(5),
            "Draft. It was due at 07:00 and waits for approval.",
        ),
        (
            outlook(DRAFT, Review.SKIP),
            SEVEN,
            "Draft. It was due at 07:00 and is about to be skipped: nobody approved it before its send time.",
        ),
        (
            outlook(APPROVED, **MAREN),
            NOW + minutes(5),
            "Approved by Maren at 06:41. Sends at 07:00, in 19 minutes, to 2,312 readers.",
        ),
        (
            outlook(DRAFT, **VOID),
            NOW,
            f"{NO_LONGER} Still sends automatically at 07:00, in 24 minutes.",
        ),
        (
            outlook(DRAFT, Review.SKIP, **VOID),
            NOW,
            f"{NO_LONGER} {NEEDS}.",
        ),
        (
            outlook(DRAFT, **JONAS),
            NOW + minutes(9),
            "Held by Jonas at 06:44: “Wait for the court ruling.” Nothing is sent until someone resumes it.",
        ),
        (
            outlook(DRAFT, paused_at=NOW, reason="paused by hand"),
            NOW,
            "Held at 06:36: “paused by hand.” Nothing is sent until someone resumes it.",
        ),
        (
            outlook(DRAFT, writer="Jonas"),
            SEVEN + minutes(1),
            "Jonas has unsaved edits. Waiting until 07:03, 2 minutes more, then sending without them.",
        ),
        (
            outlook(APPROVED, head_start=minutes(5), copies=COPIES),
            SEVEN - minutes(4),
            "Staff got their copies at 06:55. Readers get theirs at 07:00, in 4 minutes.",
        ),
        (
            outlook(APPROVED, head_start=minutes(5), approved_by="Maren Kolb"),
            SEVEN - minutes(4),
            "Approved by Maren. Sends at 07:00, in 4 minutes, to 2,312 readers.",
        ),
        (
            outlook(APPROVED, head_start=minutes(5), copies=LATE_COPIES, **LATE),
            SEVEN + minutes(32),
            "Staff got their copies at 07:31. Readers get theirs at 07:36, in 4 minutes.",
        ),
        (
            outlook(APPROVED, **LATE),
            SEVEN + minutes(30.5),
            "Approved by Maren at 07:30. It was due at 07:00 and begins to go out now, to 2,312 readers.",
        ),
        (
            outlook(APPROVED, **LATE),
            SEVEN + minutes(35),
            "Delayed since 07:30: sending has not begun. Trying every minute until 11:30.",
        ),
        (
            outlook(DRAFT),
            SEVEN + timedelta(seconds=5),
            "Draft. It was due at 07:00 and begins to go out now, to 2,312 readers.",
        ),
        (
            outlook(SENDING, started_at=SEVEN, counts=counts(ACCEPTED=1488, QUEUED=824)),
            SEVEN + timedelta(seconds=80),
            "Sending: 1,488 of 2,312 delivered, about 44 seconds left.",
        ),
        (
            outlook(SENDING, started_at=SEVEN, counts=counts(QUEUED=2312)),
            SEVEN,
            "Sending: 0 of 2,312 delivered.",
        ),
        (
            outlook(SENDING, **PAUSED, counts=counts(ACCEPTED=1488, QUEUED=824)),
            SEVEN + minutes(2),
            "Paused by Ida at 07:01. 1,488 readers have it, 824 are waiting.",
        ),
        (
            outlook(APPROVED, trouble="the mail server does not answer"),
            SEVEN + minutes(2),
            "Delayed since 07:00: the mail server does not answer. Trying every minute until 11:00.",
        ),
        (
            outlook(
                EditionState.SENT,
                finished_at=SEVEN + minutes(2),
                counts=counts(ACCEPTED=2307, UNCERTAIN=2, SKIPPED=4, REJECTED=3),
                bounced=1,
            ),
            SEVEN + minutes(9),
            "Sent. 2,307 of 2,312 delivered by 07:02; 1 bounced, 3 rejected, 2 uncertain.",
        ),
        (
            outlook(EditionState.SKIPPED, reason="skipped by Ida: Harbour Day"),
            NOW,
            "Skipped: by Ida: Harbour Day.",
        ),
        (
            outlook(EditionState.CANCELLED, finished_at=NOW, reason="a wrong lead"),
            NOW,
            "Cancelled at 06:36: a wrong lead.",
        ),
    ],
)
def test_each_state_has_its_sentence(found: Outlook, at: datetime, said: str) -> None:
    assert sentence(found, at) == said


def test_a_digest_without_an_edition_says_what_comes_next() -> None:
    saturday = Due(
        local_date=datetime(2026, 12, 5, tzinfo=UTC).date(),
        cutoff_at=datetime(2026, 12, 5, 7, 30, tzinfo=UTC),
        send_at=datetime(2026, 12, 5, 8, tzinfo=UTC),
    )
    weekend = replace(DAILY, zone="Europe/Berlin")
    assert coming_sentence(weekend, saturday, 1140, NOW) == (
        "Collects posts until Saturday 08:30, then sends at 09:00 to 1,140 readers."
    )
    asks = replace(weekend, review=Review.SKIP)
    assert "then needs approval by 09:00 to be sent to 1 reader." in coming_sentence(asks, saturday, 1, NOW)


@given(
    state=st.sampled_from(STATES),
    review=st.sampled_from(list(Review)),
    after=st.integers(-600, 4_000),
    is_paused=st.booleans(),
    is_void=st.booleans(),
    has_staff=st.booleans(),
)
@settings(max_examples=200)
def test_every_edition_at_every_moment_has_one_whole_sentence_and_its_buttons(
    *, state: EditionState, review: Review, after: int, is_paused: bool, is_void: bool, has_staff: bool
) -> None:
    now = SIX_THIRTY + minutes(after)
    open_states = (DRAFT, APPROVED, SENDING)
    found = outlook(
        state,
        review,
        paused_at=SIX_THIRTY if is_paused and state in open_states else None,
        voided_at=SIX_THIRTY if is_void and state is DRAFT else None,
        started_at=SEVEN if state is SENDING else None,
        head_start=minutes(5 if has_staff else 0),
    )
    said = sentence(found, now)
    assert said.endswith(".")
    assert ".." not in said
    assert ": ." not in said
    phase = phase_of(found, now)
    ways_on = set(possible_steps(found, now))
    assert (DeskStep.RESUME in ways_on) == (phase in (Phase.HELD, Phase.PAUSED))
    assert bool(ways_on) == (state in open_states)
    line = timeline(found, now)
    assert (line is not None) == (state in (DRAFT, APPROVED))
    if line:
        assert all(0 <= point.place <= 100 for point in line.points)
        assert [point.place for point in line.points if not point.is_now] == sorted(
            point.place for point in line.points if not point.is_now
        )


def test_the_timeline_says_what_its_label_says() -> None:
    line = timeline(outlook(DRAFT, head_start=minutes(5)), NOW)
    assert line is not None
    assert [(point.text, point.place) for point in line.points] == [
        ("06:30 cutoff", 0.0),
        ("06:55 staff copies", 83.3),
        ("07:00 readers", 100.0),
        ("now 06:36", 20.0),
    ]
    assert line.label == (
        "Cutoff was at 06:30. It is now 06:36. Staff copies go out at 06:55, readers’ copies at 07:00."
    )


def test_the_timeline_follows_a_wait_for_unsaved_text_and_copies_that_went_out_late() -> None:
    waiting, late = outlook(DRAFT, writer="Jonas"), outlook(APPROVED, copies=LATE_COPIES, **LATE)
    late = replace(late, digest=replace(DAILY, head_start=minutes(5)))
    at = SEVEN + minutes(1)
    line = timeline(waiting, at)
    assert line is not None
    assert [point.text for point in line.points] == ["06:30 cutoff", "07:03 readers", "now 07:01"]
    assert "It is now 07:01. Readers’ copies go out at 07:03." in line.label
    assert left_words(waiting, at) == "2 min left"
    line = timeline(late, SEVEN + minutes(32))
    assert line is not None
    assert line.label.endswith("Staff copies went out at 07:31, readers’ copies at 07:36.")
    assert [point.text for point in line.points if not point.is_now][1:] == [
        "07:31 staff copies",
        "07:36 readers",
    ]


def test_times_have_as_much_of_the_date_as_is_needed() -> None:
    assert clock_words(SEVEN, "Europe/Berlin", NOW) == "07:00"
    assert at_words(SEVEN + timedelta(days=4), "Europe/Berlin", NOW) == "on Friday at 07:00"
    assert at_words(SEVEN + timedelta(days=10), "Europe/Berlin", NOW) == "on 10 December at 07:00"
    assert clock_words(SEVEN + timedelta(days=40), "Europe/Berlin", NOW) == "9 January 2027 07:00"
    assert clock_words(SEVEN - timedelta(days=1), "Europe/Berlin", NOW) == "yesterday 07:00"
    assert at_words(SEVEN + timedelta(days=1), "Europe/Berlin", NOW) == "tomorrow at 07:00"
    spans = [timedelta(seconds=1), minutes(1.6), minutes(100), timedelta(hours=40)]
    assert [span_words(span) for span in spans] == ["1 second", "2 minutes", "2 hours", "2 days"]


def test_times_and_numbers_are_stressed() -> None:
    said = sentence(outlook(DRAFT), NOW)
    assert "".join(part for part, _ in stressed(said)) == said
    assert [part for part, strong in stressed(said) if strong] == ["07:00", "24 minutes", "2,312 readers"]
    assert left_words(outlook(DRAFT), NOW) == "24 min left"
    assert left_words(outlook(DRAFT), NOW - timedelta(hours=20)) == "20 hours left"
    assert left_words(outlook(DRAFT), SEVEN) == ""
