"""A publisher to measure with: an SQLite file with readers, an approved edition, and the real templates."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from itertools import combinations, islice
from pathlib import Path

from digest.model import Edition, EditionState, ReaderLinks, Section, Story
from digest.publication import Site
from digest.render.templates import Templates, load_templates
from digest.render.typesetter import Typesetter
from digest.send.letters import Stationery
from digest.send.outbox import Outbox
from digest.send.transport import SmtpTransport
from digest.storage.database import Database, open_database
from digest.storage.editions import insert_edition
from digest.storage.steps import advance

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
EDITION = "daily-2026-11-22"
TOPICS = 20
CHOSEN = 7  # of them, by each reader
_BLURB = "The harbour opens its new quay in the spring, and the ferries to the islands sail daily again."


def found(path: Path, readers: int, choices: int) -> None:
    """Make a database with so many readers, who have so many choices of topics between them.

    Each chose seven of the twenty topics, so that all mails are of one size, 25 KB.
    """
    from digest.storage.migrate import migrate  # not while the memory of a sender is measured

    database = open_at(path)
    migrate(database)
    with database.write() as connection:
        insert_edition(connection, edition())
        advance(connection, EDITION, EditionState.APPROVED, NOW, by="Ana")
    database.close()
    with sqlite3.connect(path) as file:  # a million rows: not what is measured
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


def open_at(path: Path) -> Database:
    """Open the database at a path as the program does: WAL, synchronous=FULL."""
    return open_database(f"sqlite:///{path}")


@cache
def _templates() -> Templates:
    """Load the templates that we ship once for each process, as the program does."""
    return load_templates(None)


def load() -> None:
    """Load the templates and make ready what the program makes ready once."""
    links = ReaderLinks(unsubscribe="u", preferences="p")
    Typesetter(_templates(), lambda _edition: None)(edition(), links)


def outbox(transport: SmtpTransport) -> Outbox:
    """Give all that sending needs besides the database, with the templates that we ship."""
    stationery = Stationery(
        render=Typesetter(_templates(), lambda _edition: None),
        secret=b"a secret of the benchmark",
        bounce_address="bounces+{token}@news.example.org",
    )
    return Outbox(
        transport=transport,
        stationery=stationery,
        group=transport.window,
        room=lambda: transport.room,
    )


def topic_choices(count: int) -> Iterator[str]:
    """Give so many different choices of topics, up to 1,000 of the 77,520 there are, spread evenly."""
    chosen = combinations([_slug(number) for number in range(TOPICS)], CHOSEN)
    return (",".join(slugs) for slugs in islice(chosen, 0, 77 * count, 77))


def edition() -> Edition:
    """Give an edition of twenty topics with one story each."""
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
