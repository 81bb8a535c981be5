"""Notice that a server refuses every letter for the same reason, before the whole list is burnt. Pure.

    refused for good so often in a row, with the same code            and then
    50 letters, nothing accepted before by this run                   the edition is paused
    50 letters, and the code does not speak of one reader's mailbox   the edition is paused

A code is what the server answers, with its enhanced code where there is one: "550 5.7.1". Codes 5.1.x
but 5.1.7 and 5.1.8, and 5.2.x speak of one reader's mailbox (RFC 3463): fifty of them in a row are dead
addresses, if other letters were accepted. What is put off (4xx) is tried again and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from digest.model import Outcome, Receipt
from subscribers.text import without_addresses

ENOUGH = 50
_OF_US = ("5.1.7", "5.1.8")  # the sender's address
_OF_A_MAILBOX = ("5.1.", "5.2.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """How many letters in a row were refused alike, and what the last one was told."""

    code: str = ""
    length: int = 0
    reply: str = ""
    welcome: bool = False  # something was accepted before

    @property
    def alarm(self) -> str:
        """Say why sending should stop, or nothing."""
        if self.length < ENOUGH or (self.welcome and self._of_a_mailbox):
            return ""
        reply = without_addresses(self.reply)  # kept with the edition, and logged
        return f"{self.length} letters in a row were refused with {self.code}; the last answer: {reply}"

    @property
    def _of_a_mailbox(self) -> bool:
        enhanced = self.code.partition(" ")[2]
        return enhanced.startswith(_OF_A_MAILBOX) and enhanced not in _OF_US

    def after(self, receipts: Iterable[Receipt]) -> Streak:
        """Return the streak after some more receipts."""
        streak = self
        for receipt in receipts:
            if receipt.outcome is Outcome.ACCEPTED:
                streak = _WELCOME
            elif receipt.outcome is Outcome.REJECTED:
                streak = streak._refused(receipt)
        return streak

    def _refused(self, receipt: Receipt) -> Streak:
        code = f"{receipt.code or ''} {receipt.enhanced or ''}".strip()
        length = self.length + 1 if code == self.code else 1
        return replace(self, code=code, length=length, reply=receipt.reply)


_WELCOME = Streak(welcome=True)
