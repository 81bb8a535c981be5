"""Another connection to a server may be opened or not, depending on how earlier connections ended."""

from __future__ import annotations

from digest.model.messages import SmtpServer
from digest.smtp.pipeline import Verdict
from digest.smtp.relay import ConnectionRecord, Relay, Timeouts
from digest.smtp.terms import Pace

BROKEN = Verdict(reason="the server hung up")


def relay(connections: int = 3, tries: int = 3) -> Relay:
    server = SmtpServer(host="mail.example.org", connections=connections)
    return Relay(server, Timeouts(tries=tries, pause=2.0, hope=1.0), pace=Pace.CHUNKING, in_flight=4)


def open_connections(server: Relay, now: float) -> list[ConnectionRecord]:
    records = []
    while server.may_open(now):
        records.append(server.opened(now))
    return records


def test_a_server_gets_as_many_connections_as_it_may_have() -> None:
    assert len(open_connections(relay(connections=3), now=0)) == 3


def test_connections_opened_together_fail_as_one_and_then_there_is_a_pause() -> None:
    server = relay()
    counted = [server.ended(record, BROKEN, 10.0) for record in open_connections(server, now=10)]
    assert counted == [True, False, False]
    assert not server.may_open(11.9)
    assert server.may_open(12.0)


def test_after_a_failure_connections_are_opened_one_at_a_time() -> None:
    server = relay()
    for record in open_connections(server, now=0):
        server.ended(record, BROKEN, 0)
    (first,) = open_connections(server, now=2)
    server.ready(first, Pace.CHUNKING)
    assert len(open_connections(server, now=2)) == 1


def test_pauses_double_and_then_the_server_is_down() -> None:
    server, pauses = relay(connections=1), []
    while not server.down:
        before = server.not_before
        (record,) = open_connections(server, now=before)
        server.ended(record, BROKEN, before)
        pauses.append(server.not_before - before)
    assert pauses == [2.0, 4.0, 8.0]
    assert open_connections(server, now=1e9) == []


def test_a_server_that_has_failed_for_too_long_gets_no_further_try() -> None:
    server = relay(connections=1, tries=99)
    server.ended(open_connections(server, now=100)[0], BROKEN, 130)
    server.ended(open_connections(server, now=132)[0], BROKEN, 159)
    assert not server.down
    server.ended(open_connections(server, now=163)[0], BROKEN, 163)
    assert server.down


def test_a_server_that_was_silent_once_is_tried_again_after_any_time() -> None:
    server = relay(connections=1)
    server.ended(open_connections(server, now=0)[0], BROKEN, 600)
    assert not server.down
    server.ended(open_connections(server, now=602)[0], None, 700)
    server.ended(open_connections(server, now=700)[0], BROKEN, 1300)
    assert not server.down


def test_a_lasting_failure_gets_no_second_try() -> None:
    server = relay(connections=1)
    (record,) = open_connections(server, now=0)
    server.ended(record, Verdict(reason="login refused", lasting=True), 0)
    assert server.down


def test_a_connection_that_did_its_work_may_end_without_a_failure() -> None:
    server = relay(connections=1, tries=1)
    (record,) = open_connections(server, now=0)
    server.ready(record, Pace.CHUNKING)
    record.answered, record.returned = 1, 3
    assert not server.ended(record, BROKEN, 0)
    assert server.may_open(0)


def test_a_server_that_leaves_more_uncertain_than_it_answers_is_given_up() -> None:
    server = relay(connections=1, tries=2)
    for now in (0, 100):
        (record,) = open_connections(server, now=now)
        server.ready(record, Pace.CHUNKING)
        record.answered, record.uncertain = 4, 4
        assert server.ended(record, BROKEN, now)
    assert server.down


def test_a_server_is_not_down_while_a_connection_to_it_is_open() -> None:
    server = relay(tries=1)
    alive, *others = open_connections(server, now=0)
    server.ready(alive, Pace.CHUNKING)
    for record in others:
        server.ended(record, BROKEN, 0)
    assert not server.down
    server.ended(alive, None, 0)
    assert server.may_open(0)


def test_a_server_with_a_false_offer_keeps_its_slower_pace() -> None:
    server = relay()
    for record in open_connections(server, now=0):
        server.ended(record, Verdict(reason="503", slower=Pace.PIPELINING), 0)
    assert server.pace is Pace.PIPELINING
