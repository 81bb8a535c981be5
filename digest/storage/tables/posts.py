"""The tables of posts: the feeds that they come from, and the state of each post in each digest."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from subscribers.store.tables import Moment, metadata

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
