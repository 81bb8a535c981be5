"""Answers that speak of us and not of a letter: too much, too fast. Pure."""

from __future__ import annotations

import re

from digest.model import Outcome, Receipt
from subscribers.text import without_addresses

_GREYLISTED = re.compile(r"gr[ae]y-?\s?list", re.IGNORECASE)
_LONGEST = 200  # characters of a reply


def asks_for_less(receipt: Receipt) -> bool:
    """Tell whether a server said, not of the letter but of us, that there is too much.

    Greylisting (RFC 6647) has the same codes and means something else: come again later.
    """
    if receipt.outcome not in (Outcome.DEFERRED, Outcome.UNSENT) or _GREYLISTED.search(receipt.reply):
        return False
    return receipt.code == 421 or (receipt.enhanced or "").startswith("4.7.")


def complaint(receipt: Receipt) -> str:
    """Return a reply as it is kept and shown: in one line, without the addresses in it."""
    parts = (receipt.code, receipt.enhanced, receipt.reply)
    return without_addresses(" ".join(str(part) for part in parts if part))[:_LONGEST]
