"""Define the tables; the tables of readers are in `subscribers.store.tables`, in the same metadata."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)

from subscribers.store.tables import Key, Moment
from subscribers.store.tables import metadata as metadata

feeds = Table(
    "feeds",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("url", String, nullable=False),  # as configured
    Column("final_url", String),  # after permanent redirects; fetched instead of `url`
    Column("etag", String),
    Column("last_modified", String),
    Column("status", String, nullable=False),  # new, ok, unchanged, failed, gone
    Column("detail", String, nullable=False, server_default=""),  # one sentence for people
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("last_fetch_at", Moment),
    Column("last_ok_at", Moment),
    Column("next_fetch_at", Moment, nullable=False),
    Column("gap", Integer, nullable=False, server_default="0"),  # entries when all of them were new at once
    Column("gap_at", Moment),
    Column("fallback", String, nullable=False, server_default=""),  # why it is not read by REST
    Column("wishes", String, nullable=False, server_default=""),  # JSON: digest.collect.fetching.timing
    Column("pace", String, nullable=False, server_default=""),  # the same in words, as decided last
    Column("body_hash", String),
    Column("whole_at", Moment),  # the last answer with a document
    Column("changed_at", Moment),
    Column("failed_at", Moment),  # the first failure in a row
    Column("moved_to", String),  # a permanent redirect that is not saved in final_url yet
    Column("moved_seen", Integer, nullable=False, server_default="0"),  # in a row
    Column("moved_at", Moment),  # when it was seen first
    Column("takers", String, nullable=False, server_default=""),  # slugs of digests with its recent posts
)

hubs = Table(
    "hubs",
    metadata,
    Column("feed_id", String, ForeignKey("feeds.id"), primary_key=True),
    Column("hub", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("state", String, nullable=False),  # found, pending, active, denied, gone
    Column("next_at", Moment, nullable=False),  # when the hub is asked next
    Column("asked_at", Moment),  # null once the hub has answered
    Column("lease_until", Moment),
    Column("pushed_at", Moment),  # the last push
    Column("failures", Integer, nullable=False, server_default="0"),
)

posts = Table(
    "posts",
    metadata,
    Column("id", String, primary_key=True),
    Column("feed_id", String, ForeignKey("feeds.id"), nullable=False),
    Column("key", String, nullable=False),
    Column("url", String),
    Column("canonical_url", String),  # by `digest.model.links`, to find posts about the same story
    Column("title", String, nullable=False),
    Column("blurb", Text, nullable=False),
    Column("author", String),
    Column("language", String),
    Column("image", JSON),
    Column("pictures", JSON),  # the candidates; empty for posts from before there were several
    Column("tags", JSON, nullable=False),
    Column("via", JSON),  # the publication that had the post first: its name, and its address or null
    Column("published_at", Moment),
    Column("first_seen_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("place", Integer, nullable=False, server_default="0"),  # in the document that brought it
    Column("missed", Integer, nullable=False, server_default="0"),  # see digest.model.posts.KnownPost
    UniqueConstraint("feed_id", "key"),
    Index("ix_posts_first_seen_at", "first_seen_at"),
    Index("ix_posts_canonical_url", "canonical_url"),
    Index("ix_posts_feed_id", "feed_id", "first_seen_at"),
)

pages = Table(
    "pages",
    metadata,
    Column("url", String, primary_key=True),  # canonical
    Column("fetched_at", Moment, nullable=False),
    Column("blurb", Text, nullable=False),  # empty, as are the others, if the page says nothing
    Column("image", JSON),
    Column("pictures", JSON, nullable=False),
)

pictures = Table(
    "pictures",
    metadata,
    Column("url", String, primary_key=True),  # of a picture, or of the page of a post
    Column("checked_at", Moment, nullable=False),
    Column("answered", Boolean, nullable=False),  # False: nothing is known but that there was no answer
    Column("reason", String, nullable=False),  # why it cannot be a story's picture; empty if it can
    Column("width", Integer),  # as the camera was held
    Column("height", Integer),
    Column("shown", Boolean, nullable=False),  # mail programs can show the picture itself
    Column("copy", String),  # the hash in picture_copies
    Column("copy_width", Integer),
    Column("copy_height", Integer),
    Column("leads_to", String),  # of a page: the picture that it names
    Index("ix_pictures_copy", "copy"),
    Index("ix_pictures_checked_at", "checked_at"),
    Index("ix_pictures_leads_to", "leads_to"),
)

link_answers = Table(
    "link_answers",
    metadata,
    Column("url", String, primary_key=True),  # of a link or a picture in an edition
    Column("checked_at", Moment, nullable=False),
    Column("problem", String, nullable=False),  # why readers find no page; empty if they find one
    Column("leads_to", String, nullable=False),  # after redirects; empty: nowhere else
    Column("answered", Boolean, nullable=False),  # False: nothing is known
    Index("ix_link_answers_checked_at", "checked_at"),
)

spam_scores = Table(
    "spam_scores",
    metadata,
    Column("hash", String, primary_key=True),  # of an edition's snapshot
    Column("checked_at", Moment, nullable=False),
    Column("score", Float, nullable=False),  # points of SpamAssassin
    Column("rules", JSON, nullable=False),  # names, each with its points
)

picture_copies = Table(
    "picture_copies",
    metadata,
    Column("hash", String, primary_key=True),  # SHA-256 of `large`
    Column("large", LargeBinary, nullable=False),  # JPEG, as all copies
    Column("small", LargeBinary, nullable=False),
    Column("made_at", Moment, nullable=False),  # or last used
    Index("ix_picture_copies_made_at", "made_at"),
)

brand_files = Table(
    "brand_files",
    metadata,
    Column("name", String, primary_key=True),  # "….png": SHA-256 of the body, and its kind
    Column("body", LargeBinary, nullable=False),
)

editions = Table(
    "editions",
    metadata,
    Column("id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("local_date", Date, nullable=False),
    Column("frequency", String, nullable=False, server_default="each"),  # subscribers.model.Frequency
    Column("number", Integer, nullable=False, server_default="0"),  # among those of its digest and frequency
    Column("state", String, nullable=False),
    Column("cutoff_at", Moment, nullable=False),
    Column("send_at", Moment, nullable=False),
    Column("snapshot", Text, nullable=False),  # canonical JSON
    Column("hash", String, nullable=False),
    Column("base", Text),  # the snapshot without the edits; null: there are none
    # [slug, title, stories] of each section, from the snapshot; empty in editions of earlier versions.
    Column("sections", JSON),
    Column("reason", String, nullable=False, server_default=""),
    Column("approved_by", String),
    Column("approved_at", Moment),
    Column("look", String),  # the hash of what its approval covers; it is sent with this look and no other
    Column("voided_at", Moment),  # when its last approval became void, if it was not approved again
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("paused_at", Moment),  # if set, nothing of the edition is sent, whatever its state
    # True: deliveries without a due time may be queued. False: none are.
    Column("at_once", Boolean, nullable=False, server_default=false()),
    Index("ix_editions_digest", "digest", "local_date"),
    Index("ix_editions_state", "state", "send_at"),
)

# Append-only. `operation` is an object of digest.compose.edits.operations.
edits = Table(
    "edits",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("operation", JSON, nullable=False),
    Column("hash", String),  # of the snapshot with this edit and those saved with it; null: not known
)

# Append-only: what has happened to an edition besides its edits.
steps = Table(
    "steps",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("kind", String, nullable=False),  # digest.model.editions.StepKind
    Column("at", Moment, nullable=False),
    Column("by", String, nullable=False, server_default=""),  # empty: the program
    Column("detail", String, nullable=False, server_default=""),
    Column("edits", Integer, nullable=False),  # how many the edition had
    Column("hash", String, nullable=False),  # of the snapshot, after the step
    Column("look", String),
    Column("base", Text),  # the base that this step has replaced; null: it has the same base as before
)

# Append-only. They are about an edition and never a part of it.
comments = Table(
    "comments",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("story", String),  # the id of its first post; null: about the whole edition
    Column("answers", Integer),  # the number of an earlier comment
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("text", Text, nullable=False),
)

# Append-only. They stand on the web copy of an edition that has been sent, whose snapshot stays as it is.
corrections = Table(
    "corrections",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("by", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("text", Text, nullable=False),  # Markdown
)

# Who is looking at an edition on the desk. A row counts for a minute.
presences = Table(
    "presences",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("person", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("place", String, nullable=False, server_default=""),  # of a story or a topic
    Column("unsaved", Boolean, nullable=False, server_default=false()),  # with text that is not saved
    Column("seen_at", Moment, nullable=False),
    Index("ix_presences_seen_at", "seen_at"),
)

looks = Table(
    "looks",
    metadata,
    Column("hash", String, primary_key=True),  # SHA-256 of the content
    Column("content", Text, nullable=False),  # canonical JSON; see digest.message.look
)

template_sources = Table(
    "template_sources",
    metadata,
    Column("hash", String, primary_key=True),  # SHA-256 of the source, which many looks share
    Column("source", Text, nullable=False),
)

gatherings = Table(
    "gatherings",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),  # the gathered part
    Column("frequency", String, primary_key=True),  # part of the key: gathered once for each frequency
    Column("gathered_in", String, ForeignKey("editions.id"), nullable=False),
    Index("ix_gatherings_gathered_in", "gathered_in"),
)

digest_posts = Table(
    "digest_posts",
    metadata,
    Column("digest", String, primary_key=True),
    Column("post_id", String, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("state", String, nullable=False),  # digest.model.posts.PostState
    Column("edition_id", String, ForeignKey("editions.id")),
    Column("reason", String, nullable=False, server_default=""),
    Column("changed_at", Moment, nullable=False),
    Column("held_until", Moment),  # only if held or deferred: it waits from then on
    Index("ix_digest_posts_state", "digest", "state"),
)

occurrences = Table(
    "occurrences",
    metadata,
    Column("schedule", String, primary_key=True),  # "compose:daily"
    Column("local_date", Date, primary_key=True),
    Column("due_at", Moment, nullable=False),
    Column("done_at", Moment, nullable=False),
    Column("outcome", String, nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("schedule", String, primary_key=True),  # as in occurrences
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1; of two writers, one conflicts
    Column("rule", String),  # see digest.schedule.seen
    Column("seen_at", Moment, nullable=False),
)

# The states that a sender may claim. The values are written out and not bound as parameters, so that the
# planner can estimate how few rows match.
SENDABLE = text("deliveries.state IN ('queued', 'deferred')")

deliveries = Table(
    "deliveries",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("subscriber_id", Key, primary_key=True, autoincrement=False),
    Column("variant", String, nullable=False),  # the reader's choice of topics when addressed
    Column("state", String, nullable=False),  # digest.model.deliveries.DeliveryState
    Column("due_at", Moment),  # empty: goes at once if it is queued, or is settled
    Column("owner", String),  # only if uncertain: the sender that had it on the wire
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("code", Integer),
    Column("reply", String, nullable=False, server_default=""),
    Column("changed_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
_DUE = Index("ix_deliveries_due", *deliveries.c["edition_id", "due_at", "subscriber_id"])
_DUE.dialect_options["sqlite"]["where"] = deliveries.c.due_at.is_not(None)


@event.listens_for(deliveries, "before_create")
def _spell_for_postgresql(_table: Table, connection: Connection, **_: object) -> None:
    """Make the index partial on PostgreSQL too, but only there.

    An option in the Index itself would load the dialect of PostgreSQL everywhere, which takes 2 MB.
    """
    if connection.dialect.name == "postgresql":
        _DUE.dialect_options["postgresql"]["where"] = deliveries.c.due_at.is_not(None)


# What pages show of editions that have ended, because counting a large edition takes a second.
tallies = Table(
    "tallies",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("tally", JSON, nullable=False),  # see digest.storage.ledger.tallies
)

# Claims and marks are kept here and not in the rows of deliveries, so that a page or a group is claimed or
# marked by writing one row.
senders = Table(
    "senders",
    metadata,
    Column("edition_id", String, ForeignKey("editions.id"), primary_key=True),
    Column("owner", String, primary_key=True),  # see digest.storage.ledger.owner
    Column("lease_until", Moment, nullable=False),
    Column("claimed", LargeBinary, nullable=False),  # ids, see digest.storage.ledger.senders
    Column("wire", LargeBinary, nullable=False),  # ids of deliveries it may have written to a server
)

meters = Table(
    "meters",
    metadata,
    Column("scope", String, primary_key=True),  # "server smtp.example.org", "domain gmail.com"
    Column("buckets", JSON, nullable=False),  # by the unit of their limit; see digest.limits.buckets
    Column("share", Integer),  # percent of the full pace when last slowed; empty if never slowed
    Column("slowed_at", Moment),  # the last time
    Column("slowed_since", Moment),  # when it last had its full pace
    Column("reason", String, nullable=False, server_default=""),  # the reply that slowed it
    Column("changed_at", Moment, nullable=False),
)

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("key", String, primary_key=True),  # "links": the key that signs readers' links
    Column("fingerprint", String, nullable=False),  # see digest.storage.fingerprints
)

renamed = Table(
    "renamed",
    metadata,
    Column("old", String, primary_key=True),  # a slug in links that were mailed before
    Column("new", String, nullable=False),  # the present slug of that digest
)

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
    Column("removed_at", Moment),  # its row stays, because the audit trail names it
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    Column("hash", String, primary_key=True),  # of the cookie, which is not kept
    Column("person_id", String, ForeignKey("staff.id"), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("client", String, nullable=False),  # its network, for the person who looks at the list
    Column("browser", String, nullable=False),  # "Firefox on Linux", for the same purpose
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

# What each person of the staff was told, once for each occasion; its message is in `notices`.
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
