from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.fetching.connection import Connection, Head

BODY = b"The water comes and goes. " * 40
EARLY = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"
HEADERS = [(b"etag", b'"1"'), (b"x-name", b"Port Merrow")]
FIELDS = b'ETag: "1"\r\nX-Name:  Port Merrow \r\n'
ANSWERS = {
    "with a length": (b"content-length: %d\r\n\r\n" % len(BODY) + BODY, BODY, True),
    "in chunks": (
        b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n",
        BODY,
        True,
    ),
    "until the end": (b"\r\n" + BODY, BODY, False),
    "and no more": (b"connection: close\r\ncontent-length: 4\r\n\r\nTide", b"Tide", False),
}


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(1, 1500), max_size=8), st.booleans())
def test_an_answer_is_the_same_wherever_its_bytes_are_cut(kind: str, cuts: list[int], early: bool) -> None:
    rest, body, again = ANSWERS[kind]
    answer = EARLY * early + b"HTTP/1.1 200 OK\r\n" + FIELDS + rest
    places = [0, *sorted({cut for cut in cuts if cut < len(answer)}), len(answer)]
    parts = [answer[start:end] for start, end in pairwise(places)]
    head, found, idle = asyncio.run(exchanged(parts, ends=kind == "until the end"))
    assert (head.status, list(head.headers[:2]), found, idle) == (200, HEADERS, body, again)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"220 mail.example.org ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nTide",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nTide",
        b"HTTP/1.1 200 OK\r\n" + b"x-tide: high\r\n" * 10_000,
    ],
    ids=lambda answer: str(answer[:30]),
)
def test_an_answer_that_is_cut_off_or_is_no_http_is_an_error(answer: bytes) -> None:
    with pytest.raises(ConnectionError):
        asyncio.run(exchanged([answer], ends=True))


@pytest.mark.parametrize(("target", "value"), [(b"/a b", b"1"), (b"/a", b"1\r\nhost: inside.test")])
def test_a_request_that_would_not_be_one_is_not_sent(target: bytes, value: bytes) -> None:
    connection, wire = opened()
    with pytest.raises(ConnectionError):
        asyncio.run(connection.ask("GET", target, [(b"host", b"tide.test"), (b"if-none-match", value)]))
    assert wire.written == b""


def test_a_server_that_sends_faster_than_we_read_has_to_wait() -> None:
    async def run() -> list[bool]:
        connection, wire = opened()
        asking = asyncio.create_task(connection.ask("GET", b"/", [(b"host", b"tide.test")]))
        await asyncio.sleep(0)
        connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n")
        await asking
        connection.data_received(b" " * 100_000)
        paused = wire.paused
        reading = aiter(connection.body())
        await anext(reading)
        waiting = asyncio.ensure_future(anext(reading))
        await asyncio.sleep(0)
        states = [paused, wire.paused]
        waiting.cancel()
        return states

    assert asyncio.run(run()) == [True, False]


async def exchanged(parts: Sequence[bytes], *, ends: bool) -> tuple[Head, bytes, bool]:
    connection, wire = opened()

    async def answer() -> None:
        for part in parts:
            await asyncio.sleep(0)
            connection.data_received(part)
        if ends:
            connection.eof_received()
            wire.abort()
            connection.connection_lost(None)

    answering = asyncio.create_task(answer())
    head = await connection.ask("GET", b"/feed", [(b"host", b"tide.test")])
    body = b"".join([part async for part in connection.body()])
    await answering
    assert wire.written == b"GET /feed HTTP/1.1\r\nhost: tide.test\r\n\r\n"
    return head, body, connection.finish()


def opened() -> tuple[Connection, Wire]:
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)
    return connection, wire


class Wire(asyncio.Transport):
    """The transport of a connection to nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.paused = False
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
