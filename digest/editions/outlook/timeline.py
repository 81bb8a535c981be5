"""Lay an edition's times on a line from its cutoff to its readers, with the same words as a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.editions.outlook.phases import Outlook, Phase, phase_of
from digest.editions.outlook.words import at_words, clock_words, local

_EDGE = 8  # percent of the line


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One time on the timeline; `place` is a percentage of its length."""

    at: datetime
    text: str  # "06:30 cutoff"
    place: float
    is_now: bool = False

    @property
    def anchor(self) -> str:
        """Return how the text is aligned with its point, so that it does not leave the line."""
        return "start" if self.place < _EDGE else "end" if self.place > 100 - _EDGE else "middle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The line from cutoff to readers, and the same words as a sentence."""

    points: tuple[Point, ...]
    label: str

    @property
    def now(self) -> float:
        """Return the place of the present, as a percentage."""
        return next((point.place for point in self.points if point.is_now), 100.0)

    def crowds(self, point: Point, least: float) -> bool:
        """Tell whether a point is so near to the present that their texts would overlap."""
        return abs(point.place - self.now) < least


def timeline(outlook: Outlook, now: datetime) -> Timeline | None:
    """Return the timeline of an edition that has not begun to be sent; None for any other."""
    edition = outlook.record.edition
    if not outlook.record.is_ahead or edition.send_at <= edition.cutoff_at:
        return None
    readers_at = _readers_at(outlook, now)
    end = max(readers_at, now)
    named = [(edition.cutoff_at, "cutoff"), (readers_at, "readers")]
    if outlook.staff_at:
        named.insert(1, (max(outlook.staff_at, edition.cutoff_at), "staff copies"))
    places = {
        at: 100 * (at - edition.cutoff_at) / (end - edition.cutoff_at)
        for at in (*(at for at, _ in named), max(now, edition.cutoff_at))
    }
    present = max(now, edition.cutoff_at)
    points = [
        Point(at=at, text=f"{_short(at, outlook, now)} {what}", place=round(places[at], 1))
        for at, what in named
    ]
    here = Point(
        at=now, text=f"now {local(now, outlook.zone):%H:%M}", place=round(places[present], 1), is_now=True
    )
    return Timeline(points=(*points, here), label=_label(outlook, now))


def _readers_at(outlook: Outlook, now: datetime) -> datetime:
    """Return when readers get their copies: later than planned for unsaved text, or after late copies."""
    return outlook.waits_until if phase_of(outlook, now) is Phase.WRITING else outlook.readers_at


def _label(outlook: Outlook, now: datetime) -> str:
    edition = outlook.record.edition
    cutoff = f"Cutoff was {at_words(edition.cutoff_at, outlook.zone, now)}."
    present = f"It is now {local(now, outlook.zone):%H:%M}."
    readers_at = _readers_at(outlook, now)
    readers = clock_words(readers_at, outlook.zone, now)
    past = readers_at <= now
    if outlook.staff_at is None:
        return f"{cutoff} {present} Readers’ copies {'were due' if past else 'go out'} at {readers}."
    staff = clock_words(outlook.staff_at, outlook.zone, now)
    went = "went" if outlook.copies else "go"
    return f"{cutoff} {present} Staff copies {went} out at {staff}, readers’ copies at {readers}."


def _short(at: datetime, outlook: Outlook, now: datetime) -> str:
    then, today = local(at, outlook.zone), local(now, outlook.zone)
    return f"{then:%H:%M}" if then.date() == today.date() else f"{then:%a %H:%M}"
