"""Let anybody read on the web what readers have been sent."""

from __future__ import annotations

from datetime import datetime

from digest.app.wiring import App
from digest.errors import NotFoundError
from digest.model import Edition, EditionRecord
from digest.storage.editions import PUBLIC, load_edition, newest_public_id, public_dates, public_editions

PAGE = 30  # editions on one page of an archive
_MANY = 40_000  # a sitemap holds 50,000 addresses


def read_edition(app: App, slug: str, edition_id: str) -> EditionRecord:
    """Return an edition that readers have been sent; raises NotFoundError for any other."""
    record = read_edition_by_id(app, edition_id)
    if record.edition.digest != slug:
        raise NotFoundError("edition", edition_id)
    return record


def read_edition_by_id(app: App, edition_id: str) -> EditionRecord:
    """Return an edition of any digest that readers have been sent; raises NotFoundError for any other."""
    if "\0" in edition_id:
        raise NotFoundError("edition", edition_id)
    with app.database.read() as connection:
        record = load_edition(connection, edition_id)
    if record.state not in PUBLIC:
        raise NotFoundError("edition", edition_id)
    return record


def read_archive(app: App, slug: str, before: str | None = None) -> tuple[EditionRecord, ...]:
    """Return a page of editions, newest first, and one more if there is another page.

    `before` is the id of the last one of the page before. Raises NotFoundError.
    """
    after = None
    if before is not None:
        last = read_edition(app, slug, before).edition
        after = (last.send_at, last.id)
    with app.database.read() as connection:
        return public_editions(connection, slug, before=after, limit=PAGE + 1)


def newest_edition_path(app: App, slug: str) -> str | None:
    """Return the path of the newest edition anybody may read."""
    with app.database.read() as connection:
        newest = newest_public_id(connection, slug)
    return f"/d/{slug}/{newest}" if newest else None


def every_edition(app: App) -> tuple[tuple[str, str, datetime], ...]:
    """Return digest, id and date of all editions anybody may read; the newest of very many."""
    with app.database.read() as connection:
        return public_dates(connection, limit=_MANY)


def edition_path(edition: Edition) -> str:
    """Return the path of an edition's web copy."""
    return f"/d/{edition.digest}/{edition.id}"
