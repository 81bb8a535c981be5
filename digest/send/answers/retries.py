"""Decide the next state of a delivery from its receipt, and when it is tried again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest.model.deliveries import DeliveryState, Result
from digest.model.messages import Outcome, Receipt
from subscribers.rules.answers import OURS, PASSING, Answered, Cause
from subscribers.text import without_addresses

_PAUSES = (5, 15, 30, 60, 120, 240)  # minutes; the last pause is used for every later try
_FIRST_PAUSED_TRY = 3  # if no server took the message, the delivery waits from this try on
_SPREAD = 4  # a pause grows by up to a quarter; see `pause_of`
_TOGETHER = 8  # consecutive keys come back at the same time, so that a group is settled in few statements
_GOLDEN = 0x9E37_79B9_7F4A_7C15  # 2 to the power of 64, divided by the golden ratio
_NOT_THE_RECIPIENT = (Answered.SENDER, Answered.TEXT)
_QUOTA_PAUSE = timedelta(hours=1)  # until a message is tried again for which our quota had no room
_MAX_TRIES_OF_US = 3  # if a server takes messages for others, it refuses this one for good
_MAX_RESENDS = 3  # because a message can break the connection each time it is sent


class Doubt(StrEnum):
    """The policy for a message that was on the wire when the connection broke."""

    HOLD = "hold"  # stays uncertain until an operator decides: perhaps lost, never twice
    RESEND = "resend"  # is sent again with the same Message-ID: perhaps twice, never lost


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """How long a message is tried. `lifetime` counts only the pauses between tries.

    So a copy that is due late, or was held back by a limit or a pause, gets as many tries as the first copy.
    """

    lifetime: timedelta = timedelta(hours=24)
    doubt: Doubt = Doubt.HOLD


def result_of(
    receipt: Receipt, *, tries: int, now: datetime, rules: RetryRules, alike: bool = False
) -> Result:
    """Return the next state of a delivery; `tries` includes the try that this receipt is for.

    `alike` tells whether the server refuses all messages at present. If it refuses them because of us, or
    wants fewer messages at a time, this message loses no try.
    """
    reply = _kept(receipt)
    if receipt.outcome is Outcome.ACCEPTED:  # first, because nearly all are
        return Result(receipt.key, DeliveryState.ACCEPTED, None, receipt.code, reply)
    if receipt.outcome is not Outcome.UNCERTAIN:
        waiting = _waiting(receipt, reply, tries=tries, now=now, alike=alike)
        if waiting:
            return waiting
    match receipt.outcome:
        case Outcome.REJECTED:
            return Result(receipt.key, DeliveryState.REJECTED, None, receipt.code, reply)
        case Outcome.UNCERTAIN if not goes_again(tries, rules):
            return Result(receipt.key, DeliveryState.UNCERTAIN, None, receipt.code, reply)
        case Outcome.UNSENT if tries < _FIRST_PAUSED_TRY:
            # It is due again at once. The third try waits, because no server seems to take messages now.
            return Result(receipt.key, DeliveryState.QUEUED, now, receipt.code, reply)
        case _:
            return _later(receipt, reply, tries=tries, now=now, rules=rules)


def _waiting(receipt: Receipt, reply: str, *, tries: int, now: datetime, alike: bool) -> Result | None:
    """Return the result of a message that was refused although nothing is wrong with it; else None."""
    cause, pause = receipt.cause, pause_of(receipt.key, 1)
    # If a server has answered this message several times, and takes others, the message is deferred as usual.
    is_free = cause is Cause.QUOTA or (cause in OURS and alike)
    if receipt.outcome is Outcome.UNSENT and receipt.code:
        is_free = is_free or cause in PASSING | OURS
    if not is_free and not (cause is Cause.US and tries <= _MAX_TRIES_OF_US):
        return None
    due_at = now + (max(pause, _QUOTA_PAUSE) if cause is Cause.QUOTA else pause)
    return Result(receipt.key, DeliveryState.DEFERRED, due_at, receipt.code, reply, int(not is_free))


def _kept(receipt: Receipt) -> str:
    """Return the reply as the ledger keeps it: without addresses, because the ledger outlives an erasure."""
    reply = without_addresses(receipt.reply)
    if receipt.enhanced and not reply.startswith(receipt.enhanced):
        reply = f"{receipt.enhanced} {reply}".strip()
    # The same words say something else about the mailbox when they answer the sender or the text.
    return f"{receipt.answered}: {reply}" if receipt.answered in _NOT_THE_RECIPIENT else reply


def _later(receipt: Receipt, reply: str, *, tries: int, now: datetime, rules: RetryRules) -> Result:
    # The sum of the pauses is compared, not the time since the first try, because a limit or a pause of the
    # edition can hold a delivery back for hours, and that must not cost it any tries.
    if rest_through(tries) <= rules.lifetime:
        due_at = now + pause_of(receipt.key, tries)
        return Result(receipt.key, DeliveryState.DEFERRED, due_at, receipt.code, reply)
    noun = "try" if tries == 1 else "tries"
    given_up = f"gave up after {tries} {noun}: {reply}".removesuffix(": ")
    return Result(receipt.key, DeliveryState.REJECTED, None, receipt.code, given_up)


def pause_after(tries: int, pauses: Sequence[int] = _PAUSES) -> timedelta:
    """Return the pause after try number `tries` (from 1); pauses grow from 5 minutes to 4 hours."""
    return timedelta(minutes=pauses[min(max(tries, 1), len(pauses)) - 1])


def pause_of(key: int, tries: int) -> timedelta:
    """Return how long delivery `key` waits after try number `tries`: the pause, and up to a quarter more.

    The same key always waits for the same time, in whole seconds.
    """
    # A server that is too busy defers thousands of messages in one second. After equal pauses, all of them
    # would come back in one second and be deferred again. The fractional parts of multiples of the golden
    # ratio lie evenly between 0 and 1, however many there are, and they are not random.
    pause = pause_after(tries)
    seconds = pause // _SPREAD // timedelta(seconds=1)
    return pause + timedelta(seconds=(key // _TOGETHER * _GOLDEN % 2**64) * seconds >> 64)


def rest_through(tries: int) -> timedelta:
    """Return the sum of the pauses up to and including the pause after try number `tries`.

    The spread that `pause_of` adds is not counted, so it costs no delivery a try.
    """
    return sum((pause_after(done) for done in range(1, tries + 1)), timedelta())


def goes_again(tries: int, rules: RetryRules) -> bool:
    """Tell whether a message without an answer is sent again after try number `tries`, or is uncertain.

    It does not matter whether its connection broke or its sender ended.
    """
    again = rules.doubt is Doubt.RESEND and tries <= _MAX_RESENDS
    return again and rest_through(tries) <= rules.lifetime
