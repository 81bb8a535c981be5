"""The tables of the staff: accounts, sessions, tokens, the audit trail, and what they were told."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from subscribers.store.tables import Key, Moment, metadata

# Accounts for the staff's pages. Nothing of a reader is here.
staff = Table(
    "staff",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("address", String, nullable=False),
    Column("folded", String, nullable=False, unique=True),  # as in subscribers
    Column("role", String, nullable=False),  # digest.model.staff.Role
    Column("added_at", Moment, nullable=False),
    Column("password", String),  # argon2; null until the person has chosen one
    Column("totp", String),  # the sealed secret of the second factor; null: there is none
    Column("totp_step", Integer, nullable=False, server_default="0"),  # of the last code, which is used up
    Column("recovery", JSON, nullable=False),  # hashes of the recovery codes that are left
    Column("subject", String, unique=True),  # the issuer and the subject, after a sign-in by OpenID Connect
    Column("link", String, unique=True),  # hash of the one-time link to set a password
    Column("link_until", Moment),
    Column("signed_in_at", Moment),  # the last time
    # Slugs of the digests that the person is told about by email, with spaces between; "*": all.
    Column("notices", String, nullable=False, server_default="*"),
    # Slugs of the digests that the person works on, in the same way.
    Column("digests", String, nullable=False, server_default="*"),
    Column("removed_at", Moment),  # its row stays, because the audit trail names it
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    Column("hash", String, primary_key=True),  # of the cookie, which is not kept
    Column("person_id", String, ForeignKey("staff.id"), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("client", String, nullable=False),  # the client's network, shown in the list of sessions
    Column("browser", String, nullable=False),  # "Firefox on Linux", shown in the same list
    Index("ix_staff_sessions_person_id", "person_id"),
)

staff_tokens = Table(
    "staff_tokens",
    metadata,
    Column("hash", String, primary_key=True),
    Column("person_id", String, ForeignKey("staff.id"), nullable=False),
    Column("name", String, nullable=False),  # says what the token is for
    Column("scopes", JSON, nullable=False),  # digest.model.staff.Right
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),  # the last time, to the hour
    Index("ix_staff_tokens_person_id", "person_id"),
)

# Append-only. It says what the staff did, and never what readers did.
staff_audit = Table(
    "staff_audit",
    metadata,
    Column("id", Key, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("person_id", String, ForeignKey("staff.id")),  # null: the command line, or nobody who is known
    Column("name", String, nullable=False),  # as it was at that time
    Column("action", String, nullable=False),  # "approved an edition"
    Column("subject", String, nullable=False, server_default=""),  # an edition, a person, a date
    Index("ix_staff_audit_at", "at"),
    Index("ix_staff_audit_person_id", "person_id", "at"),
)

# The occasions of which each person of the staff was told, once for each; the message is in `notices`.
staff_notices = Table(
    "staff_notices",
    metadata,
    Column("notice_id", Key, primary_key=True, autoincrement=False),
    Column("person_id", String, ForeignKey("staff.id"), nullable=False),
    Column("occasion", String, nullable=False),  # digest.schedule.staff_notices.Occasion.key
    Column("kind", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("edition_id", String, nullable=False, server_default=""),  # empty: it is about a date
    Column("snapshot", String, nullable=False, server_default=""),  # the hash of the edition at that time
    Column("look", String, nullable=False, server_default=""),  # the hash that its links are about
    Column("edits", Integer, nullable=False, server_default="0"),  # of the edition at that time
    Column("detail", String, nullable=False, server_default=""),
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    UniqueConstraint("person_id", "occasion"),
    Index("ix_staff_notices_edition_id", "edition_id", "kind"),
    Index("ix_staff_notices_occasion", "occasion"),
)
