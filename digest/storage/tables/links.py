"""The tables that keep mailed links working: the key that signs them, and slugs of earlier times."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from subscribers.store.tables import metadata

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
