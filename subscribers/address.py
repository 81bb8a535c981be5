"""Read an address as a person types it, and fold it to a key that is the same for all its spellings."""

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
_MAILBOX = re.compile(rf"(?=.{{1,64}}\Z){_ATOM}(?:\.{_ATOM})*")  # a dot-string of RFC 5321
_INVISIBLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Address:
    """An address that can be mailed, with the key that identifies it."""

    # The address as its owner writes it, with the domain in lower-case ASCII (A-labels).
    address: str = field(repr=False)
    # Providers' own rules about dots and plus signs are not applied to the key. The rules differ and change,
    # and a reader may give two such addresses on purpose. The key is in lower case, although the case of the
    # mailbox may count by RFC 5321: no provider today delivers Anna@ and anna@ to two people, and a
    # suppressed reader must not be mailed again because of a capital letter.
    folded: str = field(repr=False)


def parse_address(text: str, *, smtputf8: bool = False) -> Address:
    """Read one bare address ("anna@example.org") without a DNS lookup.

    A local part with characters beyond ASCII is refused unless `smtputf8` is set. A domain beyond ASCII is
    converted to its ASCII form. Raises AddressError, whose text never contains the address.
    """
    stripped = text.strip()
    reason = _plain_fault(stripped, smtputf8=smtputf8)
    if reason is not None:
        raise AddressError(reason)
    local, _, domain = stripped.partition("@")
    mailbox = local if _MAILBOX.fullmatch(local) else _wide_mailbox(local)
    if mailbox is None:
        raise AddressError("the part before the @ is not valid")
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None:
        raise AddressError("the part after the @ is not a valid domain")
    address = f"{mailbox}@{ascii_domain}"
    if len(address) > _MAX_LENGTH:
        raise AddressError(_TOO_LONG)
    # casefold() would turn ß into ss, but the two can be different mailboxes.
    return Address(address, unicodedata.normalize("NFC", address.lower()))


def _plain_fault(text: str, *, smtputf8: bool) -> str | None:
    """Return a sentence about a common mistake, or None. The library's own sentences quote the address."""
    local = text.rpartition("@")[0]
    faults = (
        (not text, "the address is missing"),
        (len(text) > _MAX_LENGTH, _TOO_LONG),
        ("<" in text or ">" in text, "write only the address, without < and >"),
        (_INVISIBLE.search(text) is not None, "an address cannot contain spaces or line breaks"),
        (text.count("@") == 0, "the address has no @"),
        (text.count("@") > 1, "the address has more than one @"),
        # Every mail server on the way would have to support SMTPUTF8, and many do not.
        (
            not local.isascii() and not smtputf8,
            "letters outside the English alphabet are not supported before the @",
        ),
    )
    return next((reason for wrong, reason in faults if wrong), None)


def _wide_mailbox(local: str) -> str | None:
    """Return a local part beyond ASCII in its normal form, or None if it is not valid."""
    valid = _validated(f"{local}@example.org")
    return valid.local_part if valid else None


@lru_cache(maxsize=4_096)  # a long list has few different domains, and checking them is most of the work
def _ascii_domain(domain: str) -> str | None:
    # The library decides which domains are valid for email. It is stricter than browsers are: it follows
    # IDNA 2008 and refuses underscores.
    return ascii_host(domain) if _validated(f"a@{domain}") else None


def _validated(text: str) -> ValidatedEmail | None:
    # The library's error is dropped and not chained, because it quotes the address. `test_environment` allows
    # addresses at .test: that domain does not exist in the DNS, so tests and demonstrations reach nobody.
    try:
        return validate_email(text, check_deliverability=False, strict=True, test_environment=True)
    except EmailNotValidError:
        return None
