"""Tokens of links that never expire or that confirm once, and the hash that remains of an address."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.errors import TokenError
from subscribers.tokens import (
    address_hash,
    notice_token,
    read_token,
    reader_seal,
    reader_token,
    sealer,
    spelled,
    token_hash,
)

SECRET = b"a secret of the tests, long enough"
ids = st.integers(0, 2**63 - 1)
purposes = st.sampled_from(["p", "u:daily", "u:weekend"])


@settings(deadline=None)
@given(ids, purposes)
def test_a_token_names_its_reader_in_28_characters_fit_for_a_url(subscriber_id: int, purpose: str) -> None:
    token = reader_token(SECRET, subscriber_id, purpose)
    assert len(token) == 28
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert read_token(SECRET, token, purpose) == subscriber_id


@settings(deadline=None)
@given(ids, purposes, st.integers(0, 27), st.sampled_from(string.ascii_letters + string.digits + "-_"))
def test_no_character_of_a_token_can_be_changed(
    subscriber_id: int, purpose: str, place: int, char: str
) -> None:
    token = reader_token(SECRET, subscriber_id, purpose)
    changed = token[:place] + char + token[place + 1 :]
    if changed != token:
        with pytest.raises(TokenError, match="damaged"):
            read_token(SECRET, changed, purpose)


@pytest.mark.parametrize(
    "text", ["", "x", "A" * 27, "A" * 29, "A" * 27 + "=", "A" * 27 + "\n", "é" * 28, "A" * 10_000]
)
def test_any_other_text_is_a_damaged_token(text: str) -> None:
    with pytest.raises(TokenError) as refusal:
        read_token(SECRET, text, "p")
    assert refusal.value.reason == "damaged"


def test_a_token_is_worthless_for_anything_else() -> None:
    token = reader_token(SECRET, 7, "u:daily")
    for purpose in ("p", "u:daily2", "u:dail", "u:weekend"):
        with pytest.raises(TokenError):
            read_token(SECRET, token, purpose)


@given(ids, purposes)
def test_tokens_made_one_after_the_other_are_those_made_alone(subscriber_id: int, purpose: str) -> None:
    seal = sealer(SECRET, purpose)
    for number in (0, subscriber_id, subscriber_id):
        assert seal(number) == reader_seal(SECRET, number, purpose)
        assert spelled(seal(number)).decode() == reader_token(SECRET, number, purpose)


def test_a_token_made_with_another_secret_is_damaged() -> None:
    with pytest.raises(TokenError):
        read_token(b"another secret of the same tests", reader_token(SECRET, 7, "p"), "p")


def test_an_address_hash_needs_the_secret_and_tells_addresses_apart() -> None:
    hashes = {
        address_hash(secret, folded)
        for secret in (SECRET, b"another secret of the same tests")
        for folded in ("anna@example.org", "ben@example.org")
    }
    assert len(hashes) == 4
    assert {len(each) for each in hashes} == {32}


def test_a_notices_token_depends_on_the_notice_and_on_the_secret() -> None:
    tokens = {notice_token(SECRET, 1), notice_token(SECRET, 2), notice_token(b"another secret", 1)}
    assert len(tokens) == 3
    assert all(set(token) <= {*string.ascii_letters, *string.digits, "-", "_"} for token in tokens)
    assert notice_token(SECRET, 1) == notice_token(SECRET, 1), "each try has the same link"


def test_the_stored_hash_does_not_contain_the_token() -> None:
    token = notice_token(SECRET, 1)
    assert token not in token_hash(token)
    assert token_hash(token) == token_hash(token)


def test_any_text_from_a_url_can_be_looked_up() -> None:
    assert len(token_hash("\ud800 not a token")) == 64
