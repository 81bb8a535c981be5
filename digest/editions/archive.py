"""The web archive: editions that have been sent, which anybody may read, and corrections of them."""

from __future__ import annotations

import re
from datetime import datetime

from digest.message.reader_links import edition_url
from digest.model.editions import CORRECTED, PUBLIC, Correction, Edition, EditionRecord, refusal
from digest.model.errors import EditRefusedError, NotFoundError
from digest.model.links import parse_copy_name
from digest.storage.database import Database
from digest.storage.editions.archive import newest_public_id, public_dates, public_editions
from digest.storage.editions.records import load_edition, lock_edition
from digest.storage.edits.history import append_correction
from digest.storage.edits.history import corrections_of as stored_corrections
from digest.storage.intake.pictures import forget_pictures, old_pictures, read_brand_file, read_copy

PAGE = 30  # editions on one page of an archive
_BRAND_FILE = re.compile(r"[0-9a-f]{64}\.(?:png|jpg)")
_LONGEST = 5_000  # characters of a correction
_MANY = 40_000  # a sitemap holds 50,000 addresses


def read_edition(database: Database, slug: str, edition_id: str) -> EditionRecord:
    """Return an edition that has been sent; raises NotFoundError for any other."""
    record = read_edition_by_id(database, edition_id)
    if record.edition.digest != slug:
        raise NotFoundError("edition", edition_id)
    return record


def read_edition_by_id(database: Database, edition_id: str) -> EditionRecord:
    """Return a sent edition of any digest; raises NotFoundError for any other."""
    if "\0" in edition_id:
        raise NotFoundError("edition", edition_id)
    with database.read() as connection:
        record = load_edition(connection, edition_id)
    if record.state not in PUBLIC:
        raise NotFoundError("edition", edition_id)
    return record


def read_picture(database: Database, name: str) -> bytes:
    """Return our copy of a picture, a JPEG, by the last part of its address; raises NotFoundError."""
    parsed = parse_copy_name(name)
    if parsed:
        with database.read() as connection:
            if body := read_copy(connection, parsed[0], small=parsed[1]):
                return body
    raise NotFoundError("picture", name)


def read_brand_picture(database: Database, name: str) -> tuple[bytes, str]:
    """Return a logo or a header picture, and its media type; raises NotFoundError."""
    if _BRAND_FILE.fullmatch(name):
        with database.read() as connection:
            if body := read_brand_file(connection, name):
                return body, "image/png" if name.endswith(".png") else "image/jpeg"
    raise NotFoundError("picture", name)


def forget_unused_pictures(database: Database, now: datetime) -> None:
    """Delete the copies of pictures that no edition shows, 30 days after they were last used."""
    with database.read() as connection:
        old = old_pictures(connection, now)
    if old.shown or old.unused or old.any_facts:
        with database.write() as connection:
            forget_pictures(connection, old, now)


def read_archive(database: Database, slug: str, before: str | None = None) -> tuple[EditionRecord, ...]:
    """Return a page of editions, newest first, and one more edition if there is another page.

    `before` is the id of the last edition on the previous page. Raises NotFoundError.
    """
    after = None
    if before is not None:
        last = read_edition(database, slug, before).edition
        after = (last.send_at, last.id)
    with database.read() as connection:
        return public_editions(connection, slug, before=after, limit=PAGE + 1)


def newest_edition_path(database: Database, slug: str) -> str | None:
    """Return the path of the newest edition in the archive; None if there is none."""
    with database.read() as connection:
        newest = newest_public_id(connection, slug)
    return edition_url("", slug, newest) if newest else None


def every_edition(database: Database) -> tuple[tuple[str, str, datetime], ...]:
    """Return digest, id and date of the editions in the archive (at most the newest 40,000)."""
    with database.read() as connection:
        return public_dates(connection, limit=_MANY)


def edition_path(edition: Edition) -> str:
    """Return the path of an edition's web page."""
    return edition_url("", edition.digest, edition.id)


def is_public(record: EditionRecord) -> bool:
    """Tell whether an edition has a web copy that anybody may read."""
    return record.state in PUBLIC


# ── corrections ─────────────────────────────────────────────────────────────────────────────


def corrections_of(database: Database, edition_id: str) -> tuple[Correction, ...]:
    """Return the corrections of an edition, oldest first."""
    with database.read() as connection:
        return stored_corrections(connection, edition_id)


def add_correction(database: Database, edition_id: str, text: str, *, by: str, now: datetime) -> Correction:
    """Put a correction on the web copy of an edition that is being sent or has been sent.

    The snapshot and its hash stay, because readers have that email. `text` is Markdown. Raises NotFoundError,
    StateError for an edition that can still be edited or was not sent, and EditRefusedError.
    """
    words = text.strip()
    if not words or len(words) > _LONGEST:
        why = f"a correction has between 1 and {_LONGEST:,} characters; this one has {len(words):,}"
        raise EditRefusedError(edition_id, why)
    with database.write() as connection:
        record = lock_edition(connection, edition_id)
        if record.state not in PUBLIC:
            raise refusal(record, CORRECTED)
        number = len(stored_corrections(connection, edition_id)) + 1
        made = Correction(number=number, by=by, at=now, text=words)
        append_correction(connection, edition_id, made)
    return made
