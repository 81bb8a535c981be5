"""With servers that do anything at all, each message has one receipt, which agrees with the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model.errors import TransportError
from digest.model.messages import Message, Outcome, Receipt
from digest.smtp.relay import Timeouts
from digest.smtp.terms import Pace
from digest.smtp.transport import SmtpTransport
from tests.smtp.reply_server import OFFERS, Answer, Fault, ReplyServer
from tests.smtp.test_transport import at, carry, check_truth, handed, messages, outcomes

USUAL = (None,) * 6
REFUSALS = ("450 4.2.0 later", "550 5.1.1 never", "421 4.3.2 closing", "503 5.5.1 what", "502 5.5.2 what")
OUT_OF_STEP = ("354 go on", "no reply at all")
BREAKS = (Fault.DROP, Fault.HANG, ("421 4.3.2 closing", Fault.DROP), (b"250 half a li", Fault.DROP))
# Double answers and a yes to DATA are left out where they cannot be distinguished from honest answers.
TWICE = ("250 ok", "250 and once more")

DATA = st.sampled_from([*USUAL, *REFUSALS, *OUT_OF_STEP, *BREAKS])
COMMAND = DATA | st.sampled_from(["250 as you like", ("250 ok", Fault.DROP)])
BEGINNING = COMMAND | st.just(TWICE)
TEXT = COMMAND | st.just(Fault.TAKE)
TABLES = st.fixed_dictionaries(
    {},
    optional={
        verb: st.lists(answers, max_size=5).map(tuple)
        for answers, verbs in {
            BEGINNING: ("GREETING", "EHLO"),
            COMMAND: ("RSET", "MAIL", "RCPT"),
            DATA: ("DATA",),
            TEXT: ("BODY", "BDAT"),
        }.items()
        for verb in verbs
    },
)
OFFERED = st.sets(st.sampled_from(OFFERS)).map(lambda offers: tuple(sorted(offers)))


@given(TABLES, OFFERED, st.sampled_from(Pace), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_the_receipts_are_true_whatever_a_server_does(
    table: dict[str, tuple[Answer | None, ...]], offers: tuple[str, ...], pace: Pace, connections: int
) -> None:
    with ReplyServer(table, offers) as server:
        transport = SmtpTransport(
            [at(server, connections=connections, timeout=0.1)],
            pace=pace,
            in_flight=4,
            patience=Timeouts(tries=4, pause=0.001, ready=1, text=1),
        )
        receipts = asked_and_answered(transport, count=30)
    check_truth(receipts, server)


def asked_and_answered(transport: SmtpTransport, count: int) -> dict[int, Receipt]:
    """Send messages until there are no more, or no server is left; check that each has a receipt."""
    asked: list[int] = []
    receipts: list[Receipt] = []

    def noted() -> Iterator[Sequence[Message]]:
        for group in handed(transport, messages(count)):
            asked.extend(message.key for message in group)
            yield group

    with contextlib.suppress(TransportError):
        for answered in transport.carry(noted()):
            receipts.extend(answered)
    assert sorted(receipt.key for receipt in receipts) == asked
    return {receipt.key: receipt for receipt in receipts}


def test_thousands_of_messages_arrive_once_over_connections_that_keep_breaking() -> None:
    def rough(verb: str, count: int) -> Answer | None:
        if verb in ("MAIL", "BDAT") and count % 97 == 96:
            return Fault.TAKE if count % 2 else ("421 4.3.2 closing", Fault.DROP)
        if verb == "RCPT" and count % 13 == 12:
            return "550 5.1.1 never" if count % 2 else "450 4.2.0 later"
        return None

    with ReplyServer(rough) as server:
        receipts = carry(at(server, connections=4), count=3000)
    check_truth(receipts, server)
    assert outcomes(receipts)[Outcome.ACCEPTED] > 2000
    assert outcomes(receipts)[Outcome.UNSENT] == 0
    assert outcomes(receipts)[Outcome.UNCERTAIN] <= 8 * server.connections
