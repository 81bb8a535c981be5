"""The tables of pictures: those of posts, with their copies, and the publisher's own."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table

from subscribers.store.tables import Moment, metadata

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
