"""Notice that a server refuses every message for the same reason, so that the edition can be paused. Pure.

    refused (5xx) in a row with the same code                        then
    50 messages, and this run had nothing accepted before            the edition is paused
    50 messages, and the code is not about one reader's mailbox      the edition is paused

A code is the server's reply code, with its enhanced code if there is one: "550 5.7.1". Codes 5.1.x (except
5.1.7 and 5.1.8) and 5.2.x are about one reader's mailbox (RFC 3463): fifty of them in a row are dead
addresses if other messages were accepted. Deferred messages (4xx) are tried again and are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from digest.model.messages import Outcome, Receipt
from subscribers.text import without_addresses

ENOUGH = 50
_ABOUT_THE_SENDER = ("5.1.7", "5.1.8")  # the sender's address
_ABOUT_A_MAILBOX = ("5.1.", "5.2.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """How many messages in a row were refused with the same code, and the last reply."""

    code: str = ""
    length: int = 0
    reply: str = ""
    accepted_before: bool = False  # the server has accepted a message in this run

    @property
    def alarm(self) -> str:
        """Say why sending should stop; an empty string if it should not."""
        if self.length < ENOUGH or (self.accepted_before and self._is_about_a_mailbox):
            return ""
        reply = without_addresses(self.reply)  # because the reason is logged, and kept with the edition
        return f"{self.length} messages in a row were refused with {self.code}; the last answer was: {reply}"

    @property
    def _is_about_a_mailbox(self) -> bool:
        enhanced = self.code.partition(" ")[2]
        return enhanced.startswith(_ABOUT_A_MAILBOX) and enhanced not in _ABOUT_THE_SENDER

    def after(self, receipts: Iterable[Receipt]) -> Streak:
        """Return the streak after these receipts."""
        streak = self
        for receipt in receipts:
            if receipt.outcome is Outcome.ACCEPTED:
                streak = _AFTER_ACCEPTED
            elif receipt.outcome is Outcome.REJECTED:
                streak = streak._refused(receipt)
        return streak

    def _refused(self, receipt: Receipt) -> Streak:
        code = f"{receipt.code or ''} {receipt.enhanced or ''}".strip()
        length = self.length + 1 if code == self.code else 1
        return replace(self, code=code, length=length, reply=receipt.reply)


_AFTER_ACCEPTED = Streak(accepted_before=True)
