"""Say in one sentence what happens to an edition, when, and to how many readers; draw its time as a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from digest.model.deliveries import Counts, DeliveryState
from digest.model.editions import Edition, EditionRecord, EditionState
from digest.model.publication import Review

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SOON = 90  # minutes that are said in minutes
_WEEK = 7
_MARK = "\0"  # stands around the stressed parts of a sentence; no text of ours contains it
_NONE = Counts(by_state=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The state of an edition in one word, and the sentence about it."""

    state: str
    marked: str  # the sentence, with marks around its stressed parts
    left: str = ""  # "24 min left": the time until an edition that is ahead is sent

    @property
    def parts(self) -> tuple[tuple[str, bool], ...]:
        """Return the texts of the sentence, each with whether it is stressed."""
        texts = self.marked.split(_MARK)
        return tuple((text, bool(at % 2)) for at, text in enumerate(texts) if text)

    @property
    def text(self) -> str:
        """Return the sentence without stress."""
        return self.marked.replace(_MARK, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A moment on the line from the cutoff to the readers; `at` is its place in percent."""

    at: float
    time: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The line from the cutoff of an edition to its readers, and the same in words."""

    points: tuple[Point, ...]
    now: Point
    label: str


def outlook_of(
    record: EditionRecord, review: Review | None, now: datetime, *, readers: int, counts: Counts = _NONE
) -> Outlook:
    """Return the outlook of an edition; `review` is its policy, or None if its digest is not configured."""
    if record.paused_at:
        return Outlook(state="Held" if record.is_ahead else "Paused", marked=_paused(record, counts, now))
    match record.state:
        case EditionState.DRAFT:
            return Outlook(
                state="Draft", marked=_draft(record, review, readers, now), left=_left(record, now)
            )
        case EditionState.APPROVED:
            return Outlook(state="Approved", marked=_approved(record, readers, now), left=_left(record, now))
        case EditionState.SENDING:
            return Outlook(state="Sending", marked=_sending(record, counts, now))
        case EditionState.SENT:
            return Outlook(state="Sent", marked=_sent(record, counts, now))
    why = f": {record.reason}" if record.reason else ""
    state = record.state.value.capitalize()
    return Outlook(state=state, marked=f"{state}{why}. No reader gets this edition.")


def _draft(record: EditionRecord, review: Review | None, readers: int, now: datetime) -> str:
    void = f"No longer approved: {record.reason}. " if record.voided_at and record.reason else "Draft. "
    when, late = _when(record, now), record.edition.send_at <= now
    if review is Review.SEND:
        if late:
            return f"{void}It was due {when} and goes out with the next run, to {_readers(readers)}."
        again = "Still sends" if record.voided_at else "Sends"
        return f"{void}{again} automatically {when}, to {_readers(readers)}."
    if review is None:
        return f"{void}Its digest is not in config.toml any more, so it is not sent."
    if late:
        return f"{void}It was due {when} and waits for your approval."
    otherwise = "it waits" if review is Review.HOLD else "it is not sent"
    return f"{void}Needs your approval before {_bare(when)}, or {otherwise}. It has {_readers(readers)}."


def _approved(record: EditionRecord, readers: int, now: datetime) -> str:
    at = f" at {clock_text(record.approved_at, record.edition.zone, now)}" if record.approved_at else ""
    by = f"Approved by {record.approved_by}{at}. "
    if record.edition.send_at <= now:
        return f"{by}It was due {_when(record, now)} and goes out with the next run, to {_readers(readers)}."
    return f"{by}Sends {_when(record, now)}, to {_readers(readers)}."


def _paused(record: EditionRecord, counts: Counts, now: datetime) -> str:
    assert record.paused_at
    word = "Held" if record.is_ahead else "Paused"
    why = f"{'' if record.reason.startswith('by ') else ':'} {record.reason}" if record.reason else ""
    held = f"{word} at {clock_text(record.paused_at, record.edition.zone, now)}{why}. "
    if record.is_ahead:
        return f"{held}Nothing is sent until somebody resumes it."
    have, waiting = counts.of(DeliveryState.ACCEPTED), counts.open
    return f"{held}{_readers(have)} {'has' if have == 1 else 'have'} it, {waiting:,} {_are(waiting)} waiting."


def _sending(record: EditionRecord, counts: Counts, now: datetime) -> str:
    done = counts.total - counts.open
    left = ""
    if record.started_at and done and now > record.started_at:
        left = f", about {_MARK}{span_text((now - record.started_at) * (counts.open / done))}{_MARK} left"
    delivered = (
        f"{_MARK}{counts.of(DeliveryState.ACCEPTED):,}{_MARK} of {_MARK}{counts.total:,}{_MARK} delivered"
    )
    return f"Sending: {delivered}{left}."


def _sent(record: EditionRecord, counts: Counts, now: datetime) -> str:
    at = f" by {clock_text(record.finished_at, record.edition.zone, now)}" if record.finished_at else ""
    state = DeliveryState
    rest = [f"{counts.of(each):,} {each}" for each in (state.REJECTED, state.UNCERTAIN) if counts.of(each)]
    delivered = f"{_MARK}{counts.of(state.ACCEPTED):,}{_MARK} of {_MARK}{counts.total:,}{_MARK} delivered{at}"
    return f"Sent. {'; '.join([delivered, ', '.join(rest)] if rest else [delivered])}."


def _when(record: EditionRecord, now: datetime) -> str:
    """Return a send time in words, stressed: "at 07:00, in 24 minutes", "tomorrow at 07:00, in 9 hours"."""
    send_at = record.edition.send_at
    at = moment_text(send_at, record.edition.zone, now)
    span = span_text(abs(send_at - now))
    return f"{_MARK}{at}{_MARK}, {_MARK}{f'in {span}' if send_at > now else f'{span} ago'}{_MARK}"


def _bare(when: str) -> str:
    return when.replace(f"{_MARK}at ", _MARK, 1)


def _left(record: EditionRecord, now: datetime) -> str:
    minutes = max(0, (record.edition.send_at - now) // _MINUTE)
    if minutes > _SOON:
        return f"{span_text(record.edition.send_at - now)} left"
    return f"{minutes} min left"


def _readers(count: int) -> str:
    return f"{_MARK}{count:,} {'reader' if count == 1 else 'readers'}{_MARK}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


# ── times in words ──────────────────────────────────────────────────────────────────────────


def span_text(span: timedelta) -> str:
    """Return a span of time in words, as people round it: "40 seconds", "24 minutes", "9 hours", "3 days"."""
    for unit, name, most in (
        (timedelta(seconds=1), "second", 100),
        (_MINUTE, "minute", 100),
        (_HOUR, "hour", 48),
    ):
        number = round(span / unit)
        if number < most:
            return f"{number:,} {name}{'' if number == 1 else 's'}"
    number = round(span / _DAY)
    return f"{number:,} days"


def clock_text(at: datetime, zone: str, now: datetime) -> str:
    """Return a time as the clocks of `zone` show it: "06:36", "yesterday 18:20", "3 May 14:00"."""
    day = _day_text(at, zone, now)
    return f"{day} {_local(at, zone):%H:%M}".strip()


def moment_text(at: datetime, zone: str, now: datetime) -> str:
    """Return a time within a sentence: "at 07:00", "tomorrow at 07:00", "on Friday at 07:00"."""
    day = _day_text(at, zone, now)
    named = day in ("", "today", "yesterday", "tomorrow")
    return f"{'' if named else 'on '}{day} at {_local(at, zone):%H:%M}".strip()


def _day_text(at: datetime, zone: str, now: datetime) -> str:
    local, today = _local(at, zone), _local(now, zone).date()
    days = (local.date() - today).days
    if -1 <= days <= 1:
        return ("yesterday", "", "tomorrow")[days + 1]
    return f"{local:%A}" if abs(days) < _WEEK else f"{local.day} {local:%B}"


def _local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone))


# ── the line ────────────────────────────────────────────────────────────────────────────────


def timeline_of(edition: Edition, now: datetime, *, staff_at: datetime | None = None) -> Timeline:
    """Return the line from the cutoff to the readers; `staff_at` is when the staff get their copies."""
    start, end = edition.cutoff_at, max(edition.send_at, edition.cutoff_at + _MINUTE)

    def point(at: datetime, name: str) -> Point:
        place = min(1.0, max(0.0, (at - start) / (end - start)))
        return Point(at=round(place * 100, 1), time=f"{_local(at, edition.zone):%H:%M}", name=name)

    known = [point(edition.cutoff_at, "cutoff"), point(edition.send_at, "readers")]
    if staff_at is not None:
        known.insert(1, point(staff_at, "staff copies"))
    here = point(now, "now")
    return Timeline(points=tuple(known), now=here, label=_label(known, here, edition, now))


def _label(points: Iterable[Point], here: Point, edition: Edition, now: datetime) -> str:
    verbs = {
        "cutoff": "The cutoff " + ("was" if edition.cutoff_at <= now else "is"),
        "staff copies": "Staff copies go out",
        "readers": "Readers’ copies go out" if edition.send_at > now else "Readers’ copies were due",
    }
    sentences = [f"{verbs[each.name]} at {each.time}." for each in points]
    return " ".join([sentences[0], f"It is now {here.time}.", *sentences[1:]])
