"""Make a publisher to measure: an SQLite file with readers, an approved edition, and the real templates."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from itertools import combinations, islice
from pathlib import Path
from typing import Protocol

from digest.message.build import MessageSettings
from digest.model.editions import Edition, EditionState, Section, StepCause, Story
from digest.model.messages import ReaderLinks, Transport
from digest.model.publication import Site
from digest.render.edition_renderer import EditionRenderer
from digest.render.templates import Templates, load_templates
from digest.send.outbox import Outbox
from digest.storage.database import Database, open_database
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.steps import advance

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
EDITION = "daily-2026-11-22"
TOPICS = 20
CHOSEN = 7  # topics that each reader chooses
_BLURB = "The harbour opens its new quay in the spring, and the ferries to the islands sail daily again."


def create(path: Path, readers: int, choices: int) -> None:
    """Make a database with so many readers and so many different choices of topics.

    Each reader chooses seven of the twenty topics, so that all messages have the same size, 25 KB.
    """
    from digest.storage.migrate import migrate  # imported here to keep it out of the memory of senders

    database = open_at(path)
    migrate(database)
    with database.write() as connection:
        insert_edition(connection, edition())
        advance(connection, EDITION, EditionState.APPROVED, StepCause(at=NOW, by="Ana"))
    database.close()
    with sqlite3.connect(path) as file:  # a fast way to insert a million rows
        file.executemany(
            "INSERT INTO subscribers (id, address, folded, address_hash, state, language, created_at)"
            " VALUES (?1, ?2, ?2, ?3, 'active', 'en', ?4)",
            ((n, f"reader{n}@example.org", f"hash-{n}", NOW.isoformat()) for n in range(1, readers + 1)),
        )
        topics = list(topic_choices(choices))
        file.executemany(
            "INSERT INTO subscriptions (subscriber_id, digest, state, topics, changed_at)"
            " VALUES (?, 'daily', 'active', ?, ?)",
            ((n, topics[n % choices], NOW.isoformat()) for n in range(1, readers + 1)),
        )
    file.close()


def fill(url: str, readers: int) -> None:
    """Make the same publisher in an empty PostgreSQL database, with one choice of topics."""
    from digest.storage.migrate import migrate  # as above

    database = open_database(url)
    migrate(database)
    with database.write() as connection:
        insert_edition(connection, edition())
        advance(connection, EDITION, EditionState.APPROVED, StepCause(at=NOW, by="Ana"))
        connection.exec_driver_sql(
            "INSERT INTO subscribers (id, address, folded, address_hash, state, language, created_at)"
            " SELECT n, 'reader' || n || '@example.org', 'reader' || n || '@example.org', 'hash-' || n,"
            f" 'active', 'en', now() FROM generate_series(1, {readers}) AS n"
        )
        connection.exec_driver_sql(
            "INSERT INTO subscriptions (subscriber_id, digest, state, topics, changed_at)"
            f" SELECT n, 'daily', 'active', '', now() FROM generate_series(1, {readers}) AS n"
        )
    database.close()


def open_at(path: Path) -> Database:
    """Open the database at a path as the program does: WAL, synchronous=FULL."""
    return open_database(f"sqlite:///{path}")


@cache
def _templates() -> Templates:
    """Load the default templates, once in each process, as the program does."""
    return load_templates(None)


def load() -> None:
    """Load the templates, and prepare everything that the program prepares once."""
    links = ReaderLinks(unsubscribe="u", preferences="p")
    EditionRenderer(_templates(), lambda _edition: None)(edition(), links)


class Roomy(Transport, Protocol):
    """A transport that says how many messages it takes at a time, and how many it takes now."""

    @property
    def window(self) -> int:
        """Return the most messages of a group."""

    @property
    def room(self) -> int:
        """Return how many messages the transport takes now."""


def outbox(transport: Roomy) -> Outbox:
    """Return everything that sending needs besides the database, with the default templates."""
    message_settings = MessageSettings(
        render=EditionRenderer(_templates(), lambda _edition: None),
        secret=b"a secret of the benchmark",
        bounce_address="bounces+{token}@news.example.org",
        unsubscribe_address="leave@news.example.org",
    )
    return Outbox(
        transport=transport,
        message_settings=message_settings,
        group=transport.window,
        room=lambda: transport.room,
    )


def topic_choices(count: int) -> Iterator[str]:
    """Yield so many different choices of topics, up to 1,000 of the 77,520 possible ones, spread evenly."""
    chosen = combinations([_slug(number) for number in range(TOPICS)], CHOSEN)
    return (",".join(slugs) for slugs in islice(chosen, 0, 77 * count, 77))


def edition() -> Edition:
    """Return an edition of twenty topics with one story each."""
    return Edition(
        id=EDITION,
        digest="daily",
        title="The Daily",
        local_date=date(2026, 11, 22),
        zone="UTC",
        language="en",
        cutoff_at=NOW,
        send_at=NOW,
        site=Site(name="Harbour Post", base_url="https://news.example.org", postal_address="1 Quay, Porto"),
        sender="The Daily <daily@news.example.org>",
        reply_to=None,
        subject_template="",
        preheader_template="",
        lead=None,
        sections=tuple(_section(_slug(number)) for number in range(TOPICS)),
    )


def _section(slug: str) -> Section:
    return Section(slug=slug, title=slug.replace("-", " ").title(), stories=(_story(slug),))


def _story(topic: str) -> Story:
    return Story(
        id=f"story-{topic}",
        title=f"What the council decided on {topic}",
        blurb=_BLURB,
        url=f"https://news.example.org/2026/11/22/{topic}",
        source="Harbour News",
        author=None,
        published_at=NOW,
        image=None,
        tags=(topic,),
        topic=topic,
        rule=f"tag: {topic}",
    )


def _slug(number: int) -> str:
    return f"topic-{number:02}"
