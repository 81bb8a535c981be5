"""Write an edition as files, made by the same hands as the mails: the very bytes a reader would get."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from digest.app.wiring import App
from digest.errors import DigestError
from digest.model import EditionRecord, Mail
from digest.render.preflight import Finding, preflight
from digest.render.web import render_web
from digest.send.letters import Press
from digest.send.message import Addressee
from subscribers.address import parse_address
from subscribers.model import Format
from subscribers.store import reader_at
from subscribers.tokens import address_hash

NOBODY = Addressee(0, "reader@example.org", "", Format.HTML)  # gets all topics; no subscriber has this id


class PreviewError(DigestError):
    """There is nothing to show, or the files cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of a preview, the page first, and what is to be said about the mail."""

    paths: tuple[Path, ...]
    findings: tuple[Finding, ...]


def write_preview(
    app: App, record: EditionRecord, folder: Path, *, address: str | None, language: str | None = None
) -> Written:
    """Write .html, .txt, .eml and .web.html into `folder`, as `address` would get them, or a reader of all.

    In `language`, if it is given, else in the reader's. Nothing in the database changes. Raises
    PreviewError, AddressError, TemplateError.
    """
    reader = _reader(app, record, address, language)
    data = _letter(app, record, reader)
    message = message_from_bytes(data, policy=default)
    html, text = _part(message, "html"), _part(message, "plain")
    page = render_web(app.templates, record.edition, language=reader.language)
    files = {".html": html.encode(), ".txt": text.encode(), ".eml": data, ".web.html": page.encode()}
    written = _write(folder, record.edition.id, {name: body for name, body in files.items() if body})
    mail = Mail.whole(subject=str(message["Subject"]), html=html, text=text)
    return Written(paths=written, findings=preflight(mail) if html else ())


def _reader(app: App, record: EditionRecord, address: str | None, language: str | None) -> Addressee:
    reader = _addressee(app, record.edition.digest, address) if address else NOBODY
    return reader if language is None else reader._replace(language=language)


def _letter(app: App, record: EditionRecord, reader: Addressee) -> bytes:
    letter = Press(record, app.stationery()).letter(reader)
    if letter is None:
        raise PreviewError(f"{record.edition.id} has nothing on the topics that reader chose")
    return letter.data


def _addressee(app: App, digest: str, address: str) -> Addressee:
    folded = parse_address(address).folded
    with app.database.read() as connection:
        reader = reader_at(connection, folded, address_hash(app.secret, folded))
    subscription = reader.subscription(digest)
    if reader.subscriber is None or subscription is None:
        raise PreviewError(f"nobody with that address has ever asked for {digest}")
    known, topics = reader.subscriber, str(subscription.preferences.topics)
    return Addressee(known.id, known.address, topics, known.format, language=known.language)


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
