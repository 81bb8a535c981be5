"""The rhythms of a digest: its own schedule, and one for each frequency it gathers editions for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from digest.errors import NotFoundError
from digest.publication import Digest
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """One schedule by which editions of a digest are made."""

    digest: Digest  # with this schedule for its own
    frequency: Frequency = Frequency.EACH

    @property
    def key(self) -> str:
        """Return the name under which its occurrences are kept."""
        slug = self.digest.slug
        return f"compose:{slug}" if self.frequency is Frequency.EACH else f"gather:{slug}:{self.frequency}"

    @property
    def rule(self) -> str:
        """Return by what it goes, as configured: another text is another schedule."""
        return f"{self.digest.schedule} ({self.digest.zone})"

    @property
    def noun(self) -> str:
        """Return what it makes: "edition", "weekly edition"."""
        return "edition" if self.frequency is Frequency.EACH else f"{self.frequency} edition"


def rhythms(digest: Digest) -> Iterator[Rhythm]:
    """Yield the rhythm of each edition, then those of gathered ones."""
    yield Rhythm(digest=digest)
    for each in digest.gather:
        yield Rhythm(digest=replace(digest, schedule=each.schedule), frequency=each.frequency)


def rhythm_of(digest: Digest, frequency: Frequency) -> Rhythm:
    """Return one rhythm of a digest; raises NotFoundError for a frequency that it does not offer."""
    found = {rhythm.frequency: rhythm for rhythm in rhythms(digest)}
    if frequency not in found:
        raise NotFoundError("frequency", frequency.value, tuple(found))
    return found[frequency]
