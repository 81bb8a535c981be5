"""Replies are made printable for the ledger and the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.messages import SmtpServer
from digest.smtp.extensions import read_extensions
from digest.smtp.replies import MAX_TEXT, BadReplyError, Reply, ReplyReader


def read(*lines: bytes) -> Reply:
    (reply,) = ReplyReader().feed(b"\r\n".join(lines) + b"\r\n")
    return reply


@pytest.mark.parametrize(
    ("lines", "enhanced", "text"),
    [
        ([b"250 2.1.5 Ok"], "2.1.5", "2.1.5 Ok"),
        ([b"550-5.1.1 no such", b"550 5.1.1 reader"], "5.1.1", "5.1.1 no such reader"),
        ([b"250 5.1.1 a liar"], None, "5.1.1 a liar"),
        ([b"250 2.1.55555 long"], None, "2.1.55555 long"),
        ([b"250"], None, ""),
        ([b"550 \x1b[31mred\x07 and \xff\xfe"], None, "[31mred and \ufffd\ufffd"),
        ([b"550 turned \xe2\x80\xae round"], None, "turned round"),
    ],
)
def test_a_reply_is_one_printable_line(lines: list[bytes], enhanced: str | None, text: str) -> None:
    reply = read(*lines)
    assert (reply.enhanced, reply.text) == (enhanced, text)


@given(st.lists(st.binary(max_size=900).filter(lambda line: b"\n" not in line), min_size=1, max_size=9))
def test_no_reply_can_break_a_line_or_run_on(lines: list[bytes]) -> None:
    *begin, last = lines
    text = read(*(b"550-" + line for line in begin), b"550 " + last).text
    assert len(text) <= MAX_TEXT
    assert text.isprintable()


def test_a_log_never_shows_an_address() -> None:
    assert str(read(b"550 5.1.1 <ann@example.org>: no such user")) == "550 5.1.1 … no such user"


def test_a_reply_without_end_is_refused() -> None:
    with pytest.raises(BadReplyError, match="more than 100 lines"):
        list(ReplyReader().feed(b"250-more\r\n" * 101))
    with pytest.raises(BadReplyError, match="longer than 2048"):
        list(ReplyReader().feed(b"250-" + b"x" * 2048))


@pytest.mark.parametrize("size", [b"SIZE", b"SIZE 0", b"SIZE many", b"SIZE \xb2"])
def test_a_size_that_is_not_a_number_is_no_limit(size: bytes) -> None:
    offered = read_extensions(read(b"250-mail.example.org", b"250 " + size))
    assert offered.takes_size
    assert offered.size is None


def test_a_server_shows_no_password() -> None:
    assert "tide" not in repr(SmtpServer(host="mail.example.org", user="daily", password="tide"))
