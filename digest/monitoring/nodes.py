"""Say which nodes work, on what, since when and how fast, and which of them need somebody."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from digest.editions.outlook.words import begun, counted, span_words
from digest.model.nodes import KnownNode, Work
from digest.monitoring.wording import joined, number_word
from digest.schedule.jobs import QUEUES, JobKind
from digest.storage.database import Connection, Database
from digest.storage.nodes import known_nodes, leave
from digest.storage.owner import has_ended

_NAMED = 3  # slices, or other jobs
_SLICE = re.compile(r"(.+) (\d+)")  # of a job that sends: an edition, and the number of its slice


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """A node in words. `trouble` follows its name and says what to do; empty: the node is in order."""

    known: KnownNode
    queues: str
    work: str
    rate: str
    trouble: str

    @property
    def name(self) -> str:
        """Return the machine and the process: "harbour 4711"."""
        return f"{self.known.node.host} {self.known.node.pid}"

    @property
    def lines(self) -> str:
        """Return how many of its lines are busy: "3 of 4"."""
        return f"{0 if self.known.is_silent else len(self.known.node.work)} of {self.known.node.lines}"

    @property
    def beat(self) -> str:
        """Return how long ago the last beat was."""
        return f"{span_words(self.known.silent)} ago"


def _all(_: Work) -> bool:
    return True


def node_statuses(database: Database, *, shows: Callable[[Work], bool] = _all) -> tuple[NodeStatus, ...]:
    """Return the nodes, those of one machine together; of the work that is not shown, only the number."""
    with database.read() as connection:
        found = known_nodes(connection)
    return tuple(
        NodeStatus(
            known=each,
            queues="all" if set(QUEUES) <= set(each.node.queues) else joined(each.node.queues),
            work=work_text(each, shows),
            rate=rate_text(0.0 if each.is_silent else each.node.rate),
            trouble=trouble_of(each),
        )
        for each in without_replaced(found)
    )


def forget_ended(connection: Connection) -> None:
    """Forget the nodes of this machine whose processes were killed, because they will not come back."""
    for each in known_nodes(connection):
        if has_ended(each.node.id):
            leave(connection, each.node.id)


# ── decisions ───────────────────────────────────────────────────────────────────────────────


def without_replaced(found: Sequence[KnownNode]) -> tuple[KnownNode, ...]:
    """Leave out each silent node in whose place its supervisor has started another.

    Nobody can read which node that is. So each node of the same machine that started after the last beat of
    the silent node takes the place of one silent node.
    """
    heirs: dict[str, list[KnownNode]] = defaultdict(list)
    for each in sorted(found, key=lambda each: each.node.started_at):
        heirs[each.node.host].append(each)
    replaced = set()
    for each in sorted(found, key=lambda each: each.node.beat_at, reverse=True):
        others = heirs[each.node.host]
        if each.is_silent and others and others[-1].node.started_at > each.node.beat_at:
            others.pop()
            replaced.add(each.node.id)
    return tuple(each for each in found if each.node.id not in replaced)


def trouble_of(known: KnownNode) -> str:
    """Return what is wrong with a node and what to do, to follow its name; empty if it is in order."""
    node = known.node
    if known.is_silent:
        return (
            f"has been silent for {span_words(known.silent)}. Check whether the process is frozen, or"
            f" {node.host} is cut off from the database. Other nodes take its work over within two minutes,"
            " and a node that was taken away is forgotten after a day."
        )
    if known.has_wrong_clock:
        side = "ahead of" if node.ahead > timedelta() else "behind"
        return (
            f"takes no more jobs, because its clock is {span_words(abs(node.ahead))} {side} the clock of the"
            f" database. Set the clock of {node.host}, and the node goes on by itself."
        )
    return f"says: {node.note}" if node.note else ""


def summary(found: Sequence[NodeStatus], *, has_engine: bool) -> str:
    """Return a sentence about all nodes: how many work and how fast, or why none does."""
    if not has_engine:
        return "There are no nodes, because `digest serve` does all the work itself."
    living = [each.known.node for each in found if not each.known.is_silent]
    if not living:
        return (
            "No node is at work, so nothing is collected, composed or sent."
            " Start `digest work` on each machine that should do something."
        )
    number, rate = len(living), sum(each.rate for each in living)
    at_work = f"{begun(number_word(number))} {'node is' if number == 1 else 'nodes are'} at work"
    return f"{at_work}, with {rate_text(rate)}." if rate else f"{at_work}."


# ── in words ────────────────────────────────────────────────────────────────────────────────


def work_text(known: KnownNode, shows: Callable[[Work], bool] = _all) -> str:
    """Return what the lines of a node do, the longest first; slices of one edition are named together."""
    if known.is_silent:
        return "silent"
    work = sorted(known.node.work, key=lambda each: each.since_at)
    groups: dict[tuple[str, str], list[Work]] = defaultdict(list)
    for each in filter(shows, work):
        groups[_what(each)].append(each)
    named = dict(list(groups.items())[:_NAMED])
    parts = [_group_text(known, what, group) for what, group in named.items()]
    rest = len(work) - sum(map(len, named.values()))
    return "; ".join([*parts, *([counted(rest, "other job")] if rest else [])])


def _what(work: Work) -> tuple[str, str]:
    """Return the kind of a job and its subject, without the number of a slice."""
    found = _SLICE.fullmatch(work.subject) if work.kind == JobKind.SEND else None
    return work.kind, found[1] if found else work.subject


def _group_text(known: KnownNode, what: tuple[str, str], group: Sequence[Work]) -> str:
    kind, subject = what
    numbers = [each.subject.removeprefix(f"{subject} ") for each in group if each.subject != subject]
    more = [f"{len(numbers) - _NAMED} more"] if len(numbers) > _NAMED else []
    noun = "slice" if len(numbers) == 1 else "slices"
    slices = f", {noun} {joined([*numbers[:_NAMED], *more])}" if numbers else ""
    longest = span_words(known.age(group[0]))
    return f"{kind} {subject}".strip() + f"{slices}, for {'up to ' if len(group) > 1 else ''}{longest}"


def rate_text(rate: float) -> str:
    """Return messages a second in words; empty if there are none."""
    if not rate:
        return ""
    return f"{rate:,.0f} messages a second" if rate >= 1 else "less than one message a second"
