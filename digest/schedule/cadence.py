"""The cadences of a digest: its own schedule, and one for each frequency of its gathered editions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from digest.model.editions import Due, Every
from digest.model.errors import NotFoundError
from digest.model.publication import Digest
from digest.schedule.schedule import ScheduleError, dues, previous_due
from digest.schedule.text import parse_schedule
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """One schedule of a digest, and the frequency of the readers who get these editions."""

    digest: Digest  # its `schedule` is the schedule of this cadence
    frequency: Frequency = Frequency.EACH

    @property
    def key(self) -> str:
        """Return the name under which the occurrences of this cadence are stored."""
        slug = self.digest.slug
        return f"compose:{slug}" if self.frequency is Frequency.EACH else f"gather:{slug}:{self.frequency}"

    @property
    def rule(self) -> str:
        """Return the schedule and zone as configured; a different text counts as a different schedule."""
        return f"{self.digest.schedule} ({self.digest.zone})"

    @property
    def noun(self) -> str:
        """Return the noun for its editions: "edition", "weekly edition"."""
        return "edition" if self.frequency is Frequency.EACH else f"{self.frequency} edition"

    @property
    def every(self) -> Every | None:
        """Return how often its editions come; None if one word cannot say it."""
        return parse_schedule(self.digest.schedule).every

    def coming(self, after: datetime, *, with_skipped: bool = False) -> Iterator[Due]:
        """Yield the occurrences whose send time is strictly after an instant, without end.

        The dates that the digest skips are left out, unless `with_skipped` is set. Everything that asks
        when a digest is next due asks here.
        """
        return dues(self.digest, parse_schedule(self.digest.schedule), after=after, with_skipped=with_skipped)

    def last_send_at(self, at: datetime) -> datetime | None:
        """Return the last send time at or before an instant; None if there was none."""
        try:
            return previous_due(parse_schedule(self.digest.schedule), self.digest.zone, at)[1]
        except ScheduleError:
            return None


def cadences(digest: Digest) -> Iterator[Cadence]:
    """Yield the cadence of the digest's own editions, then the cadences of gathered editions."""
    yield Cadence(digest=digest)
    for each in digest.gather:
        yield Cadence(digest=replace(digest, schedule=each.schedule), frequency=each.frequency)


def cadence_of(digest: Digest, frequency: Frequency) -> Cadence:
    """Return one cadence of a digest; raises NotFoundError for a frequency that it does not offer."""
    found = {cadence.frequency: cadence for cadence in cadences(digest)}
    if frequency not in found:
        raise NotFoundError("frequency", frequency.value, tuple(found))
    return found[frequency]
