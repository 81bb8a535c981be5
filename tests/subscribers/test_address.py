"""Addresses are read as people type them, and bad ones are refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscribers.address import Address, parse_address
from subscribers.errors import AddressError


@pytest.mark.parametrize(
    ("text", "address", "folded"),
    [
        ("anna@example.org", "anna@example.org", "anna@example.org"),
        ("  Anna.Berg@Example.ORG\t", "Anna.Berg@example.org", "anna.berg@example.org"),
        ("anna+news@gmail.com", "anna+news@gmail.com", "anna+news@gmail.com"),
        ("a.n.n.a@gmail.com", "a.n.n.a@gmail.com", "a.n.n.a@gmail.com"),
        ("anna@bücher.example.org", "anna@xn--bcher-kva.example.org", "anna@xn--bcher-kva.example.org"),
        (
            "anna@XN--BCHER-KVA.example.org",
            "anna@xn--bcher-kva.example.org",
            "anna@xn--bcher-kva.example.org",
        ),
        (
            "anna@Ankerstraße.example.org",
            "anna@xn--ankerstrae-e4a.example.org",
            "anna@xn--ankerstrae-e4a.example.org",
        ),
        ("ben@harbour.test", "ben@harbour.test", "ben@harbour.test"),
        ("o'neil@example.org", "o'neil@example.org", "o'neil@example.org"),
    ],
)
def test_an_address_is_kept_as_written_and_folded(text: str, address: str, folded: str) -> None:
    assert parse_address(text) == Address(address, folded)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the address is missing"),
        ("   ", "the address is missing"),
        ("anna.example.org", "no @"),
        ("anna@@example.org", "more than one @"),
        ("anna@example.org, ben@example.org", "cannot contain spaces"),
        ("anna@example.org\r\nBcc: all@example.org", "cannot contain spaces"),
        ("Anna <anna@example.org>", "without < and >"),
        ("<anna@example.org>", "without < and >"),
        ("anna\x00@example.org", "cannot contain spaces"),
        ("änna@example.org", "English alphabet"),
        ("a" * 300 + "@example.org", "at most 254"),
        ("a" * 60 + "@" + "ü." * 30 + "org", "at most 254"),
        ("a" * 65 + "@example.org", "before the @"),
        (".anna@example.org", "before the @"),
        ("anna..berg@example.org", "before the @"),
        ('"anna"@example.org', "before the @"),
        ("@example.org", "before the @"),
        ("anna@", "after the @"),
        ("anna@example", "after the @"),
        ("anna@localhost", "after the @"),
        ("anna@[192.0.2.1]", "after the @"),
        ("anna@-example.org", "after the @"),
        ("anna@exa_mple.org", "after the @"),
        ("anna@i❤.example.org", "after the @"),
        ("anna@exa\u00admple.org", "after the @"),
        ("anna@1a.מעגן.org", "after the @"),
    ],
)
def test_an_unusable_address_is_refused_with_a_plain_reason(text: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason):
        parse_address(text)


def test_letters_beyond_ascii_before_the_at_sign_are_accepted_if_the_mail_server_supports_them() -> None:
    assert parse_address("Änna@example.org", smtputf8=True).folded == "änna@example.org"
    assert parse_address("A\u0308nna@example.org", smtputf8=True).folded == "änna@example.org"


@settings(deadline=None)
@given(st.text(max_size=40).map(lambda text: f"zq{text}zq@{text}zq..example"))
@example("zq@xn--zq")
def test_no_refusal_shows_the_address(text: str) -> None:
    with pytest.raises(AddressError) as refusal:
        parse_address(text)
    error = refusal.value
    assert "zq" not in str(error) + repr(error.args)
    assert (error.__cause__, error.__context__) == (None, None)


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.booleans())
def test_any_text_is_read_or_refused_and_folding_again_changes_nothing(
    local: str, domain: str, smtputf8: bool
) -> None:
    try:
        address = parse_address(f"{local}@{domain}", smtputf8=smtputf8)
    except AddressError:
        return
    assert parse_address(address.folded, smtputf8=smtputf8).folded == address.folded
    assert parse_address(address.address, smtputf8=smtputf8) == address
    assert address.address.partition("@")[2].isascii()


def test_an_address_does_not_show_itself_in_a_log() -> None:
    assert "anna" not in repr(parse_address("anna@example.org"))
