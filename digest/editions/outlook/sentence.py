"""Say in one sentence how an edition stands: its state, until when, and for how many readers."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from digest.editions.approval import in_words
from digest.editions.outlook.phases import Outlook, Phase, hold_of, phase_of
from digest.editions.outlook.words import (
    at_words,
    begun,
    clock_words,
    counted,
    ended,
    first_name,
    first_names,
    local,
    span_words,
)
from digest.model.deliveries import DeliveryState
from digest.model.editions import Due
from digest.model.publication import Digest, Review
from digest.model.tags import fold
from digest.schedule.policy import POLICY, EditionStep, review_of, ruling

_LONG = timedelta(minutes=90)
_STRESSED = re.compile(r"(\b\d\d:\d\d\b|\b\d[\d,]* (?:second|minute|hour|day|reader)s?\b)")


def sentence(outlook: Outlook, now: datetime) -> str:
    """Return the state of an edition in words: what, until when, and for how many readers."""
    said = _SENTENCES[phase_of(outlook, now)](outlook, now)
    return f"{said} {_given(outlook)}" if outlook.given else said


def approvals_text(outlook: Outlook, name: str) -> str:
    """Say who has approved a draft and whose approval is missing, to a person who is about to approve it.

    It is empty for an edition that one person approves.
    """
    persons = len(outlook.given) + outlook.missing
    if persons <= 1 or not outlook.missing:
        return ""
    needs = f"{persons} persons must approve this version."
    more = counted(outlook.missing - 1, "more person")
    if has_given(outlook, name):
        return f"{needs} You have, and {counted(outlook.missing, 'other person')} must do so too."
    others = f"{in_words(outlook.given)} {_have(outlook)}" if outlook.given else "Nobody has yet"
    after = f"after you, {more} must do so too" if outlook.missing > 1 else "yours is the last"
    return f"{needs} {others}; {after}."


def has_given(outlook: Outlook, name: str) -> bool:
    """Tell whether a person has approved a draft that needs more persons."""
    return fold(name) in map(fold, outlook.given)


def _given(outlook: Outlook) -> str:
    are = "is" if outlook.missing == 1 else "are"
    missing = f"{counted(outlook.missing, 'approval')} {are} missing"
    return f"{in_words(outlook.given)} {_have(outlook)} approved it, and {missing}."


def _have(outlook: Outlook) -> str:
    return "has" if len(outlook.given) == 1 else "have"


def stressed(text: str) -> tuple[tuple[str, bool], ...]:
    """Return a sentence in parts, each with whether it is stressed: times, durations and numbers are."""
    parts = _STRESSED.split(text)
    return tuple((part, bool(at % 2)) for at, part in enumerate(parts) if part)


def left_words(outlook: Outlook, now: datetime) -> str:
    """Return the time until an edition is sent, for where there is little room: "24 min left"."""
    waits = phase_of(outlook, now) is Phase.WRITING
    left = (outlook.waits_until if waits else outlook.readers_at) - now
    if not outlook.record.is_ahead or left <= timedelta():
        return ""
    if left < _LONG:
        return f"{max(left // timedelta(minutes=1), 1)} min left"
    return f"{span_words(left)} left"


def _draft(outlook: Outlook, now: datetime) -> str:
    if outlook.record.edition.send_at <= now:
        return f"Draft. {_overdue(outlook, now)}"
    if outlook.sends_by_itself:
        return f"Draft. Sends automatically {_when(outlook, now)}, to {_readers(outlook.readers)}."
    needs = f"Draft. Needs approval by {clock_words(_send_at(outlook), outlook.zone, now)}"
    return f"{needs}, {_in(outlook, now)}, or it will not be sent{_else(outlook)}."


def _overdue(outlook: Outlook, now: datetime) -> str:
    """Return what the policy says about an edition whose send time has passed and that is not sent."""
    found = ruling(outlook.record, outlook.digest, now)
    due = f"It was due {_at(outlook, now)}"
    if found.step is EditionStep.SEND:
        return f"{due} and begins to go out now, to {_readers(outlook.readers)}."
    if found.step is EditionStep.SKIP:
        return f"{due} and is about to be skipped: {ended(found.reason)}"
    if found.reason.startswith("waits"):
        return f"{due} and {ended(found.reason)}"
    return f"{due}: {ended(found.reason)}"


def _else(outlook: Outlook) -> str:
    """Return what becomes of an edition that is not approved in time."""
    holds = outlook.digest is None or review_of(outlook.record, outlook.digest) is Review.HOLD
    return " until someone approves it" if holds else ""


def _void(outlook: Outlook, now: datetime) -> str:
    record = outlook.record
    why = f": {record.reason}" if record.reason else ""
    first = f"No longer approved{why}."
    if record.edition.send_at <= now:
        return f"No longer approved. {_overdue(outlook, now)}"
    if outlook.sends_by_itself:
        return f"{first} Still sends automatically {_when(outlook, now)}."
    by = clock_words(_send_at(outlook), outlook.zone, now)
    return f"{first} Needs approval by {by}, {_in(outlook, now)}, or it will not be sent{_else(outlook)}."


def _approved(outlook: Outlook, now: datetime) -> str:
    record = outlook.record
    first = "Approved automatically"
    if record.approved_by and record.approved_by != POLICY:
        first = f"Approved by {first_names(record.approved_by)}"
    if record.approved_at:
        first += f" {at_words(record.approved_at, outlook.zone, now)}"
    if record.edition.send_at <= now:
        return f"{first}. {_overdue(outlook, now)}"
    return f"{first}. Sends {_when(outlook, now)}, to {_readers(outlook.readers)}."


def _held(outlook: Outlook, now: datetime) -> str:
    return f"{_paused_by('Held', outlook, now)} Nothing is sent until someone resumes it."


def _paused_by(what: str, outlook: Outlook, now: datetime) -> str:
    """Return who has paused an edition, when and why, as a sentence."""
    by, why = hold_of(outlook.record.reason)
    assert outlook.record.paused_at is not None
    at = at_words(outlook.record.paused_at, outlook.zone, now)
    who = f" by {first_name(by)}" if by else ""
    return f"{what}{who} {at}: “{ended(why)}”" if why else f"{what}{who} {at}."


def _writing(outlook: Outlook, now: datetime) -> str:
    until = clock_words(outlook.waits_until, outlook.zone, now)
    left = span_words(outlook.waits_until - now)
    return (
        f"{outlook.writer} has unsaved edits. Waiting until {until}, {left} more, then sending without them."
    )


def _staff(outlook: Outlook, now: datetime) -> str:
    assert outlook.staff_at is not None
    got = at_words(outlook.staff_at, outlook.zone, now)
    at = at_words(outlook.readers_at, outlook.zone, now)
    left = span_words(outlook.readers_at - now)
    return f"Staff got their copies {got}. Readers get theirs {at}, in {left}."


def _delayed(outlook: Outlook, now: datetime) -> str:
    assert outlook.digest is not None
    until = clock_words(outlook.due_since + outlook.digest.late, outlook.zone, now)
    since = clock_words(outlook.due_since, outlook.zone, now)
    why = outlook.trouble or "sending has not begun"
    return f"Delayed since {since}: {ended(why)} Trying every minute until {until}."


def _sending(outlook: Outlook, now: datetime) -> str:
    done, total = outlook.counts.of(DeliveryState.ACCEPTED), outlook.counts.total
    left = _time_left(outlook, now)
    why = f" {begun(ended(outlook.trouble))}" if outlook.trouble else ""
    return (
        f"Sending: {done:,} of {total:,} delivered{f', about {span_words(left)} left' if left else ''}.{why}"
    )


def _paused(outlook: Outlook, now: datetime) -> str:
    done, waiting = outlook.counts.of(DeliveryState.ACCEPTED), outlook.counts.open
    have = "1 reader has it" if done == 1 else f"{done:,} readers have it"
    return (
        f"{_paused_by('Paused', outlook, now)} {have}, {waiting:,} {'is' if waiting == 1 else 'are'} waiting."
    )


def _sent(outlook: Outlook, now: datetime) -> str:
    return f"Sent. {delivered_words(outlook, now)}."


def _skipped(outlook: Outlook, _now: datetime) -> str:
    return f"Skipped: {ended(outlook.record.reason.removeprefix('skipped ') or 'nobody says why')}"


def _cancelled(outlook: Outlook, now: datetime) -> str:
    record = outlook.record
    at = f" {at_words(record.finished_at, outlook.zone, now)}" if record.finished_at else ""
    why = f": {ended(record.reason)}" if record.reason else "."
    had = outlook.counts.of(DeliveryState.ACCEPTED)
    return f"Cancelled{at}{why}" + (f" {begun(_readers(had))} had it already." if had else "")


_SENTENCES = {
    Phase.DRAFT: _draft,
    Phase.VOID: _void,
    Phase.APPROVED: _approved,
    Phase.HELD: _held,
    Phase.WRITING: _writing,
    Phase.STAFF: _staff,
    Phase.DELAYED: _delayed,
    Phase.SENDING: _sending,
    Phase.PAUSED: _paused,
    Phase.SENT: _sent,
    Phase.SKIPPED: _skipped,
    Phase.CANCELLED: _cancelled,
}


def delivered_words(outlook: Outlook, now: datetime) -> str:
    """Return the outcome of an edition: "2,307 of 2,312 delivered by 07:02; 3 bounced, 2 uncertain"."""
    counts, finished = outlook.counts, outlook.record.finished_at
    asked = counts.total - counts.of(DeliveryState.SKIPPED)
    done = f"{counts.of(DeliveryState.ACCEPTED):,} of {asked:,} delivered"
    by = f" by {_finish(outlook, finished, now)}" if finished else ""
    failed = (
        (outlook.bounced, "bounced"),
        (counts.of(DeliveryState.REJECTED), "rejected"),
        (counts.of(DeliveryState.UNCERTAIN), "uncertain"),
    )
    named = ", ".join(f"{number:,} {what}" for number, what in failed if number)
    return f"{done}{by}{f'; {named}' if named else ''}"


def _finish(outlook: Outlook, finished: datetime, now: datetime) -> str:
    """Return when an edition was finished; the day is left out if it is that of the edition."""
    at = local(finished, outlook.zone)
    same_day = at.date() == local(_send_at(outlook), outlook.zone).date()
    return f"{at:%H:%M}" if same_day else clock_words(finished, outlook.zone, now)


def coming_sentence(digest: Digest, due: Due, readers: int, now: datetime) -> str:
    """Return what happens next with a digest that has no edition yet."""
    until = clock_words(due.cutoff_at, digest.zone, now)
    same_day = local(due.cutoff_at, digest.zone).date() == local(due.send_at, digest.zone).date()
    at = (
        f"{local(due.send_at, digest.zone):%H:%M}" if same_day else clock_words(due.send_at, digest.zone, now)
    )
    if due.cutoff_at <= now:
        return f"Is being composed now. Its send time is {at}."
    if digest.review is Review.SEND:
        return f"Collects posts until {until}, then sends at {at} to {_readers(readers)}."
    return f"Collects posts until {until}, then needs approval by {at} to be sent to {_readers(readers)}."


def _readers(number: int) -> str:
    return counted(number, "reader") if number else "no readers yet"


def _send_at(outlook: Outlook) -> datetime:
    return outlook.record.edition.send_at


def _at(outlook: Outlook, now: datetime) -> str:
    return at_words(_send_at(outlook), outlook.zone, now)


def _in(outlook: Outlook, now: datetime) -> str:
    return f"in {span_words(_send_at(outlook) - now)}"


def _when(outlook: Outlook, now: datetime) -> str:
    return f"{_at(outlook, now)}, {_in(outlook, now)}"


def _time_left(outlook: Outlook, now: datetime) -> timedelta | None:
    """Return how long the sending takes at its present pace; None if that is not known yet."""
    started, counts = outlook.record.started_at, outlook.counts
    done = counts.total - counts.open
    if started is None or done == 0 or counts.open == 0 or now <= started:
        return None
    return (now - started) * counts.open / done
