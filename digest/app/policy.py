"""Decide what the clock asks for: which occurrences to compose, and what an edition's time means for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import takewhile

from digest.model import Due, EditionRecord, EditionState
from digest.publication import Digest, Review
from digest.schedule import dues
from digest.schedule_text import parse_schedule
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasions:
    """What has come due for one digest since its last occurrence."""

    compose: tuple[Due, ...] = ()
    missed: tuple[Due, ...] = ()  # too late to be sent; their posts are carried


def occasions(digest: Digest, *, after: datetime, done: Collection[date], now: datetime) -> Occasions:
    """Sort the occurrences whose cutoff has come: those to compose, and those an outage made too late.

    Only those due later than `after` count; `done` are the local dates that are done with. After an
    outage, of several that could still be sent late only the last one is: it holds the others' posts.
    """
    late: list[Due] = []
    ahead: list[Due] = []
    for due in _come_due(digest, after, now):
        if due.local_date not in done:
            (ahead if due.send_at >= now else late).append(due)
    sendable = late[-1:] if late and late[-1].send_at + digest.late >= now else []
    return Occasions(compose=tuple(sendable + ahead), missed=tuple(late[: len(late) - len(sendable)]))


def _come_due(digest: Digest, after: datetime, now: datetime) -> Iterator[Due]:
    coming = dues(digest, parse_schedule(digest.schedule), after=after)
    return takewhile(lambda due: due.cutoff_at <= now, coming)


class Step(StrEnum):
    """What happens to an edition now."""

    WAIT = "wait"
    SEND = "send"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A step, and in one sentence why."""

    step: Step
    reason: str = ""


def review_of(record: EditionRecord, digest: Digest) -> Review:
    """Return which review an edition needs: all that a gathered one tells was reviewed when it first went.

    So it is not skipped for want of approval; but where everything is held, it is held too.
    """
    gathered = record.frequency is not Frequency.EACH
    return Review.SEND if gathered and digest.review is Review.SKIP else digest.review


def ruling(
    record: EditionRecord, digest: Digest | None, now: datetime, *, stopped: str | None = None
) -> Ruling:
    """Say what happens to an edition: at its send time the digest's review policy decides.

    One that is being sent goes on. One approved late goes late: its time counts from its approval.
    `stopped` is an edition a gathered one tells again that was paused or cancelled since.
    """
    send_at = record.edition.send_at
    if record.paused_at:
        return Ruling(Step.WAIT, f"is paused{f': {record.reason}' if record.reason else ''}")
    if record.state is EditionState.SENDING:
        return Ruling(Step.SEND, "goes on")
    if record.state not in (EditionState.DRAFT, EditionState.APPROVED) or send_at > now:
        return Ruling(Step.WAIT)
    if digest is None:
        return Ruling(Step.WAIT, f"there is no digest {record.edition.digest!r} in config.toml any more")
    if record.frequency not in (Frequency.EACH, *digest.frequencies):
        return Ruling(Step.SKIP, f"{record.frequency} editions are not offered any more")
    if stopped is not None:
        return Ruling(Step.SKIP, f"{stopped} was stopped: it is made anew without that")
    if record.state is EditionState.APPROVED:
        since = max(send_at, record.approved_at or send_at)
        return _in_time(since, digest, now)
    review = review_of(record, digest)
    if review is Review.HOLD:
        return Ruling(Step.WAIT, "waits for approval")
    if review is Review.SKIP:
        return Ruling(Step.SKIP, "nobody approved it before its send time")
    return _in_time(send_at, digest, now)


def _in_time(since: datetime, digest: Digest, now: datetime) -> Ruling:
    if now - since <= digest.late:
        return Ruling(Step.SEND)
    return Ruling(Step.SKIP, "it was too late to send it; its posts are carried to the next edition")
