"""Check the emails of a digest as they will be sent: with its own topics, and with the posts that wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from digest.compose.topics import coloured
from digest.config import Config
from digest.design.coming import open_editions, planned_edition
from digest.editions.preflight import inspect
from digest.model.editions import Edition, EditionRecord, EditionState
from digest.model.errors import TemplateError
from digest.model.publication import CATCH_ALL, Digest
from digest.model.snapshot import content_hash, headings_of
from digest.render.preflight import Finding, Level
from digest.render.sample import sample_edition, sample_of, shortened
from digest.render.templates import Templates
from digest.storage.database import Database
from digest.storage.editions.lists import list_editions

Topics = tuple[tuple[str, str], ...]  # slug and title
_NEWEST = 5  # editions that are looked at


def emails_of(
    templates: Templates, database: Database, config: Config, digest: Digest, now: datetime
) -> tuple[Finding, ...]:
    """Return what is wrong with the emails of a digest, the worst first; each problem counts once.

    The emails are those of its open editions, of the posts that wait, and of samples under its own topics.
    """
    topics = known_topics(database, config, digest)
    editions = [
        *open_editions(database, digest),
        *filter(None, [planned_edition(database, config, digest, now)]),
        *samples_of(config, digest, topics),
    ]
    found = dict.fromkeys(finding for edition in editions for finding in _findings(templates, edition))
    if not any(finding.level is Level.BLOCK for finding in found):
        found |= dict.fromkeys(_without_a_topic(templates, config, digest, topics))
    return tuple(sorted(found, key=lambda finding: finding.level is Level.WARN))


def own_topics(config: Config, digest: Digest) -> Topics:
    """Return the topics that are configured for a digest; empty if it finds them in the posts' tags."""
    return tuple((topic.slug, topic.title) for topic in config.topics if topic.slug in digest.topics)


def known_topics(database: Database, config: Config, digest: Digest) -> Topics:
    """Return the topics of a digest: those configured, or else those of its newest edition."""
    if own := own_topics(config, digest):
        return own
    with database.read() as connection:
        newest = list_editions(connection, digest.slug, _NEWEST)
    found = next((headings_of(record.edition) for record in newest), ())
    return tuple((heading.slug, heading.title) for heading in found)


def samples_of(config: Config, digest: Digest, topics: Topics) -> tuple[Edition, Edition]:
    """Return a long and a short sample of a digest; without topics, these are invented too."""
    invented = tuple((section.slug, section.title) for section in sample_edition().sections)
    feeds = digest.feeds or tuple(feed.name for feed in config.feeds)
    long = coloured(sample_of(digest, config.site, topics or invented, feeds), config.topics)
    return long, shortened(long)


def _findings(templates: Templates, edition: Edition) -> Sequence[Finding]:
    record = EditionRecord(edition=edition, hash=content_hash(edition), state=EditionState.DRAFT)
    try:
        # The headlines of today say nothing about the configuration.
        return inspect(templates, record, lines=False).findings
    except TemplateError as error:
        return [Finding(Level.BLOCK, str(error))]


def _without_a_topic(
    templates: Templates, config: Config, digest: Digest, topics: Topics
) -> Iterator[Finding]:
    """Yield a warning if the templates can show all topics of a digest, but no story without a topic."""
    slugs = {slug for slug, _ in topics}
    if not topics or CATCH_ALL in slugs:
        return
    with_others, _ = samples_of(config, digest, (*topics, (CATCH_ALL, digest.catch_all)))
    for finding in _findings(templates, with_others):
        if finding.level is Level.BLOCK:
            why = f"An edition with a story under no topic (its section is {CATCH_ALL!r}) cannot be sent"
            yield Finding(Level.WARN, f"{why}: {finding.message}")
