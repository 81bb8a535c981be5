"""Show the message that a reader would get, with the same code that builds it; write it to files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from digest.editions.archive import corrections_of
from digest.editions.parts import EditionParts
from digest.editions.preflight import inspection_of, settings_for
from digest.message.build import MessageBuilder, MessageSettings
from digest.message.look import Look, approved_look, renderer_of
from digest.model.deliveries import Recipient
from digest.model.editions import EditionRecord
from digest.model.errors import DigestError
from digest.model.messages import Email
from digest.render.preflight import Finding, preflight
from digest.render.web import render_web
from digest.storage.database import Database
from subscribers.address import parse_address
from subscribers.model import Format, Reader
from subscribers.store.readers import reader_at
from subscribers.tokens import address_hash

NOBODY = Recipient(
    0, "reader@example.org", "", Format.HTML
)  # a reader of all topics; no subscriber has this id


class PreviewError(DigestError):
    """There is nothing to preview, or the files cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of a preview, the HTML file first, and the findings about the email.

    `hash` is that of all that an approval covers.
    """

    paths: tuple[Path, ...]
    findings: tuple[Finding, ...]
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMessage:
    """A message as its reader would get it, and the parts that mail programs show; a part may be empty."""

    subject: str
    html: str
    text: str
    data: bytes = field(repr=False)


def shown_message(parts: EditionParts, record: EditionRecord, reader: Recipient) -> ShownMessage:
    """Return the message of an edition for a reader, with the look that it is sent with, or would be now.

    Only the reader's own fields differ from the bytes that are sent to others with the same choices. Raises
    PreviewError if the reader chose nothing of the edition, and TemplateError.
    """
    return _shown(record, reader, replace(settings_for(parts, record), only_shown=True))


def write_preview(
    parts: EditionParts,
    record: EditionRecord,
    folder: Path,
    *,
    address: str | None,
    language: str | None = None,
) -> Written:
    """Write .html, .txt, .eml and .web.html into `folder`, as the reader with `address` would get them.

    Without an address, the reader has chosen all topics. The language is `language` or else the reader's.
    Nothing in the database changes. Raises PreviewError, AddressError, TemplateError.
    """
    reader = _reader(parts.database, parts.secret, record, address, language)
    look, known = _look(parts, record)
    render = renderer_of(parts.templates, look)
    settings = replace(parts.message_settings(), render=render, only_shown=True)
    shown = _shown(record, reader, settings)
    html, text = shown.html, shown.text
    page = web_copy(parts, record, reader.language)
    files = {".html": html.encode(), ".txt": text.encode(), ".eml": shown.data, ".web.html": page.encode()}
    written = _write(folder, record.edition.id, {name: body for name, body in files.items() if body})
    email = Email.whole(subject=shown.subject, html=html, text=text)
    told = {finding.problem for finding in known} | {(rule, "") for rule, _ in parts.config.rules_off}
    own = (
        [each for each in preflight(email) if told.isdisjoint((each.problem, (each.rule, "")))]
        if html
        else []
    )
    return Written(paths=written, findings=(*known, *own), hash=look.kept().hash)


def web_copy(parts: EditionParts, record: EditionRecord, language: str) -> str:
    """Return the web copy of an edition, as a page that contains its styles. Raises TemplateError."""
    corrections = corrections_of(parts.database, record.edition.id)
    return render_web(parts.templates, record.edition, language=language, corrections=corrections)


def _look(parts: EditionParts, record: EditionRecord) -> tuple[Look, tuple[Finding, ...]]:
    """Return the look that an edition is sent with, or would be now, and what is wrong in any language."""
    begun = approved_look(parts.database, record) if record.started_at else None
    if begun is not None:
        return begun, ()
    inspection = inspection_of(parts, record, record.edition.send_at)
    return inspection.look, inspection.findings


def _reader(
    database: Database, secret: bytes, record: EditionRecord, address: str | None, language: str | None
) -> Recipient:
    reader = recipient_at(database, secret, record.edition.digest, address) if address else NOBODY
    return reader if language is None else reader._replace(language=language)


def _shown(record: EditionRecord, reader: Recipient, settings: MessageSettings) -> ShownMessage:
    made = MessageBuilder(record, settings).message(reader)
    if made is None:
        raise PreviewError(f"{record.edition.id} has no story in the topics that this reader chose")
    message = message_from_bytes(made.data, policy=default)
    html, text = _part(message, "html"), _part(message, "plain")
    return ShownMessage(subject=str(message["Subject"]), html=html, text=text, data=made.data)


def recipient_at(database: Database, secret: bytes, digest: str, address: str) -> Recipient:
    """Return the reader with an address who has ever chosen a digest. Raises PreviewError, AddressError."""
    folded = parse_address(address).folded
    with database.read() as connection:
        reader = reader_at(connection, folded, address_hash(secret, folded))
    return recipient_from(reader, digest)


def recipient_from(reader: Reader, digest: str) -> Recipient:
    """Return a reader as the recipient of a digest. Raises PreviewError if it was never chosen."""
    subscription = reader.subscription(digest)
    if reader.subscriber is None or subscription is None:
        raise PreviewError(f"no reader with this address has ever chosen {digest}")
    known, topics = reader.subscriber, str(subscription.preferences.topics)
    return Recipient(known.id, known.address, topics, known.format, language=known.language)


def _part(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return str(part.get_content()) if part is not None else ""


def _write(folder: Path, name: str, files: dict[str, bytes]) -> tuple[Path, ...]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, body in files.items():
            (folder / f"{name}{suffix}").write_bytes(body)
    except OSError as error:
        raise PreviewError(f"{folder}: cannot be written to: {error.strerror}") from error
    return tuple(folder / f"{name}{suffix}" for suffix in files)
