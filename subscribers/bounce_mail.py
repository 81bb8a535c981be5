"""Read what a mail server or a provider reports of our mail: RFC 3464, RFC 5965, and what is like them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message

from subscribers.bounces import BounceKind, kind_of, plain_reason, status_in

_READ = 200_000  # bytes of a report that are looked at: the original's text comes last, and tells nothing
_DEEPEST = 10  # parts within parts
_MOST_PARTS = 50
_WRAPPED = 20  # boundaries named in all of a report: to look for each on every line takes its time
_BOUNDARY = re.compile(rb"boundary\s*[=*]", re.IGNORECASE)
_SEAL = re.compile(r"(?<![0-9a-f])[0-9a-f]{42}(?![0-9a-f])", re.IGNORECASE)
_SEAL_OF_ID = re.compile(rf"{_SEAL.pattern}(?=@)", re.IGNORECASE)
_BEFORE_SEAL = re.compile(r"[^\s<>@]{1,200}(?=\.$)")
_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?:[ -]+#?([45]\.\d{1,3}\.\d{1,3}))?(?![\d.])")
_RECIPIENTS = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "Cc")
_SERVERS = ("mailer-daemon@", "postmaster@", "mailer_daemon@")
_STATUSES = ("message/delivery-status", "message/global-delivery-status")  # the second: RFC 6533
_FAILED = "failed"  # the only Action by which a mail has not arrived and never will (RFC 3464, 2.3.3)
_NO_COMPLAINTS = ("not-spam",)  # Feedback-Type
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
    text = mail[:_READ]
    if len(_BOUNDARY.findall(text)) > _WRAPPED:
        return None
    report = message_from_bytes(text)
    parts = list(_parts(report))
    found = _complained(parts) or _delivered(parts) or _said(report, parts)
    if found is None:
        return None
    kind, reason = found
    seals, edition = _whose(report, text.decode("latin-1"))
    return BounceMail(kind=kind, seals=seals, edition=edition, reason=plain_reason(reason))


_Found = tuple[BounceKind | None, str]


def _complained(parts: list[Message]) -> _Found | None:
    """Return what a feedback report says (RFC 5965)."""
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            kind = next((_field(block, "Feedback-Type") for block in _blocks(part)), "").casefold()
            return None if kind in _NO_COMPLAINTS else BounceKind.COMPLAINT, f"reported as {kind or 'junk'}"
    return None


def _delivered(parts: list[Message]) -> _Found | None:
    """Return what a delivery status says of the first recipient it failed for (RFC 3464)."""
    found: _Found | None = None
    for part in parts:
        if part.get_content_type() not in _STATUSES:
            continue
        for block in _blocks(part):
            action = _field(block, "Action").casefold()
            if not action:
                continue
            status, said = _field(block, "Status"), _field(block, "Diagnostic-Code")
            if action == _FAILED:
                said = said.partition(";")[2].strip() or said
                return _judged(status, said, words=said or _text_of(parts))
            found = found or (None, f"{action} {status}")
    return found


def _said(report: Message, parts: list[Message]) -> _Found | None:
    """Return what a server says in plain words that has no other way to report."""
    sender = _field(report, "From").casefold()
    if not any(name in sender for name in _SERVERS):  # a reader who is away answers without a sender too
        return None
    lines = _text_of(parts).splitlines()[:_LINES]
    for number, line in enumerate(lines):
        if _CODE.search(line) or status_in(line):
            said = " ".join(lines[number : number + 3])
            return _judged("", said, words=said)
    return None


def _judged(status: str, said: str, *, words: str) -> _Found:
    """Return the kind of a failure, by what the far server `said`, which tells more than the status.

    `words` are the same, or where it said nothing, those of the server that reports it.
    """
    said = said[:_FIELD]
    code = _CODE.search(said)
    number = int(code[1]) if code else None
    own = (code[2] if code else None) or status_in(said) or status_in(status)
    return kind_of(number, own, words[:_FIELD]), said if own in said else f"{own} {said}"


def _text_of(parts: list[Message]) -> str:
    """Return what a report says to people."""
    return next((_text(part) for part in parts if part.get_content_type() == "text/plain"), "")


def _whose(report: Message, text: str) -> tuple[tuple[str, ...], str]:
    """Return the seals of those who are written to, else of the mail that is returned; and its edition."""
    written_to = " ".join(_field(report, name) for name in _RECIPIENTS)
    returned = {found[0].lower(): _edition(text, found.start()) for found in _SEAL_OF_ID.finditer(text)}
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
    return [*blocks, *map(message_from_string, later)]


def _mails_in(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _field(message: Message, name: str) -> str:
    return " ".join(" ".join(map(str, message.get_all(name, [])[:_AT_MOST]))[:_FIELD].split())
