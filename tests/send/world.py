"""Set up a small world to send in: an edition with three topics, readers, and recording transports."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import insert, update

from digest.message.build import MessageSettings
from digest.model.deliveries import DeliveryState
from digest.model.editions import Edition, EditionState, Section, StepCause, Story
from digest.model.messages import Email, Message, Outcome, ReaderLinks, Receipt
from digest.model.publication import Site
from digest.send.finish import Sent
from digest.send.outbox import Outbox
from digest.send.send import send
from digest.storage.database import Database
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger.outcomes import list_deliveries
from subscribers.store.tables import subscribers, subscriptions, suppressions

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SECRET = b"a secret of the tests, and of nothing else"
EDITION = "daily-2026-11-22"
SITE = Site(name="Harbour Post", base_url="https://news.example.org", postal_address="1 Quay, Porto")
READ = policy.default.clone(max_line_length=998)


def story(topic: str) -> Story:
    return Story(
        id=f"story-{topic}",
        title=f"What {topic} brings",
        blurb="A calm sentence.",
        url=f"https://news.example.org/{topic}",
        source="Harbour News",
        author=None,
        published_at=NOW,
        image=None,
        tags=(topic,),
        topic=topic,
        rule=f"tag: {topic}",
    )


def edition(*, title: str = "The Daily", topics: Sequence[str] = ("climate", "space", "sport")) -> Edition:
    return Edition(
        id=EDITION,
        digest="daily",
        title=title,
        local_date=date(2026, 11, 22),
        zone="UTC",
        language="en",
        cutoff_at=NOW - timedelta(minutes=30),
        send_at=NOW,
        site=SITE,
        sender="The Daily <daily@news.example.org>",
        reply_to="Desk <desk@news.example.org>",
        subject_template="",
        preheader_template="",
        lead=None,
        sections=tuple(Section(slug=slug, title=slug.title(), stories=(story(slug),)) for slug in topics),
    )


def render(chosen: Edition, links: ReaderLinks, language: str) -> Email:
    titles = [each.title for each in chosen.stories()]
    lines = [*titles, *([language] if language != chosen.language else []), "", "-- "]
    lines += [chosen.site.postal_address, f"Leave: {links.unsubscribe}", f"Choose: {links.preferences}"]
    paragraphs = "".join(f"<p>{line}</p>\n" for line in (*titles, chosen.site.postal_address))
    return Email.whole(
        subject=titles[0],
        html=f'<html><body>\n{paragraphs}<a href="{links.unsubscribe}">Leave</a></body></html>\n',
        text="\n".join(lines) + "\n",
    )


SETTINGS = MessageSettings(render=render, secret=SECRET, bounce_address="bounces+{token}@news.example.org")


def add_reader(
    database: Database, number: int, topics: str = "", *, form: str = "html", address: str | None = None
) -> int:
    row = {
        "id": number,
        "address": address or f"reader{number}@example.org",
        "folded": f"reader{number}@example.org",
        "address_hash": f"hash-{number}",
        "state": "active",
        "language": "en",
        "format": form,
        "created_at": NOW,
    }
    choice = {"subscriber_id": number, "digest": "daily", "state": "active", "topics": topics}
    with database.write() as connection:
        connection.execute(insert(subscribers).values(row))
        connection.execute(insert(subscriptions).values({**choice, "changed_at": NOW}))
    return number


def add_readers(database: Database, count: int) -> None:
    for number in range(1, count + 1):
        add_reader(database, number, ("", "climate", "-sport", "space")[number % 4])


def leave(database: Database, number: int) -> None:
    with database.write() as connection:
        connection.execute(update(subscribers).where(subscribers.c.id == number).values(state="unsubscribed"))


def pause(database: Database, number: int, until: datetime) -> None:
    with database.write() as connection:
        of_reader = subscriptions.c.subscriber_id == number
        connection.execute(update(subscriptions).where(of_reader).values(paused_until=until))


def suppress(database: Database, number: int) -> None:
    row = {"address_hash": f"hash-{number}", "reason": "bounce", "at": NOW}
    with database.write() as connection:
        connection.execute(insert(suppressions).values(row))


def add_edition(database: Database, *, approved: bool = True) -> None:
    with database.write() as connection:
        insert_edition(connection, edition())
        if approved:
            advance(connection, EDITION, EditionState.APPROVED, StepCause(at=NOW, by="Ana"))


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, span: timedelta) -> datetime:
        self.now += span
        return self.now


class Recorder:
    """A transport that keeps every message and answers as a test wants."""

    def __init__(self, answer: Callable[[Message], Outcome] = lambda _message: Outcome.ACCEPTED) -> None:
        self.messages: list[Message] = []
        self.answer = answer
        self.before_answer: Callable[[], None] = lambda: None

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        for group in groups:
            self.messages += group
            self.before_answer()
            yield [self.receipt(message) for message in group]

    def receipt(self, message: Message) -> Receipt:
        outcome = self.answer(message)
        code, reply = {
            Outcome.ACCEPTED: (250, "queued"),
            Outcome.DEFERRED: (451, "try later"),
            Outcome.REJECTED: (550, "no such user"),
        }.get(outcome, (None, "the connection broke"))
        return Receipt(message.key, outcome, code=code, reply=reply)

    @property
    def keys(self) -> list[int]:
        return sorted(message.key for message in self.messages)


class Appender:
    """A transport that appends a line for each message to a file, which survives kill -9."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        with self.path.open("ab", buffering=0) as file:
            for group in groups:
                for message in group:
                    file.write(b"%d\n" % message.key)
                yield [Receipt(message.key, Outcome.ACCEPTED, code=250, reply="kept") for message in group]


def outbox(transport: Recorder | Appender, **changes: object) -> Outbox:
    return Outbox(**{"transport": transport, "message_settings": SETTINGS, "group": 3, "page": 10, **changes})  # type: ignore[arg-type]  # changes are named freely


def run(database: Database, transport: Recorder, clock: Clock | None = None, **changes: object) -> Sent:
    return send(database, EDITION, outbox=outbox(transport, **changes), clock=clock or Clock())


def replies(database: Database) -> dict[int, tuple[DeliveryState, str]]:
    """Return the state of each reader's delivery, and the last reply."""
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION, limit=1000)
    return {row.subscriber_id: (row.state, row.reply) for row in rows}


def read(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=READ)
    assert isinstance(message, EmailMessage)
    return message
