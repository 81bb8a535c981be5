"""Slow, silent and hostile clients cannot keep the pages from anybody else. Real sockets on loopback.

127.0.0.1 is a trusted proxy; 127.0.0.2 and 127.0.0.3 are clients.
"""

from __future__ import annotations

import http.client
import json
import logging
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Thread
from time import monotonic

import pytest

from digest.web.connections import WebLimits
from digest.web.serving import serving
from tests.web.site import Site
from tests.web.test_serving import on_loopback

FORM = {"content-type": "application/x-www-form-urlencoded"}
ONE_CLICK = "List-Unsubscribe=One-Click"
TRIES = 400  # at most, of anything that a test repeats until the server has noticed something


@contextmanager
def connected(port: int, source: str = "127.0.0.2") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as line:
        yield line


def ask(
    port: int, method: str, path: str, body: str = "", *, source: str = "127.0.0.3", language: str = "en"
) -> tuple[http.client.HTTPResponse, str]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    line.request(method, path, body or None, {**(FORM if body else {}), "accept-language": language})
    answer = line.getresponse()
    text = answer.read().decode()
    line.close()
    return answer, text


def head(link: str, *, length: int = len(ONE_CLICK)) -> bytes:
    """Return the head of a one-click request. The server says 100 when it waits for the body."""
    return (
        f"POST {link} HTTP/1.1\r\nhost: digest.example.org\r\ncontent-type: {FORM['content-type']}\r\n"
        f"content-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    ).encode()


def everything(line: socket.socket) -> bytes:
    """Return what arrives until the server closes the connection."""
    return b"".join(iter(lambda: line.recv(65_536), b""))


def dribble(line: socket.socket, text: bytes) -> tuple[int, bytes]:
    """Send a byte whenever nothing has arrived for a while; return how many were sent, and what arrived."""
    line.settimeout(0.02)
    for number in range(len(text)):
        try:
            return number, line.recv(65_536)
        except TimeoutError:
            line.sendall(text[number : number + 1])
    raise AssertionError("the server waited for all of it")


def drop(line: socket.socket) -> None:
    """Break the connection off (RST)."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_readers_unsubscribe_while_200_connections_send_nothing(quick: Site) -> None:
    quick.add()
    link = quick.leave_link()
    with serving(on_loopback(quick).app) as port, ExitStack() as silent:
        for number in range(200):
            silent.enter_context(connected(port, "127.0.0.1" if number < 100 else f"127.0.0.{number // 10}"))
        before = monotonic()
        answer, _text = ask(port, "POST", link, ONE_CLICK)
        assert answer.status == 200
        assert monotonic() - before < 5  # milliseconds, but the machine may be busy; the silent ones have ten
    assert quick.reads() == {"weekend"}


def test_a_silent_connection_is_closed_without_an_answer(quick: Site) -> None:
    with serving(on_loopback(quick).app, limits=WebLimits(head=0.1)) as port, connected(port) as line:
        assert everything(line) == b""


def test_a_head_that_arrives_byte_by_byte_gets_a_408(quick: Site) -> None:
    with serving(on_loopback(quick).app, limits=WebLimits(head=0.5)) as port, connected(port) as line:
        sent, answer = dribble(line, b"GET /" + b"x" * TRIES)
    assert sent > 1
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nconnection: close\r\n" in answer


def test_a_body_that_arrives_byte_by_byte_gets_a_408_and_changes_nothing(
    quick: Site, caplog: pytest.LogCaptureFixture
) -> None:
    quick.add()
    with serving(on_loopback(quick).app, limits=WebLimits(body=0.5)) as port, connected(port) as line:
        line.sendall(head(quick.leave_link(), length=TRIES))
        assert line.recv(1_000).startswith(b"HTTP/1.1 100 ")
        sent, answer = dribble(line, ONE_CLICK.encode().ljust(TRIES, b"&"))
    assert sent > 1
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert quick.reads() == {"daily", "weekend"}
    assert problems(caplog) == []


def test_the_rest_of_a_refused_body_is_not_awaited_longer(quick: Site) -> None:
    with serving(on_loopback(quick).app, limits=WebLimits(body=0.5)) as port, connected(port) as line:
        line.sendall(head("/signup", length=10_000_000))
        answer = http.client.HTTPResponse(line)
        answer.begin()
        assert answer.status == 413
        assert answer.read()
        with suppress(ConnectionError):  # the server may close while a byte is on its way
            assert dribble(line, b"x" * TRIES)[1] == b""


def test_a_client_that_does_not_take_its_answers_is_cut_off(
    quick: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(on_loopback(quick).app, limits=WebLimits(answer=0.3)) as port, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect(("127.0.0.1", port))
        line.sendall(b"GET /static/pages.css HTTP/1.1\r\nhost: x\r\n\r\n" * 1_400)  # megabytes of answers
        broken = select.poll()
        broken.register(line, 0)  # errors alone; nothing is read
        assert any(broken.poll(20) or not line.send(b"G") for _ in range(TRIES))
    assert problems(caplog) == []


def test_a_client_cannot_send_many_requests_ahead_of_their_answers(quick: Site) -> None:
    with serving(on_loopback(quick).app) as port, connected(port) as line, pytest.raises(ConnectionError):
        line.sendall(b"GET /signup HTTP/1.1\r\nhost: digest.example.org\r\n\r\n" * 1_000_000)


def test_a_client_has_twenty_connections_and_others_are_served(quick: Site) -> None:
    with serving(on_loopback(quick).app) as port, ExitStack() as silent:
        held = [silent.enter_context(connected(port)) for _ in range(20)]
        with connected(port) as line:
            answer = everything(line)
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nretry-after: 60\r\n" in answer
        assert ask(port, "GET", "/signup", source="127.0.0.3")[0].status == 200
        held[0].close()
        answers = (ask_again(port) for _ in range(TRIES))  # the server may notice a moment later
        assert next(status for status in answers if status != 503) == 200


def ask_again(port: int) -> int:
    try:
        return ask(port, "GET", "/signup", source="127.0.0.2")[0].status
    except (ConnectionError, http.client.HTTPException):
        return 503  # closed before the request was sent


def test_when_there_are_too_many_the_one_that_waited_longest_is_closed(quick: Site) -> None:
    with serving(on_loopback(quick).app, limits=WebLimits(connections=5)) as port, ExitStack() as silent:
        held = [silent.enter_context(connected(port)) for _ in range(5)]
        assert ask(port, "GET", "/signup")[0].status == 200
        assert everything(held[0]) == b""
        held[4].sendall(b"GET /signup HTTP/1.1\r\nhost: digest.example.org\r\n\r\n")
        assert held[4].recv(1_000).startswith(b"HTTP/1.1 200 ")


def test_a_slow_body_takes_no_place_of_a_request(quick: Site) -> None:
    quick.add()
    with serving(on_loopback(quick).app, limits=WebLimits(requests=1)) as port, connected(port) as line:
        line.sendall(head(quick.leave_link()))
        assert line.recv(1_000).startswith(b"HTTP/1.1 100 ")
        assert ask(port, "GET", "/signup")[0].status == 200
        line.sendall(ONE_CLICK.encode())
        assert line.recv(1_000).startswith(b"HTTP/1.1 200 ")


def test_too_many_requests_at_once_get_a_page_in_the_readers_language(quick: Site) -> None:
    quick.add()
    with serving(on_loopback(quick).app, limits=WebLimits(requests=1)) as port, connected(port) as first:
        first.sendall(head(quick.leave_link()))
        assert first.recv(1_000).startswith(b"HTTP/1.1 100 ")
        with quick.app.database.write():  # the request waits for its turn to write
            first.sendall(ONE_CLICK.encode())
            refusal, page = ask(port, "GET", "/signup", language="de")
            api, problem = ask(port, "GET", "/api/v1/form?digest=daily")
        assert first.recv(1_000).startswith(b"HTTP/1.1 200 ")
        assert ask(port, "GET", "/signup")[0].status == 200
    assert refusal.status == api.status == 503
    assert refusal.getheader("retry-after") == api.getheader("retry-after") == "60"
    assert refusal.getheader("content-language") == "de"
    assert refusal.getheader("x-frame-options") == "DENY"
    assert "Gerade ist viel los" in page
    assert json.loads(problem) == {"detail": "the server is busy; try again in a minute"}


def test_a_connection_dropped_in_a_request_is_not_an_error(
    quick: Site, caplog: pytest.LogCaptureFixture
) -> None:
    quick.add()
    link = quick.leave_link()
    with caplog.at_level(logging.DEBUG), serving(on_loopback(quick).app) as port:
        with connected(port) as line:  # in the head
            line.sendall(b"POST /signup HT")
            drop(line)
        for path in (link, "/signup", "/api/v1/signups"):  # in the body
            with connected(port) as line:
                line.sendall(head(path))
                assert line.recv(1_000).startswith(b"HTTP/1.1 100 ")
                line.sendall(b"List")
                drop(line)
        with quick.app.database.write(), connected(port) as line:  # while the page is made
            line.sendall(head(link))
            assert line.recv(1_000).startswith(b"HTTP/1.1 100 ")
            line.sendall(ONE_CLICK.encode())
            drop(line)
        assert ask(port, "GET", "/signup")[0].status == 200
    assert problems(caplog) == []
    assert "Traceback" not in caplog.text
    assert quick.reads() == {"weekend"}  # a request that has arrived counts


def test_nonsense_after_an_early_answer_is_not_an_error(
    quick: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(on_loopback(quick).app) as port, connected(port) as line:
        line.sendall(
            b"POST /signup HTTP/1.1\r\nhost: digest.example.org\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        line.sendall(b"%x\r\n%s\r\n" % (70_000, b"x" * 70_000))
        assert line.recv(1_000).startswith(b"HTTP/1.1 413 ")
        line.sendall(b"this is no chunk\r\n")
        assert b"HTTP/1.1" not in everything(line)
    assert problems(caplog) == []


def test_a_connection_is_kept_for_the_next_request(quick: Site) -> None:
    with serving(on_loopback(quick).app) as port:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        sockets = set()
        for _ in range(3):
            line.request("GET", "/signup")
            assert line.getresponse().read()
            sockets.add(line.sock)
        assert len(sockets) == 1
        assert None not in sockets
        line.close()


def test_a_request_in_progress_is_finished_at_shutdown(quick: Site) -> None:
    quick.add()
    server = ExitStack()
    port = server.enter_context(serving(on_loopback(quick).app, limits=WebLimits(head=60)))
    with connected(port) as line, connected(port) as silent:
        line.sendall(head(quick.leave_link()))
        assert line.recv(1_000).startswith(b"HTTP/1.1 100 ")
        stop = Thread(target=server.close)
        stop.start()
        assert everything(silent) == b""  # the server has begun to stop
        line.sendall(ONE_CLICK.encode())
        assert everything(line).startswith(b"HTTP/1.1 200 ")
        stop.join()
    assert quick.reads() == {"weekend"}
