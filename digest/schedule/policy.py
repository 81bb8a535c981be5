"""Decide which occurrences to compose now, and whether an edition is sent, skipped or waits."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from digest.model.editions import Due, EditionRecord, EditionState
from digest.model.publication import Digest, Review
from digest.schedule.cadence import Cadence
from subscribers.model import Frequency

POLICY = "review policy"  # approves editions that need no person's approval
UNSAVED = timedelta(minutes=3)  # so long an edition waits at its send time for somebody with unsaved text


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasions:
    """The occurrences of one digest that have become due since the last one."""

    compose: tuple[Due, ...] = ()
    skipped: tuple[Due, ...] = ()  # named in the digest's `skip`
    missed: tuple[Due, ...] = ()  # too late to be sent; their posts are carried over to the next edition


def occasions(digest: Digest, *, after: datetime, done: Collection[date], now: datetime) -> Occasions:
    """Return the occurrences whose cutoff has passed: those to compose, to skip, or too late.

    Only occurrences that are due after `after` count, and not those whose local date is in `done`.
    """
    # If several late occurrences could still be sent after an outage, only the last is: its edition contains
    # the posts of all of them.
    skipped: list[Due] = []
    late: list[Due] = []
    ahead: list[Due] = []
    for due in _come_due(digest, after, now):
        if due.local_date in done:
            continue
        if due.local_date in digest.skip:
            skipped.append(due)
        else:
            (ahead if due.send_at >= now else late).append(due)
    sendable = late[-1:] if late and late[-1].send_at + digest.late >= now else []
    return Occasions(
        compose=tuple(sendable + ahead),
        skipped=tuple(skipped),
        missed=tuple(late[: len(late) - len(sendable)]),
    )


def _come_due(digest: Digest, after: datetime, now: datetime) -> Iterator[Due]:
    coming = Cadence(digest=digest).coming(after, with_skipped=True)
    return takewhile(lambda due: due.cutoff_at <= now, coming)


class EditionStep(StrEnum):
    """The step that an edition takes now."""

    WAIT = "wait"
    SEND = "send"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A step, and one sentence that gives the reason."""

    step: EditionStep
    reason: str = ""


def review_of(record: EditionRecord, digest: Digest) -> Review:
    """Return the review policy for an edition.

    A gathered edition is not skipped because nobody approved it: its content was reviewed when it first went
    out. If every edition is held for approval, a gathered edition is held too.
    """
    gathered = record.frequency is not Frequency.EACH
    return Review.SEND if gathered and digest.review is Review.SKIP else digest.review


def ruling(
    record: EditionRecord,
    digest: Digest | None,
    now: datetime,
    *,
    stopped: str | None = None,
    writer: str = "",
) -> Ruling:
    """Decide what happens to an edition now; from its send time on, the digest's review policy decides.

    `stopped` names an edition that is part of this gathered edition and was paused or cancelled since.
    `writer` names a person with text that is not saved; the edition waits a few minutes for it.
    """
    send_at = record.edition.send_at
    if record.paused_at:
        return Ruling(EditionStep.WAIT, f"is paused{f': {record.reason}' if record.reason else ''}")
    if record.state is EditionState.SENDING:
        return Ruling(EditionStep.SEND, "sending continues")
    if not record.is_ahead or send_at > now:
        return Ruling(EditionStep.WAIT)
    if digest is None:
        return Ruling(EditionStep.WAIT, f"digest {record.edition.digest!r} is not in config.toml any more")
    if record.frequency not in (Frequency.EACH, *digest.frequencies):
        return Ruling(EditionStep.SKIP, f"{record.frequency} editions are not offered any more")
    if stopped is not None:
        return Ruling(EditionStep.SKIP, f"{stopped} was stopped; a new edition is made without it")
    if record.state is EditionState.APPROVED:
        # An edition that was approved after its send time may go out late: its time counts from the approval.
        since = max(send_at, record.approved_at or send_at)
        return _in_time(since, digest, now)
    return _unapproved(record, digest, now, writer)


def _unapproved(record: EditionRecord, digest: Digest, now: datetime, writer: str) -> Ruling:
    """Decide what happens at its send time to an edition that nobody has approved."""
    review, send_at = review_of(record, digest), record.edition.send_at
    # If an approval became void after the send time, the edition is no later than that.
    since = max(send_at, record.voided_at or send_at)
    if review is Review.SEND:
        if writer and now < send_at + UNSAVED:
            return Ruling(EditionStep.WAIT, f"waits a few minutes for the unsaved edits of {writer}")
        return _in_time(since, digest, now)
    if review is Review.HOLD:
        return Ruling(EditionStep.WAIT, f"waits for approval{_why_void(record)}")
    if record.voided_at and now - since <= digest.late:
        # Somebody had approved it, and could not know that the approval would be void.
        return Ruling(EditionStep.WAIT, f"waits for a new approval{_why_void(record)}")
    return Ruling(EditionStep.SKIP, "nobody approved it before its send time")


def _why_void(record: EditionRecord) -> str:
    return f", because {record.reason}" if record.voided_at and record.reason else ""


def _in_time(since: datetime, digest: Digest, now: datetime) -> Ruling:
    if now - since <= digest.late:
        return Ruling(EditionStep.SEND)
    return Ruling(
        EditionStep.SKIP, "it was too late to send it; its posts are carried over to the next edition"
    )
