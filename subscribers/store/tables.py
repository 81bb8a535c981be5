"""The tables of the list, their types, and the INSERT that both databases understand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)
from sqlalchemy import Connection as Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert


class Moment(TypeDecorator[datetime]):
    """An instant: aware UTC in Python, timestamptz on PostgreSQL, UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values, because their time zone would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Key = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("address", String, nullable=False),  # as its owner writes it; messages go to this spelling
    Column("folded", String, nullable=False, unique=True),  # the same for all spellings of the address
    Column("address_hash", String, nullable=False, unique=True),  # keyed, as in suppressions
    Column("state", String, nullable=False),  # pending, active, unsubscribed
    Column("language", String, nullable=False),
    Column("format", String, nullable=False, server_default="html"),  # html, text
    Column("created_at", Moment, nullable=False),
    Column("confirmed_at", Moment),
    Column("left_at", Moment),
    Index("ix_subscribers_confirmed_at", "confirmed_at"),
    Index("ix_subscribers_left_at", "left_at"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscriber_id", Key, ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String, primary_key=True),
    Column("state", String, nullable=False),  # active, unsubscribed, removed (by an operator)
    Column("topics", String, nullable=False, server_default=""),  # see subscribers.model.Choice
    Column("hour", String),  # "07:30" local, or null: when the edition goes out
    Column("zone", String),  # IANA name, or null: the digest's time zone
    Column("frequency", String, nullable=False, server_default="each"),  # each, daily, weekly
    Column("paused_until", Moment),
    Column("changed_at", Moment, nullable=False),
    Index("ix_subscriptions_digest", "digest", "subscriber_id"),
)

consents = Table(
    "consents",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("subscriber_id", Key, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("what", String, nullable=False),  # signed up, confirmed, imported, added, left, …
    Column("source", String, nullable=False),  # a form, an import's stated source, the command line
    Column("wording", String, nullable=False, server_default=""),  # version of the text that was shown
    Column("client", String, nullable=False, server_default=""),  # as far as the publisher keeps it
    Column("detail", JSON, nullable=False),  # digests and topics at that moment
    Index("ix_consents_subscriber_id", "subscriber_id", "at"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", String, primary_key=True),
    Column("reason", String, nullable=False),  # bounce, complaint, erased, operator
    Column("at", Moment, nullable=False),
    Column("note", String, nullable=False, server_default=""),
    Index("ix_suppressions_at", "at"),
)

bounces = Table(
    "bounces",
    metadata,
    Column("report", String, primary_key=True),  # identifies the report, so that it is kept only once
    Column("address_hash", String, nullable=False),  # keyed, as in suppressions
    Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False),  # see subscribers.rules.bounces.BounceKind
    Column("source", String, nullable=False),  # mail, or server
    Column("edition", String, nullable=False, server_default=""),
    # The server's text, without the addresses that could be found in it.
    Column("reason", String, nullable=False, server_default=""),
    Index("ix_bounces_address_hash", "address_hash", "at"),
    Index("ix_bounces_at", "at"),
)

confirmations = Table(
    "confirmations",
    metadata,
    Column("token_hash", String, primary_key=True),  # see subscribers.tokens.notice_token
    Column("subscriber_id", Key, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("purpose", String, nullable=False),  # see subscribers.rules.decisions.Purpose
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("payload", JSON, nullable=False),  # the change that the confirmation will make
    Index("ix_confirmations_subscriber_id", "subscriber_id", "purpose"),
    Index("ix_confirmations_expires_at", "expires_at"),
)

# Messages about an account. They are queued by whoever writes the change that causes them, and sent by
# `digest.send.notices`.
notices = Table(
    "notices",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),  # see subscribers.rules.notices.NoticeKind
    # The reader who caused it, who may have another address: null if nobody is on the list.
    Column("subscriber_id", Key, ForeignKey("subscribers.id", ondelete="CASCADE")),
    Column("address", String),  # null: it must not be mailed, so it is not kept
    Column("address_hash", String, nullable=False),  # keyed, as in suppressions
    Column("mailbox_hash", String, nullable=False),  # keyed; the same for all addresses of one mailbox
    Column("token_hash", String, nullable=False),  # of its link, as in confirmations
    Column("language", String, nullable=False),
    Column("requests", JSON, nullable=False),  # of a sign-up: digests and preferences
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),  # with its link
    Column("state", String, nullable=False),  # digest.model.deliveries.DeliveryState
    Column("due_at", Moment),  # null: settled
    Column("owner", String),  # the sender that has it on the wire, or had it there when it ended
    Column("lease_until", Moment),  # only on the wire
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("code", Integer),
    Column("reply", String, nullable=False, server_default=""),
    Column("changed_at", Moment, nullable=False),
    Index("ix_notices_due_at", "due_at"),
    Index("ix_notices_subscriber_id", "subscriber_id", "made_at"),
    Index("ix_notices_mailbox_hash", "mailbox_hash", "made_at"),
    Index("ix_notices_address_hash", "address_hash"),
)

# Links in earlier messages name a reader by id. A reader who has moved to the address of another reader has
# both ids from then on.
earlier_ids = Table(
    "earlier_ids",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    Column(
        "subscriber_id",
        Key,
        ForeignKey("subscribers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", String, primary_key=True),  # a kind and a keyed hash: "address:…", "client:…"
    Column("since", Moment, nullable=False),  # when this count began
    Column("count", Integer, nullable=False),
    Index("ix_attempts_since", "since"),
)


def upsert(connection: Connection, table: Table) -> sqlite.Insert | PostgresqlInsert:
    """Return an INSERT that allows ON CONFLICT, for the dialect of the connection."""
    if connection.dialect.name != "postgresql":
        return sqlite.insert(table)
    # The dialect of PostgreSQL takes 2 MB of memory, so it is loaded only where it is used.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
