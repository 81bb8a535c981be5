"""Notice that a server refuses messages because of us, so that the edition can be paused. Pure.

    refused (5xx, or because of us)                                              then
    50 messages with none accepted between them, for whatever reasons            the edition is paused
    50 messages because of us, and since then no more were accepted than that    the edition is paused
    every message of a run, and the edition had nothing accepted before          the edition is paused

An answer is because of us if our quota is used up, or if the server takes no messages from our address,
account or sender (`OURS`). An answer about one reader's mailbox (it does not exist, it is full) counts only
as long as nothing was accepted: fifty of them in a row are dead addresses otherwise. Deferred messages are
tried again and do not count, unless they are deferred because of us.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.model.messages import Outcome, Receipt
from subscribers.rules.answers import OURS, Cause
from subscribers.text import without_addresses

ENOUGH = 50
_FORGET = 4 * ENOUGH  # answers, after which earlier answers count half
_OF_ONE_READER = frozenset({Cause.MAILBOX, Cause.FULL})
_LAST = "; the last answer was: "
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """The refusals of a run since it last had a message accepted, and its answers because of us."""

    row: int = 0  # refused with none accepted between them
    rejected: tuple[int, ...] = ()  # the keys of those in the row that were rejected for good
    ours: int = 0  # refused because of us …
    others: int = 0  # … and accepted since then; both are halved now and then
    last: Receipt | None = None  # of those that count
    accepted_before: bool = False  # the server has accepted a message of this edition

    def after(self, receipt: Receipt) -> Refusals:
        """Return the refusals after a receipt."""
        if receipt.outcome is Outcome.ACCEPTED:
            return self._accepted() if self.row or self.ours else CONTENT
        refused = receipt.outcome in (Outcome.REJECTED, Outcome.DEFERRED)
        return self._refused(receipt) if refused else self

    @property
    def alike(self) -> bool:
        """Tell whether the last answers were refusals, so that the next one is about more than a reader."""
        return self.row > 0 or not self.accepted_before

    def alarm(self, now: datetime, *, at_the_end: bool = False) -> str:
        """Say why sending should stop, and what to do; an empty string if it should not."""
        many = self.row >= ENOUGH or self.ours >= max(ENOUGH, self.others)
        all_of_few = at_the_end and self.row > 0 and self.ours > 0 and not self.accepted_before
        if self.last is None or not (many or all_of_few):
            return ""
        count = max(self.row, self.ours)
        noun = "message was" if count == 1 else "messages were"
        # No address, because the reason is logged, and kept with the edition.
        answer = without_addresses(f"{self.last.code or ''} {self.last.reply}".strip())
        return f"{count} {noun} refused {_why(self.last, now)}{_LAST}{answer}"

    def _accepted(self) -> Refusals:
        ours, others = self.ours, self.others + 1
        if ours + others > _FORGET:
            ours, others = ours // 2, others // 2
        return replace(CONTENT, ours=ours, others=others, last=self.last if ours else None)

    def _refused(self, receipt: Receipt) -> Refusals:
        cause = receipt.cause
        is_ours, is_rejected = cause in OURS, receipt.outcome is Outcome.REJECTED
        if not (is_ours or is_rejected) or (self.accepted_before and cause in _OF_ONE_READER):
            return self
        rejected = (*self.rejected, receipt.key) if is_rejected and not is_ours else self.rejected
        return replace(self, row=self.row + 1, rejected=rejected, ours=self.ours + is_ours, last=receipt)


def is_alarm(reason: str) -> bool:
    """Tell whether an edition that is paused for this reason was paused by the program."""
    return _LAST in reason


# A run whose server accepts messages; it stays the same value while nothing is refused.
CONTENT = Refusals(accepted_before=True)


def _why(receipt: Receipt, now: datetime) -> str:
    """Return the reason in words, and what to do."""
    cause = receipt.cause
    if cause is Cause.QUOTA:
        hourly = "hour" in receipt.reply.casefold()
        until = now + (_HOUR if hourly else _DAY)
        return (
            "because the quota of this sending account is used up; the messages wait, and sending can resume"
            f" when the quota is free again, which is at {until:%Y-%m-%d %H:%M} UTC at the latest"
            f" if it is counted by the {'hour' if hourly else 'day'}"
        )
    if cause in OURS:
        return (
            "because the server does not take messages from this sender; they wait until the cause is fixed"
        )
    return "with none accepted between them"
