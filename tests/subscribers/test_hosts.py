"""Hosts are written in ASCII as browsers do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.hosts import ascii_host, network_of
from tests.subscribers.hosts import IN_A_BROWSER

LETTERS = "ab1-_.ßςΣİ。\u200c\u200d\u00adאم١❤☃ａ\u0301"


@pytest.mark.parametrize("host", IN_A_BROWSER, ids=ascii)
def test_a_host_is_written_as_a_browser_writes_it(host: str) -> None:
    assert ascii_host(host) == IN_A_BROWSER[host]


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "har bour.example",
            "bü cher.example",
            "a/b",
            "ü/b",
            "a@b.example",
            "::1",
            "[::1]",
            'ü">.example',
        ),
        *("harbour.example\n", "harb\x00our.example", "h\udc80rbour.example", "a!b.example", "ü!b.example"),
        "ü" * 2_000,
    ],
)
def test_a_text_that_is_not_a_name_is_no_host(host: str) -> None:
    assert ascii_host(host) is None


def test_an_address_of_four_numbers_stays_as_it_is_written() -> None:
    assert ascii_host("192.0.2.1") == "192.0.2.1"


@given(st.text() | st.text(LETTERS) | st.text("xn-az09").map(lambda text: f"ü.xn--{text}"))
def test_any_text_gives_a_lower_case_ascii_host_or_none(text: str) -> None:
    host = ascii_host(text)
    if host is not None:
        assert host.isascii()
        assert host == host.lower()
        assert ascii_host(host) == host


@given(st.text(LETTERS))
def test_the_dots_and_the_widths_of_letters_do_not_matter(text: str) -> None:
    wide = {ord(char): ord(char) + 0xFEE0 for char in "ab1-_"} | {ord("."): "｡"}
    assert ascii_host(f"ü.{text}".translate(wide)) == ascii_host(f"ü.{text}")


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("", ""),
        ("here", ""),
        ("192.0.2.7, 192.0.2.8", ""),
    ],
)
def test_only_the_network_of_a_client_is_kept(client: str, network: str) -> None:
    assert network_of(client) == network
