"""Remember what one run holds: its slices, who is next in them, what is on the wire, and new answers.

Nothing here touches the database. `Holding.steps` says what is to be written, and `Holding.written` is
called after the commit. If nobody knows whether a commit came about, `Holding.begin_again` forgets who waits
and who was marked: everybody is next again whose message was not handed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from digest.model.deliveries import Recipient, Result
from digest.storage.ledger.deliveries import Step
from digest.storage.ledger.settling import skipped
from digest.storage.ledger.slices import Slice


@dataclass(slots=True, eq=False)
class Share:
    """One slice that a run holds."""

    slice: Slice
    ahead: deque[int]  # readers who have not been looked at yet
    waiting: set[int] = field(default_factory=set)  # for a limit
    on_wire: set[int] = field(default_factory=set)
    results: list[Result] = field(default_factory=list)  # not in the ledger yet
    later: list[tuple[datetime, int]] = field(default_factory=list)  # put off by a limit, until a time
    turns: list[tuple[int, datetime]] = field(default_factory=list)  # the same, not in the ledger yet

    @property
    def left(self) -> int:
        """Return how many deliveries have not been handed over."""
        return len(self.ahead) + len(self.waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Deliveries of one slice that are about to go, and those of their readers who may still be mailed."""

    share: Share
    due: Sequence[int]
    readers: Sequence[Recipient]

    @property
    def skipped(self) -> list[Result]:
        """Return the results of the other deliveries."""
        if len(self.readers) == len(self.due):  # nearly always
            return []
        going = {reader.subscriber_id for reader in self.readers}
        return skipped(key for key in self.due if key not in going)


class Holding:
    """All slices that one run holds, and those that it has lost to other senders since."""

    def __init__(self) -> None:
        self.on_wire: dict[int, tuple[Share, Recipient]] = {}  # by reader, in all slices
        self._shares: list[Share] = []
        self._lost: list[Share] = []
        self._waits_in: dict[int, Share] = {}  # by the reader of a delivery that waits for a limit

    def __iter__(self) -> Iterator[Share]:
        return iter(self._shares)

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the slices."""
        return [share.slice.number for share in self._shares]

    @property
    def unwritten(self) -> int:
        """Return how many results and turns are not in the ledger yet."""
        return sum(len(share.results) + len(share.turns) for share in (*self._shares, *self._lost))

    @property
    def late(self) -> list[Result]:
        """Return the answers for slices that were lost; they are not in the ledger yet."""
        return [result for share in self._lost for result in share.results]

    def late_written(self) -> None:
        """Forget the late answers, because they were committed."""
        for share in self._lost:
            share.results = []

    # ── who is next ─────────────────────────────────────────────────────────────────────────

    def add(self, taken: Slice, due: Iterable[int]) -> None:
        """Add a slice that was taken, with its due deliveries."""
        self._shares.append(Share(taken, deque(due)))

    def next(self, most: int, now: datetime) -> tuple[Share, list[int]] | None:
        """Return up to `most` deliveries of one slice that nobody has looked at; None if there are none."""
        for each in self._shares:
            if each.later:
                each.ahead.extend(due for at, due in each.later if at <= now)
                each.later = [(at, due) for at, due in each.later if at > now]
        share = next((each for each in self._shares if each.ahead), None)
        return (share, list(islice(share.ahead, most))) if share else None

    def let_wait(self, page: Mark) -> None:
        """Let the readers of the next deliveries wait for a limit; the other deliveries are skipped."""
        share = page.share
        for key in page.due:
            share.ahead.popleft()
            share.waiting.add(key)
            self._waits_in[key] = share
        for result in page.skipped:
            share.results.append(result)
            share.waiting.discard(result.key)

    def waiting(self, group: Iterable[Recipient]) -> list[tuple[Share, list[int]]]:
        """Return the deliveries to readers who wait for a limit, by slice."""
        found: dict[Share, list[int]] = {}
        for reader in group:
            share = self._waits_in.get(reader.subscriber_id)
            if share in self._shares:
                found.setdefault(share, []).append(reader.subscriber_id)
        return list(found.items())

    def put_off(self, turns: Iterable[tuple[int, datetime]]) -> None:
        """Let deliveries that wait for a limit be due later, each at its own time."""
        for key, due_at in turns:
            share = self._waits_in.pop(key)
            share.waiting.discard(key)
            share.later.append((due_at, key))
            share.turns.append((key, due_at))

    # ── answers ─────────────────────────────────────────────────────────────────────────────

    def conclude(self, result: Result) -> None:
        """Keep the result of a delivery on the wire until it is in the ledger."""
        share, _ = self.on_wire.pop(result.key)
        share.on_wire.discard(result.key)
        share.results.append(result)

    # ── what is written ─────────────────────────────────────────────────────────────────────

    def steps(self, marks: Sequence[Mark] = (), *, all_of_them: bool = False) -> list[tuple[Share, Step]]:
        """Return the steps to write: one for each slice that has changed, or one for each slice."""
        steps = []
        for share in self._shares:
            mine = [mark for mark in marks if mark.share is share]
            results = [*share.results, *(result for mark in mine for result in mark.skipped)]
            wire = [*share.on_wire, *(reader.subscriber_id for mark in mine for reader in mark.readers)]
            is_over = not wire and share.left == sum(len(mark.due) for mark in mine)
            if mine or results or share.turns or is_over or all_of_them:
                step = Step(slice=share.slice, wire=wire, results=results, turns=share.turns, leaves=is_over)
                steps.append((share, step))
        return steps

    def written(
        self, steps: Sequence[tuple[Share, Step]], lost: Collection[Share], marks: Sequence[Mark]
    ) -> None:
        """Remember what was committed; the slices of the `lost` steps have another sender now."""
        for mark in marks:
            for key in mark.due:
                if key in mark.share.waiting:
                    mark.share.waiting.discard(key)
                else:
                    mark.share.ahead.popleft()
            if mark.share not in lost:
                marked = {reader.subscriber_id: (mark.share, reader) for reader in mark.readers}
                mark.share.on_wire |= marked.keys()
                self.on_wire |= marked
        for share, step in steps:
            if share in lost:
                self._lost.append(share)
            else:
                share.results, share.turns = [], []
            if share in lost or step.leaves:
                self._shares.remove(share)

    def let_go(self, marks: Sequence[Mark]) -> None:
        """Let marked deliveries be next again, because their messages could not be made."""
        for mark in marks:
            for reader in mark.readers:
                self.on_wire.pop(reader.subscriber_id, None)
                mark.share.on_wire.discard(reader.subscriber_id)
            mark.share.ahead.extendleft(reader.subscriber_id for reader in reversed(mark.readers))

    def begin_again(self) -> None:
        """Forget who waits for a limit: they are next again."""
        for share in self._shares:
            share.ahead.extendleft(sorted(share.waiting, reverse=True))
            share.waiting.clear()
