"""Decide what a receipt makes of a delivery, and when it is tried again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from digest.model import DeliveryState, Outcome, Receipt

_ADDRESS = re.compile(r"\S+@\S+")
_PAUSES = (5, 15, 30, 60, 120, 240)  # minutes; the last one for every later try
_AT_ONCE = 3  # tries that never reached a server and are handed over again without a pause
_SPREAD = 4  # a pause grows by up to one part in four; see `pause_of`
_TOGETHER = 8  # consecutive keys that come back at the same time: a group is settled in few statements
_GOLDEN = 0x9E37_79B9_7F4A_7C15  # 2 to the power of 64, divided by the golden ratio
_MAX_RESENDS = 3  # a letter that breaks the line again and again is not sent for ever


class Doubt(StrEnum):
    """What is done with a letter that was on the wire when the line broke."""

    HOLD = "hold"  # it stays uncertain until an operator decides: perhaps lost, never twice
    RESEND = "resend"  # it goes again with the same Message-ID: perhaps twice, never lost


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """How long a letter is tried; `lifetime` counts from its first try, without waits that were ours.

    So a copy that is due late, or that a limit or a pause held back, is tried as long as the first.
    """

    lifetime: timedelta = timedelta(hours=24)
    doubt: Doubt = Doubt.HOLD


class Result(NamedTuple):
    """What the ledger keeps of one receipt. `due_at` is set only where the delivery comes back."""

    key: int
    state: DeliveryState
    due_at: datetime | None
    code: int | None
    reply: str


def result_of(receipt: Receipt, *, tries: int, now: datetime, rules: RetryRules) -> Result:
    """Say what becomes of a delivery; `tries` counts the one this receipt is for."""
    reply = _kept(receipt)
    match receipt.outcome:
        case Outcome.ACCEPTED:
            return Result(receipt.key, DeliveryState.ACCEPTED, None, receipt.code, reply)
        case Outcome.REJECTED:
            return Result(receipt.key, DeliveryState.REJECTED, None, receipt.code, reply)
        case Outcome.UNCERTAIN if tries > resends(rules):
            return Result(receipt.key, DeliveryState.UNCERTAIN, None, receipt.code, reply)
        case Outcome.UNSENT if tries < _AT_ONCE:
            return Result(receipt.key, DeliveryState.QUEUED, now, receipt.code, reply)
        case _:
            return _later(receipt, reply, tries=tries, now=now, rules=rules)


def _kept(receipt: Receipt) -> str:
    """Return what the ledger keeps of an answer: no address, for it outlives the reader's erasure."""
    reply = _ADDRESS.sub("<…>", receipt.reply) if "@" in receipt.reply else receipt.reply
    if not receipt.enhanced or reply.startswith(receipt.enhanced):
        return reply
    return f"{receipt.enhanced} {reply}".strip()


def _later(receipt: Receipt, reply: str, *, tries: int, now: datetime, rules: RetryRules) -> Result:
    if rest_through(tries) <= rules.lifetime:
        due_at = now + pause_of(receipt.key, tries)
        return Result(receipt.key, DeliveryState.DEFERRED, due_at, receipt.code, reply)
    if receipt.outcome is Outcome.UNCERTAIN:
        return Result(receipt.key, DeliveryState.UNCERTAIN, None, receipt.code, reply)
    noun = "try" if tries == 1 else "tries"
    given_up = f"gave up after {tries} {noun}: {reply}".removesuffix(": ")
    return Result(receipt.key, DeliveryState.REJECTED, None, receipt.code, given_up)


def pause_after(tries: int, pauses: Sequence[int] = _PAUSES) -> timedelta:
    """Return how long a delivery rests after its try number `tries` (from 1): 5 min growing to 4 h."""
    return timedelta(minutes=pauses[min(max(tries, 1), len(pauses)) - 1])


def pause_of(key: int, tries: int) -> timedelta:
    """Return how long delivery `key` rests after its try number `tries`: its pause and up to a quarter more.

    The same key always rests for the same time, in whole seconds.
    """
    # A server that is too busy puts off thousands of messages in one second. After equal pauses all of them
    # would come back in one second, and it would put them off again. Multiples of the golden ratio, without
    # their whole part, lie evenly between 0 and 1 however many there are, and they are not random.
    pause = pause_after(tries)
    seconds = pause // _SPREAD // timedelta(seconds=1)
    return pause + timedelta(seconds=(key // _TOGETHER * _GOLDEN % 2**64) * seconds >> 64)


def rest_through(tries: int) -> timedelta:
    """Return the rest a delivery has had for certain once the pause after try number `tries` is over.

    What `pause_of` adds is not counted: it takes no try from anybody.
    """
    return sum((pause_after(done) for done in range(1, tries + 1)), timedelta())


def resends(rules: RetryRules) -> int:
    """Return after how many tries at most a letter lost on the wire goes again under these rules."""
    return _MAX_RESENDS if rules.doubt is Doubt.RESEND else 0
