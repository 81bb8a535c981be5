"""Send to Postfix and Exim as they are installed: TLS, login, pipelining, chunking, and refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from digest.model.errors import TransportError
from digest.model.messages import Outcome
from digest.smtp.terms import Pace
from digest.smtp.transport import check_server
from tests.certificates import Certificates
from tests.smtp.real_servers import RealServer, exim, postfix
from tests.smtp.test_transport import carry, messages, outcomes

Real = Callable[[Certificates], AbstractContextManager[RealServer]]
COUNT = 300
KNOWN = {message.recipient: 1 for message in messages(COUNT) if "5@" not in message.recipient}


@pytest.mark.parametrize("real", [postfix, exim], ids=["Postfix", "Exim"])
@pytest.mark.parametrize("pace", Pace)
def test_every_known_reader_gets_one_message_and_none_is_uncertain(
    certificates: Certificates, real: Real, pace: Pace
) -> None:
    with real(certificates) as there:
        receipts = carry(there.server, count=COUNT, pace=pace)
        assert there.recipients(len(KNOWN)) == KNOWN
    assert outcomes(receipts) == {Outcome.ACCEPTED: len(KNOWN), Outcome.REJECTED: COUNT - len(KNOWN)}


@pytest.mark.parametrize("real", [postfix, exim], ids=["Postfix", "Exim"])
def test_the_check_describes_the_server(certificates: Certificates, real: Real) -> None:
    with real(certificates) as there:
        facts = "\n".join(check_server(there.server))
    assert "certificate trusted" in facts
    assert "CHUNKING" in facts
    assert "logged in" in facts


@pytest.mark.parametrize("real", [postfix, exim], ids=["Postfix", "Exim"])
def test_a_wrong_password_is_a_clear_error_and_nothing_is_accepted(
    certificates: Certificates, real: Real
) -> None:
    with real(certificates) as there:
        server = dataclasses.replace(there.server, password="ebb")
        with pytest.raises(TransportError, match="AUTH was answered with 535"):
            carry(server, count=3)
        assert not there.recipients()


@pytest.mark.parametrize("real", [postfix, exim], ids=["Postfix", "Exim"])
def test_without_a_login_every_message_is_refused_and_none_is_lost(
    certificates: Certificates, real: Real
) -> None:
    with real(certificates) as there:
        receipts = carry(dataclasses.replace(there.server, user=None, password=None), count=40)
        assert outcomes(receipts) == {Outcome.REJECTED: 40}
        assert not there.recipients()


@pytest.mark.parametrize("silent", ["chunking", "chunking, pipelining", "chunking, pipelining, size, dsn"])
def test_a_postfix_with_fewer_extensions_is_used(certificates: Certificates, silent: str) -> None:
    with postfix(certificates, silent=silent) as there:
        receipts = carry(there.server, count=40)
        assert there.recipients(36).total() == 36
    assert outcomes(receipts) == {Outcome.ACCEPTED: 36, Outcome.REJECTED: 4}
