"""Count an edition's deliveries, and say how far sending is: its rate, the time left, and its course.

The counts of an edition that has ended are kept, so that a page about it reads one row. Those of an edition
that is being sent are counted when somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digest.editions.outlook.phases import Outlook, Phase, phase_of
from digest.editions.outlook.sentence import sentence
from digest.editions.outlook.words import span_words
from digest.model.deliveries import (
    AcceptedOverTime,
    AnswerCount,
    Counts,
    DeliveryState,
    DomainCount,
    Later,
    Tally,
)
from digest.model.editions import EditionRecord, EditionState
from digest.monitoring.wording import are
from digest.storage.database import Connection, Database
from digest.storage.editions.due import open_before, sending_editions
from digest.storage.editions.records import load_edition, lock_edition, usable_editions
from digest.storage.ledger.outcomes import by_code, counts, later
from digest.storage.ledger.tallies import (
    SLOT,
    accepted_slots,
    by_domain,
    ended_without_tally,
    keep_tally,
    kept_tally,
)

_DAY = timedelta(days=1)
RECENT = timedelta(minutes=1)  # the rate is that of the last minute
_BARS = 60  # in a chart, at most
_SECONDS = (10, 30, 60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 86_400)  # an interval in a chart
_AT_A_TIME = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an edition was sent at `counted_at`. The rate is in messages a second."""

    counts: Counts
    answers: tuple[AnswerCount, ...]
    over_time: AcceptedOverTime
    rate: float = 0.0
    later: Mapping[DeliveryState, Later] = field(default_factory=dict)  # those that are not due yet
    counted_at: datetime

    @property
    def accepted(self) -> int:
        """Return the number of deliveries that a server has accepted."""
        return self.counts.of(DeliveryState.ACCEPTED)

    @property
    def to_mail(self) -> int:
        """Return the number of readers that are mailed: all but those who are skipped."""
        return self.counts.total - self.counts.of(DeliveryState.SKIPPED)

    @property
    def left(self) -> timedelta | None:
        """Return how long the deliveries that are due take at this rate; None if that cannot be known.

        Deferred deliveries have times of their own, and so have those for an hour that readers chose.
        """
        state = DeliveryState
        waiting = self.later.get(state.QUEUED)
        ready = self.counts.of(state.QUEUED, state.WIRE) - (waiting.count if waiting else 0)
        return timedelta(seconds=ready / self.rate) if ready and self.rate else None


def editions_going(database: Database) -> tuple[EditionRecord, ...]:
    """Return the editions that are being sent, also those that are paused while they are."""
    with database.read() as connection:
        ids = [edition_id for edition_id, _ in sending_editions(connection)]
        return usable_editions(connection, ids)


def editions_ahead(database: Database, now: datetime) -> tuple[EditionRecord, ...]:
    """Return the editions that are to be sent within a day and have not begun, the next one first."""
    with database.read() as connection:
        return tuple(sorted(open_before(connection, now + _DAY), key=lambda each: each.edition.send_at))


def read_progress(database: Database, record: EditionRecord, now: datetime) -> Progress:
    """Return how far an edition is sent; if it has ended, what was kept then."""
    with database.read() as connection:
        kept = _kept(connection, record)
        if kept:
            return Progress(
                counts=kept.counts, answers=kept.answers, over_time=kept.over_time, counted_at=now
            )
        slots = accepted_slots(connection, record.edition.id)
        return Progress(
            counts=counts(connection, record.edition.id),
            answers=by_code(connection, record.edition.id),
            over_time=over_time(slots, record.started_at or now),
            rate=rate(slots, record.started_at or now, now),
            later=later(connection, record.edition.id, now),
            counted_at=now,
        )


def read_domains(database: Database, record: EditionRecord) -> tuple[tuple[DomainCount, ...], Counts]:
    """Count an edition's deliveries by domain, and all of them at the same moment.

    Domains with fewer than five readers are left out.
    """
    with database.read() as connection:
        kept = _kept(connection, record)
        if kept:
            return kept.domains, kept.counts
        return by_domain(connection, record.edition.id), counts(connection, record.edition.id)


def _kept(connection: Connection, record: EditionRecord) -> Tally | None:
    return None if record.state is EditionState.SENDING else kept_tally(connection, record.edition.id)


def keep_tallies(database: Database, now: datetime) -> int:
    """Count the editions that have ended since the last time, and keep the counts; return how many.

    A cancelled edition is counted when none of its deliveries is open any more.
    """
    with database.read() as connection:
        ended = ended_without_tally(connection, limit=_AT_A_TIME)
    return sum(_keep(database, edition_id, now) for edition_id in ended)


def _keep(database: Database, edition_id: str, now: datetime) -> bool:
    with database.read() as connection:
        record = load_edition(connection, edition_id)
        tally = Tally(
            counts=counts(connection, edition_id),
            answers=by_code(connection, edition_id),
            domains=by_domain(connection, edition_id),
            over_time=over_time(accepted_slots(connection, edition_id), record.started_at or now),
        )
    if tally.counts.open:
        return False
    with database.write() as connection:
        # An operator may have queued deliveries again meanwhile, or a late answer may have arrived.
        same = (
            lock_edition(connection, edition_id) == record and counts(connection, edition_id) == tally.counts
        )
        if same:
            keep_tally(connection, edition_id, tally)
    return same


# ── decisions ───────────────────────────────────────────────────────────────────────────────


def rate(slots: Mapping[datetime, int], started_at: datetime, now: datetime) -> float:
    """Return the messages a second that were accepted in the last minute, or since the start if it is later.

    A slot counts if it began within that time, so the span is measured from the beginning of the first one.
    """
    recent = {at: count for at, count in slots.items() if now - RECENT <= at <= now}
    if not recent:
        return 0.0
    since = max(min(recent), started_at)
    return sum(recent.values()) / max((now - since).total_seconds(), 1.0)


def over_time(slots: Mapping[datetime, int], started_at: datetime) -> AcceptedOverTime:
    """Gather slots into at most sixty intervals of equal width, from the start to the last slot."""
    begin = min(started_at, *slots) if slots else started_at
    span = max(slots, default=begin) - begin + SLOT
    # Whole multiples of the longest interval, for an edition whose retries took months.
    width = next((each for each in _SECONDS if span <= _BARS * timedelta(seconds=each)), 0)
    width = width or _SECONDS[-1] * -(-span // (_BARS * timedelta(seconds=_SECONDS[-1])))
    step = timedelta(seconds=width)
    found = [0] * ((max(slots) - begin) // step + 1) if slots else []
    for at, count in slots.items():
        found[(at - begin) // step] += count
    return AcceptedOverTime(began_at=begin, width=step, counts=tuple(found))


# ── in words ────────────────────────────────────────────────────────────────────────────────


def headline(progress: Progress, outlook: Outlook, now: datetime) -> str:
    """Return the sentence about an edition; while it is sent, with the time left at the present rate."""
    if phase_of(outlook, now) is not Phase.SENDING:
        return sentence(outlook, now)
    return f"Sending: {progress.accepted:,} of {progress.to_mail:,} delivered{_left_text(progress)}."


def _left_text(progress: Progress) -> str:
    if progress.left is not None:
        return f", about {span_words(progress.left)} left"
    later = progress.counts.of(DeliveryState.DEFERRED)
    return f"; {later:,} {are(later)} tried again later" if later and later == progress.counts.open else ""
