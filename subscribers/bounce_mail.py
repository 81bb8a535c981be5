"""Read what a mail server or a provider reports of our mail: RFC 3464, RFC 5965, and what is like them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.parser import HeaderParser
from email.utils import parseaddr
from itertools import takewhile

from subscribers.bounces import BounceKind, kind_of, plain_reason, status_in
from subscribers.text import without_addresses

_READ = 200_000  # bytes of a report that are looked at: the original's text comes last, and tells nothing
_DEEPEST = 10  # parts within parts
_MOST_PARTS = 50
_WRAPPED = 20  # boundaries named in all of a report: to look for each on every line takes its time
_BOUNDARY = re.compile(rb"boundary\s*[=*]", re.IGNORECASE)
_SEAL = re.compile(r"(?<![0-9a-f])[0-9a-f]{42}(?![0-9a-f])", re.IGNORECASE)
_SEAL_OF_ID = re.compile(rf"{_SEAL.pattern}(?=@)", re.IGNORECASE)
_BEFORE_SEAL = re.compile(r"[\w.-]{1,200}(?=\.$)", re.ASCII)
_CODE = re.compile(r"(?<![\w.:@])([45]\d\d)(?:[ -]+#?([45]\.\d{1,3}\.\d{1,3}))?(?![\w.:@])")
_TYPE = re.compile(r"[\w-]+\s*;")
_RETURNED = re.compile(
    r"^(?:-{2,}|Received:|Return-Path:|.*(?:below this line|original message))", re.IGNORECASE
)
_DELAYED = re.compile(
    r"delay|not yet been delivered|be retried|\bwarning\b|still (?:trying|being)", re.IGNORECASE
)
_RECIPIENTS = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "Cc")
_SERVERS = ("mailer-daemon", "postmaster", "mailer_daemon")
_STATUSES = ("message/delivery-status", "message/global-delivery-status")  # the second: RFC 6533
_FAILED = ("failed", "expired")  # Action: it has not arrived and never will (RFC 3464, 2.3.3; Sun's second)
_COMPLAINTS = ("abuse", "fraud", "opt-out", "opt-out-list", "other", "")  # Feedback-Type; not RFC 6591's
_FIELD = 4_000  # characters of a field
_LINES = 100  # of a text
_AT_MOST = 10  # fields of one name, and seals


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceMail:
    """What a report says. `kind` is None where the mail arrived, or may yet arrive.

    `seals` look like those of return paths and Message-IDs, in hexadecimal: whether one is, and so whose
    mail it is about, is for the caller to see. `edition` is the one named beside them, or empty.
    """

    kind: BounceKind | None
    seals: tuple[str, ...]
    edition: str = ""
    reason: str = ""


def read_bounce(mail: bytes) -> BounceMail | None:
    """Read a mail, whatever bytes it is; None when it is no report of a mail server or a provider.

    A report is known by its parts, in whatever they are wrapped, or else by being a server's own mail with a
    reply code in its text. Never raises.
    """
    text = mail[:_READ].replace(b"\r\n", b"\n")
    if len(_BOUNDARY.findall(text)) > _WRAPPED:
        return None
    try:
        report = message_from_bytes(text)
    except RecursionError:  # mails within mails within mails
        return None
    parts = list(_parts(report))
    found = _complained(parts) or _delivered(parts) or _said(report, parts)
    if found is None:
        return None
    kind, reason = found
    seals, edition = _whose(report, text.replace(b"=\n", b"").decode("latin-1"))  # quoted-printable
    return BounceMail(kind=kind, seals=seals, edition=edition, reason=plain_reason(reason))


_Found = tuple[BounceKind | None, str]


def _complained(parts: list[Message]) -> _Found | None:
    """Return what a feedback report says (RFC 5965)."""
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            kind = _word(next((_field(block, "Feedback-Type") for block in _blocks(part)), ""))
            return BounceKind.COMPLAINT if kind in _COMPLAINTS else None, f"reported as {kind or 'junk'}"
    return None


def _delivered(parts: list[Message]) -> _Found | None:
    """Return what a delivery status says of the first recipient it failed for (RFC 3464)."""
    found: _Found | None = None
    for part in parts:
        if part.get_content_type() not in _STATUSES:
            continue
        for block in _blocks(part):
            action = _word(_field(block, "Action"))
            if not action:
                continue
            status, said = _field(block, "Status"), _field(block, "Diagnostic-Code")
            if action in _FAILED:
                said = _TYPE.sub("", said, count=1) if _TYPE.match(said) else said
                return _judged(status, said.strip() or _unrouteable(status, parts))
            found = found or (None, f"{action} {status}")
    return found


def _said(report: Message, parts: list[Message]) -> _Found | None:
    """Return what a server says in plain words that has no other way to report."""
    sender = parseaddr(_field(report, "From"))[1].partition("@")[0].casefold()
    answers = _word(_field(report, "Auto-Submitted")) not in ("", "no")
    automatic = answers or "<>" in _field(report, "Return-Path")
    if sender not in _SERVERS or not automatic:  # a person who is postmaster; a reader who is away
        return None
    lines = list(takewhile(lambda line: not _RETURNED.match(line), _text_of(parts).splitlines()[:_LINES]))
    delayed = any(map(_DELAYED.search, (_field(report, "Subject"), *lines)))
    for number, line in enumerate(lines):
        if _CODE.search(line) or status_in(line):
            kind, reason = _judged("", " ".join(lines[number : number + 3]))
            return None if delayed else kind, reason
    return None


def _judged(status: str, said: str) -> _Found:
    """Return the kind of a failure; what the server on the far side said tells more than the status."""
    said = without_addresses(said[:_FIELD])
    codes = list(_CODE.finditer(said))
    code = next((each for each in codes if each[2]), codes[0] if codes else None)
    number = int(code[1]) if code else None
    own = (code[2] if code else None) or status_in(said) or status_in(status)
    return kind_of(number, own, said), said if own in said else f"{own} {said}"


def _unrouteable(status: str, parts: list[Message]) -> str:
    """Return what Exim says to people alone, where there is no such mailbox on its own side."""
    tells_nothing = status_in(status)[1:] in ("", ".0.0")
    return "Unrouteable address" if tells_nothing and "\n    Unrouteable address" in _text_of(parts) else ""


def _text_of(parts: list[Message]) -> str:
    """Return what a report says to people."""
    return next((_text(part) for part in parts if part.get_content_type() == "text/plain"), "")


def _whose(report: Message, text: str) -> tuple[tuple[str, ...], str]:
    """Return the seals of those who are written to, else of the mail that is returned; and its edition."""
    written_to = " ".join(_field(report, name) for name in _RECIPIENTS)
    returned: dict[str, str] = {}
    for found in _SEAL_OF_ID.finditer(text):
        seal = found[0].lower()
        returned[seal] = returned.get(seal) or _edition(text, found.start())
    seals = [seal.lower() for seal in _SEAL.findall(written_to)] or list(returned)
    edition = next((returned[seal] for seal in seals if returned.get(seal)), "")
    return tuple(dict.fromkeys(seals))[:_AT_MOST], edition


def _edition(text: str, seal_at: int) -> str:
    """Return what stands before a seal in a Message-ID, "daily-2026-11-23"; empty before one elsewhere."""
    found = _BEFORE_SEAL.search(text[max(0, seal_at - 202) : seal_at])
    return found[0] if found else ""


def _parts(message: Message, depth: int = 0) -> Iterator[Message]:
    """Yield the parts of a report, none of the mail that it returns."""
    if depth > _DEEPEST:
        return
    if message.get_content_maintype() != "multipart":
        yield message
        return
    for part in _mails_in(message)[:_MOST_PARTS]:
        yield from _parts(part, depth + 1)


def _blocks(part: Message) -> list[Message]:
    """Return the groups of fields of a report; the parser reads them as mails without text."""
    blocks = _mails_in(part)
    if part.get_content_subtype() == "delivery-status":
        return blocks
    later = (group for block in blocks for group in _text(block).split("\n\n"))
    return [*blocks, *map(HeaderParser().parsestr, later)]


def _mails_in(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _word(field: str) -> str:
    """Return the first word of a field, without what follows it: "failed (bounced)"."""
    return field.partition("(")[0].partition(";")[0].strip().casefold()


def _field(message: Message, name: str) -> str:
    return " ".join(" ".join(map(str, message.get_all(name, [])[:_AT_MOST]))[:_FIELD].split())
