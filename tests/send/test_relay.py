"""When another line to a server may be opened, by how the lines before it ended."""

from __future__ import annotations

from digest.model import SmtpServer
from digest.send.pipeline import Pace, Verdict
from digest.send.relay import LineRecord, Patience, Relay

BROKEN = Verdict(reason="the server hung up")


def relay(connections: int = 3, tries: int = 3) -> Relay:
    server = SmtpServer(host="mail.example.org", connections=connections)
    return Relay(server, Patience(tries=tries, pause=2.0, hope=1.0), pace=Pace.CHUNKING, in_flight=4)


def open_lines(server: Relay, now: float) -> list[LineRecord]:
    lines = []
    while server.may_open(now):
        lines.append(server.opened(now))
    return lines


def test_a_server_gets_as_many_lines_as_it_may_have() -> None:
    assert len(open_lines(relay(connections=3), now=0)) == 3


def test_lines_opened_together_fail_as_one_and_then_there_is_a_pause() -> None:
    server = relay()
    counted = [server.ended(line, BROKEN, 10.0) for line in open_lines(server, now=10)]
    assert counted == [True, False, False]
    assert not server.may_open(11.9)
    assert server.may_open(12.0)


def test_after_a_failure_lines_are_opened_one_at_a_time() -> None:
    server = relay()
    for line in open_lines(server, now=0):
        server.ended(line, BROKEN, 0)
    (first,) = open_lines(server, now=2)
    server.ready(first, Pace.CHUNKING)
    assert len(open_lines(server, now=2)) == 1


def test_pauses_double_and_then_the_server_is_down() -> None:
    server, pauses = relay(connections=1), []
    while not server.down:
        before = server.not_before
        (line,) = open_lines(server, now=before)
        server.ended(line, BROKEN, before)
        pauses.append(server.not_before - before)
    assert pauses == [2.0, 4.0, 8.0]
    assert open_lines(server, now=1e9) == []


def test_a_server_that_has_failed_for_as_long_as_there_is_hope_gets_no_further_try() -> None:
    server = relay(connections=1, tries=99)
    server.ended(open_lines(server, now=100)[0], BROKEN, 130)
    server.ended(open_lines(server, now=132)[0], BROKEN, 159)
    assert not server.down
    server.ended(open_lines(server, now=163)[0], BROKEN, 163)
    assert server.down


def test_a_server_that_was_silent_once_is_tried_again_however_long_that_took() -> None:
    server = relay(connections=1)
    server.ended(open_lines(server, now=0)[0], BROKEN, 600)
    assert not server.down
    server.ended(open_lines(server, now=602)[0], None, 700)
    server.ended(open_lines(server, now=700)[0], BROKEN, 1300)
    assert not server.down


def test_a_lasting_reason_needs_no_second_try() -> None:
    server = relay(connections=1)
    (line,) = open_lines(server, now=0)
    server.ended(line, Verdict(reason="login refused", lasting=True), 0)
    assert server.down


def test_a_line_that_did_its_work_may_end_without_blame() -> None:
    server = relay(connections=1, tries=1)
    (line,) = open_lines(server, now=0)
    server.ready(line, Pace.CHUNKING)
    line.answered, line.returned = 1, 3
    assert not server.ended(line, BROKEN, 0)
    assert server.may_open(0)


def test_a_server_that_leaves_more_in_doubt_than_it_answers_is_given_up() -> None:
    server = relay(connections=1, tries=2)
    for now in (0, 100):
        (line,) = open_lines(server, now=now)
        server.ready(line, Pace.CHUNKING)
        line.answered, line.uncertain = 4, 4
        assert server.ended(line, BROKEN, now)
    assert server.down


def test_a_server_is_not_down_while_a_line_to_it_lives() -> None:
    server = relay(tries=1)
    alive, *others = open_lines(server, now=0)
    server.ready(alive, Pace.CHUNKING)
    for line in others:
        server.ended(line, BROKEN, 0)
    assert not server.down
    server.ended(alive, None, 0)
    assert server.may_open(0)


def test_a_server_that_lied_keeps_its_slower_pace() -> None:
    server = relay()
    for line in open_lines(server, now=0):
        server.ended(line, Verdict(reason="503", slower=Pace.PIPELINING), 0)
    assert server.pace is Pace.PIPELINING
