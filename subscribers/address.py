"""Read an address as a person types it, and fold it to the key under which its spellings meet."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from subscribers.errors import AddressError
from subscribers.hosts import ascii_host

_MAX_LENGTH = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
_TOO_LONG = f"an address has at most {_MAX_LENGTH} characters"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAILBOX = re.compile(rf"(?=.{{1,64}}\Z){_ATOM}(?:\.{_ATOM})*")  # RFC 5321: dot-string, 64 at most
_INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Address:
    """An address that can be mailed: as its owner writes it, and the key it is known by.

    Providers have rules of their own (dots, plus signs). They are not applied: they differ, they change,
    and a reader who gives two addresses on purpose must get what was asked for. Letters are made small in
    the key all the same, for no provider of today delivers Anna@ and anna@ to two people, and a
    suppressed reader must not be mailed again for a capital letter.
    """

    address: str = field(repr=False)  # the domain in small ASCII letters (A-labels)
    folded: str = field(repr=False)


def parse_address(text: str, *, smtputf8: bool = False) -> Address:
    """Read one bare address ("anna@example.org"); no name service is asked.

    A local part beyond ASCII is refused unless `smtputf8`, for every mail server on the way would have to
    take it; a domain beyond ASCII is written in its ASCII form. Addresses at `.test` are taken: no name
    server has them, so they serve tests and demonstrations and reach nobody.
    Raises AddressError, whose text never holds the address.
    """
    stripped = text.strip()
    reason = _plain_fault(stripped, smtputf8=smtputf8)
    if reason is not None:
        raise AddressError(reason)
    local, _, domain = stripped.partition("@")
    mailbox = local if _MAILBOX.fullmatch(local) else _wide_mailbox(local)
    if mailbox is None:
        raise AddressError("what stands before the @ is not allowed in an address")
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None:
        raise AddressError("what stands after the @ is no domain that mail can reach")
    address = f"{mailbox}@{ascii_domain}"
    if len(address) > _MAX_LENGTH:
        raise AddressError(_TOO_LONG)
    # Lower rather than casefold: the sharp s and its kin name mailboxes of their own.
    return Address(address, unicodedata.normalize("NFC", address.lower()))


def _plain_fault(text: str, *, smtputf8: bool) -> str | None:
    """Name the faults people make, in words for them; the library's own quote the address."""
    local = text.rpartition("@")[0]
    faults = (
        (not text, "there is no address"),
        (len(text) > _MAX_LENGTH, _TOO_LONG),
        ("<" in text or ">" in text, "write the address alone, without < and >"),
        (_INVISIBLE.search(text) is not None, "an address has no spaces or line breaks in it"),
        (text.count("@") == 0, "there is no @ in it"),
        (text.count("@") > 1, "there is more than one @ in it"),
        (
            not local.isascii() and not smtputf8,
            "before the @ only letters of the English alphabet can be mailed",
        ),
    )
    return next((reason for wrong, reason in faults if wrong), None)


def _wide_mailbox(local: str) -> str | None:
    """Return a local part beyond ASCII in its normal form, or None when it is none."""
    valid = _validated(f"{local}@example.org")
    return valid.local_part if valid else None


@lru_cache(maxsize=4_096)  # a long list has few different ones, and this is most of the work
def _ascii_domain(domain: str) -> str | None:
    # The library decides what mail can reach, which is less than browsers open: IDNA 2008, no underscores.
    return ascii_host(domain) if _validated(f"a@{domain}") else None


def _validated(text: str) -> ValidatedEmail | None:
    # The library's error is dropped, not chained: it quotes the address.
    try:
        return validate_email(text, check_deliverability=False, strict=True, test_environment=True)
    except EmailNotValidError:
        return None
