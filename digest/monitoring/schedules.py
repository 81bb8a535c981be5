"""Say of each date of a digest what became of it, or what is planned: sent, skipped and why, or coming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from digest.config import Config
from digest.editions.outlook.words import counted
from digest.model.editions import Due, EditionState
from digest.schedule.cadence import Cadence, cadences
from digest.schedule.schedule import SKIP_REASON
from digest.storage.database import Connection, Database
from digest.storage.editions.due import states_of
from digest.storage.occurrences import Occurrence, occurrences_of, skipped_by_hand

BEFORE = timedelta(days=30)
AHEAD = timedelta(days=14)


class Fate(StrEnum):
    """The outcome of a date, or the plan for it."""

    SENT = "sent"
    OPEN = "open"  # its edition is a draft, approved or being sent
    SKIPPED = "skipped"  # there was no edition, or it did not go out
    COMING = "coming"
    LEFT_OUT = "left out"  # a coming date that is skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class DateStatus:
    """One date of a cadence: its send time, what became of it, and why; `edition` is "" if there is none."""

    day: date
    send_at: datetime
    fate: Fate
    text: str
    edition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceStatus:
    """A cadence of a digest with its dates, the latest first: those of 30 days, and of the next 14."""

    digest: str
    title: str
    rule: str
    noun: str
    dates: tuple[DateStatus, ...]

    def past(self) -> tuple[DateStatus, ...]:
        """Return the dates that are over, the latest first."""
        return tuple(each for each in self.dates if each.fate not in (Fate.COMING, Fate.LEFT_OUT))

    def coming(self) -> tuple[DateStatus, ...]:
        """Return the dates to come, the next one first."""
        return tuple(each for each in reversed(self.dates) if each.fate in (Fate.COMING, Fate.LEFT_OUT))

    @property
    def summary(self) -> str:
        """Return one sentence about the last 30 days: "30 dates in 30 days, of which 2 had no edition."."""
        past, days = self.past(), BEFORE // timedelta(days=1)
        if not past:
            return f"No date in {days} days."
        skipped = sum(each.fate is Fate.SKIPPED for each in past)
        which = f", of which {skipped} had no edition that went out" if skipped else ""
        return f"{counted(len(past), 'date')} in {days} days{which}."


def schedules_status(database: Database, config: Config, now: datetime) -> tuple[CadenceStatus, ...]:
    """Return the dates of all cadences of all digests, of the last 30 days and the next 14."""
    with database.read() as connection:
        return tuple(
            _status(connection, cadence, now) for digest in config.digests for cadence in cadences(digest)
        )


def _status(connection: Connection, cadence: Cadence, now: datetime) -> CadenceStatus:
    every = occurrences_of(connection, cadence.key, until=now + AHEAD)
    found = [each for each in every if each.due_at > now - BEFORE]
    states = states_of(connection, [each.outcome for each in found])
    over = [each for each in found if each.due_at <= now or each.outcome in states]
    done = [past_status(each, states.get(each.outcome)) for each in over]
    by_hand = dict(skipped_by_hand(connection, cadence.key, now))
    known = {each.day for each in done}
    due = takewhile(lambda each: each.send_at <= now + AHEAD, cadence.coming(now, with_skipped=True))
    coming = [coming_status(each, cadence, by_hand) for each in due if each.local_date not in known]
    dates = sorted((*done, *coming), key=lambda each: each.send_at, reverse=True)
    digest = cadence.digest
    return CadenceStatus(
        digest=digest.slug, title=digest.title, rule=digest.schedule, noun=cadence.noun, dates=tuple(dates)
    )


_WORDS = {
    EditionState.DRAFT: "a draft",
    EditionState.APPROVED: "approved",
    EditionState.SENDING: "being sent",
    EditionState.SENT: "sent",
}


def past_status(occurrence: Occurrence, edition: tuple[EditionState, str] | None) -> DateStatus:
    """Return the status of a date that was handled; `edition` is the state and reason of its edition."""
    if edition is None:
        fate, text = Fate.SKIPPED, occurrence.outcome
        if not occurrence.done:
            fate, text = Fate.OPEN, "being composed"
        return DateStatus(day=occurrence.local_date, send_at=occurrence.due_at, fate=fate, text=text)
    state, reason = edition
    fate = Fate.SKIPPED
    if state in _WORDS:
        fate = Fate.SENT if state is EditionState.SENT else Fate.OPEN
    text = _WORDS.get(state) or reason
    return DateStatus(
        day=occurrence.local_date,
        send_at=occurrence.due_at,
        fate=fate,
        text=text,
        edition=occurrence.outcome,
    )


def coming_status(due: Due, cadence: Cadence, by_hand: Mapping[date, str]) -> DateStatus:
    """Return the status of a date to come."""
    fate, text = Fate.COMING, "coming"
    if due.local_date in by_hand:
        fate, text = Fate.LEFT_OUT, by_hand[due.local_date]
    elif due.local_date in cadence.digest.skip:
        fate, text = Fate.LEFT_OUT, f"skipped: {SKIP_REASON}"
    return DateStatus(day=due.local_date, send_at=due.send_at, fate=fate, text=text)
