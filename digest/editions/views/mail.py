"""Show the email of an edition as anybody gets it: by topics, by language, or as a reader of the list."""

from __future__ import annotations

from dataclasses import dataclass

from digest.editions.parts import EditionParts
from digest.editions.preflight import settings_for
from digest.editions.preview import (
    NOBODY,
    PreviewError,
    ShownMessage,
    recipient_at,
    recipient_from,
    shown_message,
)
from digest.message.look import languages_of, links_of
from digest.model.deliveries import Recipient
from digest.model.editions import EditionRecord
from digest.model.snapshot import choose
from digest.render.languages.languages import languages, spoken
from digest.render.preflight.email import encoded_size
from digest.storage.editions.archive import public_editions
from subscribers.model import Choice
from subscribers.store.readers import reader_of
from subscribers.tokens import read_token, reader_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The person whose email is shown: a choice of topics and a language, or a reader of the list.

    A reader is named by a token, so that nobody can try the ids of readers one after the other. The
    `language` counts before the reader's own.
    """

    topics: str = ""
    language: str = ""
    reader: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The email of an edition as a viewer would get it."""

    message: ShownMessage
    recipient: Recipient  # without an id: its links are those of nobody
    language: str  # that it is in
    size: int  # of the HTML in the message, in bytes; 0: a message of plain text
    stories: int


def view(parts: EditionParts, record: EditionRecord, viewer: Viewer) -> View:
    """Return the email of an edition for a viewer; its personal links are those of nobody.

    Raises PreviewError if there is nothing in the chosen topics, TokenError, ChoiceError, TemplateError.
    """
    recipient = recipient_for(parts, record, viewer)
    message = shown_message(parts, record, recipient)
    chosen = choose(record.edition, Choice.parse(recipient.variant))
    return View(
        message=message,
        recipient=recipient,
        language=spoken(recipient.language, record.edition.language),
        size=encoded_size(message.html) if message.html else 0,
        stories=sum(1 for _ in chosen.stories()) if chosen else 0,
    )


def size_for_all(parts: EditionParts, record: EditionRecord) -> int:
    """Return the size of the HTML for readers of all topics, as `view` does but for their own links.

    Raises PreviewError if there is no story, and TemplateError.
    """
    edition = record.edition
    if not any(edition.stories()):
        raise PreviewError(f"{edition.id} has no story")
    email = settings_for(parts, record).render(edition, links_of(edition), edition.language)
    return encoded_size(email.html)


def recipient_for(parts: EditionParts, record: EditionRecord, viewer: Viewer) -> Recipient:
    """Return the recipient that a viewer stands for. Raises TokenError, ChoiceError, PreviewError."""
    if viewer.reader:
        digest = record.edition.digest
        subscriber_id = read_token(parts.secret, viewer.reader, _purpose(digest))
        with parts.database.read() as connection:
            found = recipient_from(reader_of(connection, subscriber_id), digest)
        # An editor must not get the links of a reader, which change the reader's choices.
        own = found._replace(subscriber_id=0)
        return own._replace(language=viewer.language) if viewer.language else own
    return NOBODY._replace(variant=str(Choice.parse(viewer.topics)), language=viewer.language)


def find_reader(parts: EditionParts, record: EditionRecord, address: str) -> str:
    """Return the token of the reader with an address. Raises AddressError, and PreviewError for nobody."""
    digest = record.edition.digest
    found = recipient_at(parts.database, parts.secret, digest, address)
    return reader_token(parts.secret, found.subscriber_id, _purpose(digest))


def languages_to_see(record: EditionRecord) -> tuple[tuple[str, str], ...]:
    """Return the languages in which readers can get an edition: tag and name, its own first."""
    names = languages()
    own = record.edition.language
    found = sorted(languages_of(record.edition), key=lambda each: (each != own, each))
    return tuple((each, names.get(each, each)) for each in found)


def edition_before(parts: EditionParts, record: EditionRecord) -> EditionRecord | None:
    """Return the last edition of the same digest that readers have been sent before this one."""
    edition = record.edition
    with parts.database.read() as connection:
        at = (edition.send_at, edition.id)
        return next(iter(public_editions(connection, edition.digest, before=at, limit=1)), None)


def _purpose(digest: str) -> str:
    """Return the purpose of tokens that show a reader's email of one digest on the desk, and do no more."""
    return f"desk:{digest}"
