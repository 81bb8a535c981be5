"""Read reports of mail servers and providers about our messages: RFC 3464, RFC 5965, and similar formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.parser import HeaderParser
from email.utils import parseaddr
from itertools import takewhile

from subscribers.rules.answers import status_in
from subscribers.rules.bounces import BounceKind, kind_of, plain_reason
from subscribers.text import without_addresses

_READ = 200_000  # bytes of a report that are read; the original's text comes last, and says nothing
_DEEPEST = 10  # levels of parts
_MOST_PARTS = 50
_WRAPPED = 20  # boundaries in a whole report, because the parser looks for each of them on every line
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
# As Postfix and Exim write it for people; the fields of a report do not say which command was answered.
_AFTER_TEXT = re.compile(
    r"in reply to\s+(?:end\s+of\s+)?DATA\s+command|after\s+(?:pipelined\s+)?end\s+of\s+data"
)
_RECIPIENTS = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "Cc")
_SERVERS = ("mailer-daemon", "postmaster", "mailer_daemon")
_STATUSES = ("message/delivery-status", "message/global-delivery-status")  # RFC 3464, RFC 6533
_FAILED = ("failed", "expired")  # values of Action: RFC 3464, 2.3.3, and a value that Sun's server uses
_COMPLAINTS = ("abuse", "fraud", "opt-out", "opt-out-list", "other", "")  # Feedback-Type, without RFC 6591
_FIELD = 4_000  # characters of a field
_LINES = 100  # of a text
_AT_MOST = 10  # fields of one name, and seals


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReport:
    """The content of a report. `kind` is None if the message arrived, or may still arrive.

    `seals` look like the seals in our return paths and Message-IDs, in hexadecimal. The caller must check
    them, and so finds the reader. `edition` is the id beside the seal in the Message-ID, or empty.
    """

    kind: BounceKind | None
    seals: tuple[str, ...]
    edition: str = ""
    reason: str = ""


def read_bounce(message: bytes) -> BounceReport | None:
    """Read a message of any bytes; return None if it is not a report of a mail server or a provider.

    A report is recognised by its parts at any level, or else because it comes from a mail server and has a
    reply code in its text. Never raises.
    """
    text = message[:_READ].replace(b"\r\n", b"\n")
    if len(_BOUNDARY.findall(text)) > _WRAPPED:
        return None
    try:
        report = message_from_bytes(text)
    except RecursionError:  # messages within messages, many levels deep
        return None
    parts = list(_parts(report))
    found = _complained(parts) or _delivered(parts) or _said(report, parts)
    if found is None:
        return None
    kind, reason = found
    seals, edition = _whose(report, text.replace(b"=\n", b"").decode("latin-1"))  # quoted-printable
    return BounceReport(kind=kind, seals=seals, edition=edition, reason=plain_reason(reason))


_Found = tuple[BounceKind | None, str]


def _complained(parts: list[Message]) -> _Found | None:
    """Return the finding of a feedback report (RFC 5965)."""
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            kind = _word(next((_field(block, "Feedback-Type") for block in _blocks(part)), ""))
            return BounceKind.COMPLAINT if kind in _COMPLAINTS else None, f"reported as {kind or 'junk'}"
    return None


def _delivered(parts: list[Message]) -> _Found | None:
    """Return the finding of a delivery status for the first recipient that failed (RFC 3464)."""
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
                kind, reason = _judged(status, said.strip() or _unrouteable(status, parts))
                # A filter that has read the text may say "user unknown" too; our messages have one recipient.
                refused_text = kind is BounceKind.HARD and _AFTER_TEXT.search(_text_of(parts))
                return BounceKind.OTHER if refused_text else kind, reason
            found = found or (None, f"{action} {status}")
    return found


def _said(report: Message, parts: list[Message]) -> _Found | None:
    """Return the finding of a report in plain words, from a server that does not use RFC 3464."""
    sender = parseaddr(_field(report, "From"))[1].partition("@")[0].casefold()
    answers = _word(_field(report, "Auto-Submitted")) not in ("", "no")
    automatic = answers or "<>" in _field(report, "Return-Path")
    # A postmaster may also write as a person, and an automatic reply may come from a reader who is away.
    if sender not in _SERVERS or not automatic:
        return None
    lines = list(takewhile(lambda line: not _RETURNED.match(line), _text_of(parts).splitlines()[:_LINES]))
    delayed = any(map(_DELAYED.search, (_field(report, "Subject"), *lines)))
    for number, line in enumerate(lines):
        if _CODE.search(line) or status_in(line):
            kind, reason = _judged("", " ".join(lines[number : number + 3]))
            return None if delayed else kind, reason
    return None


def _judged(status: str, said: str) -> _Found:
    """Return the kind of a failure; the reply of the remote server says more than the status."""
    said = without_addresses(said[:_FIELD])
    codes = list(_CODE.finditer(said))
    code = next((each for each in codes if each[2]), codes[0] if codes else None)
    number = int(code[1]) if code else None
    own = (code[2] if code else None) or status_in(said) or status_in(status)
    return kind_of(number, own, said), said if own in said else f"{own} {said}"


def _unrouteable(status: str, parts: list[Message]) -> str:
    """Return the reason that Exim gives only in its text for people, if a local mailbox does not exist."""
    says_nothing = status_in(status)[1:] in ("", ".0.0")
    return "Unrouteable address" if says_nothing and "\n    Unrouteable address" in _text_of(parts) else ""


def _text_of(parts: list[Message]) -> str:
    """Return the part of a report that is written for people."""
    return next((_text(part) for part in parts if part.get_content_type() == "text/plain"), "")


def _whose(report: Message, text: str) -> tuple[tuple[str, ...], str]:
    """Return the seals in the report's recipients, else in the returned message; and the edition's id."""
    written_to = " ".join(_field(report, name) for name in _RECIPIENTS)
    returned: dict[str, str] = {}
    for found in _SEAL_OF_ID.finditer(text):
        seal = found[0].lower()
        returned[seal] = returned.get(seal) or _edition(text, found.start())
    seals = [seal.lower() for seal in _SEAL.findall(written_to)] or list(returned)
    edition = next((returned[seal] for seal in seals if returned.get(seal)), "")
    return tuple(dict.fromkeys(seals))[:_AT_MOST], edition


def _edition(text: str, seal_at: int) -> str:
    """Return the id before a seal in a Message-ID, such as "daily-2026-11-23"; empty for other seals."""
    found = _BEFORE_SEAL.search(text[max(0, seal_at - 202) : seal_at])
    return found[0] if found else ""


def _parts(message: Message, depth: int = 0) -> Iterator[Message]:
    """Yield the parts of a report, without the parts of the message that it returns."""
    if depth > _DEEPEST:
        return
    if message.get_content_maintype() != "multipart":
        yield message
        return
    for part in _messages_in(message)[:_MOST_PARTS]:
        yield from _parts(part, depth + 1)


def _blocks(part: Message) -> list[Message]:
    """Return the groups of fields of a report; the parser reads each group as a message without text."""
    blocks = _messages_in(part)
    if part.get_content_subtype() == "delivery-status":
        return blocks
    later = (group for block in blocks for group in _text(block).split("\n\n"))
    return [*blocks, *map(HeaderParser().parsestr, later)]


def _messages_in(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _word(field: str) -> str:
    """Return the first word of a field, such as "failed" from "failed (bounced)"."""
    return field.partition("(")[0].partition(";")[0].strip().casefold()


def _field(message: Message, name: str) -> str:
    return " ".join(" ".join(map(str, message.get_all(name, [])[:_AT_MOST]))[:_FIELD].split())
