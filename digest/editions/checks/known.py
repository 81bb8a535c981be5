"""Read from the database what the preflight should know about an edition; nobody else is asked here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from digest.config import Config
from digest.editions.checks.links import urls_in
from digest.model.editions import Edition, EditionRecord
from digest.model.errors import DamagedError, NotFoundError
from digest.model.links import is_copy, parse_copy_name
from digest.render.languages.languages import spoken
from digest.render.mail import lines
from digest.render.preflight.known import Known, SpamReport
from digest.render.preflight.stories import pictures_of
from digest.storage.database import Database
from digest.storage.editions.lists import edition_before
from digest.storage.intake.links import known_links, known_score
from digest.storage.intake.pictures import has_copy
from digest.storage.ledger.outcomes import readers_by_choice
from subscribers.store.mailable import mailable


def known_about(database: Database, config: Config, record: EditionRecord, now: datetime) -> Known:
    """Return what is known about an edition and its readers."""
    edition = record.edition
    try:
        digest = config.digest(edition.digest)
        offered, feeds = digest.frequencies, len(digest.feeds or config.feeds)
    except NotFoundError:  # the digest has been removed, and its editions can still be sent
        offered, feeds = frozenset(), 0
    with database.read() as connection:
        readers = readers_by_choice(connection, mailable(edition.digest, now, record.frequency, offered))
        before = None
        with suppress(DamagedError):
            before = edition_before(connection, record)
        links = known_links(connection, urls_in(edition), now)
        lost = frozenset(url for url, name in _copies(edition) if not has_copy(connection, name))
        score = known_score(connection, record.hash)
    return Known(
        off=dict(config.rules_off),
        feeds=feeds,
        last_subject=lines(before.edition)[0] if before else "",
        links=links,
        lost=lost,
        readers=_by_choice(readers),
        languages=frozenset(spoken(language, edition.language) for _, language, _ in readers),
        spam=SpamReport(score=score[0], rules=tuple(score[1].items())) if score else None,
    )


def _by_choice(readers: Iterable[tuple[str, str, int]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for choice, _, count in readers:
        counts[choice] += count
    return counts


def _copies(edition: Edition) -> Iterable[tuple[str, str]]:
    """Yield the address of each picture of which we keep a copy, with the name of the copy."""
    for url, _ in pictures_of(edition):
        found = parse_copy_name(url.rpartition("/")[2]) if is_copy(url, edition.site.base_url) else None
        if found:
            yield url, found[0]
