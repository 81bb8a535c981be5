"""The nodes: the `digest work` processes that share a database, with their work, versions and clocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

BEAT = timedelta(seconds=3)  # how often a node says that it is at work
SILENT = 3 * BEAT  # a node that has not said it for so long is silent
WRONG_CLOCK = timedelta(minutes=1)  # a node whose clock is so far off sends nothing
# Connections to the database, besides one for each line: for the beat, and for a line that needs two at once;
# and the engine's, for its queries and for notifications.
SPARE_CONNECTIONS, ENGINE_CONNECTIONS = 2, 2

_RELEASE = re.compile(r"\s*v?(\d+(?:\.\d+)*)", re.IGNORECASE)
_SUFFIX = re.compile(r"(dev|a|alpha|b|beta|c|rc|pre|preview|post|rev|r)[._-]?(\d*)", re.IGNORECASE)
_FINAL = 0
_RANKS = {
    "dev": -4,
    **dict.fromkeys(("a", "alpha"), -3),
    **dict.fromkeys(("b", "beta"), -2),
    **dict.fromkeys(("c", "rc", "pre", "preview"), -1),
    **dict.fromkeys(("post", "rev", "r"), 1),
}

VersionOrder = tuple[tuple[int, ...], tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The work of one line of a node: the kind of job, its subject, and since when it has been at it."""

    kind: str
    subject: str
    since_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A process that takes jobs, as it describes itself with each beat.

    `sent` counts the messages that it has handled since it started, and `rate` is messages a second in the
    last ten seconds or so. `ahead` says how far its clock is beyond the database's. `note` is one sentence
    that says why it takes no more jobs, and normally empty.
    """

    id: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...] = ()  # it takes jobs of these alone; empty: of all
    lines: int
    started_at: datetime
    beat_at: datetime
    work: tuple[Work, ...] = ()
    sent: int = 0
    rate: float = 0.0
    ahead: timedelta = timedelta()
    note: str = ""

    @property
    def connections(self) -> int:
        """Return how many connections to the database it has at most."""
        return self.lines + SPARE_CONNECTIONS + ENGINE_CONNECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNode:
    """A node as others see it; its times and `silent`, the time since its last beat, are the database's."""

    node: Node
    silent: timedelta

    def age(self, work: Work) -> timedelta:
        """Return how long a line has been at its work."""
        return self.node.beat_at + self.silent - work.since_at

    @property
    def is_silent(self) -> bool:
        """Tell whether the node has missed three beats, so that it is frozen, cut off or dead."""
        return self.silent >= SILENT

    @property
    def has_wrong_clock(self) -> bool:
        """Tell whether the clock of the node is too far from the database's for it to send."""
        return abs(self.node.ahead) >= WRONG_CLOCK


def version_order(version: str) -> VersionOrder:
    """Return a value by which versions are ordered as in PEP 440: 0.9 < 0.10rc1 < 0.10 = 0.10.0 < 0.10.post1.

    Local parts ("+abc") do not count. A text that is no version comes before all versions.
    """
    release = _RELEASE.match(version)
    if not release:
        return (), ()
    numbers = [int(each) for each in release[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    suffixes = _SUFFIX.findall(version[release.end() :].partition("+")[0])
    ranks = [(_RANKS[word.lower()], int(number or 0)) for word, number in suffixes]
    return tuple(numbers), (*ranks, (_FINAL, 0))
