"""Store a fingerprint of the key that signs readers' links, so that a lost or exchanged key is noticed."""

from __future__ import annotations

import hmac
from datetime import datetime

from sqlalchemy import Connection, func, select

from digest.storage.tables.links import fingerprints
from subscribers.store.tables import subscribers, upsert

_KEY = "links"


def fingerprint(secret: bytes) -> str:
    """Return a text that tells whether two secrets are the same; the secret cannot be computed from it."""
    return hmac.digest(secret, b"fingerprint", "sha256").hex()


def known_fingerprint(connection: Connection) -> str | None:
    """Return the fingerprint of the key that was used first; None if none was recorded."""
    found = select(fingerprints.c.fingerprint).where(fingerprints.c.key == _KEY)
    return connection.execute(found).scalar_one_or_none()


def note_fingerprint(connection: Connection, fingerprint: str) -> str:
    """Record a fingerprint unless another is recorded, and return the recorded one."""
    row = {"key": _KEY, "fingerprint": fingerprint}
    connection.execute(upsert(connection, fingerprints).values(row).on_conflict_do_nothing())
    return known_fingerprint(connection) or fingerprint


def has_readers(connection: Connection) -> bool:
    """Tell whether anybody has ever been on the list and was not erased."""
    return connection.execute(select(subscribers.c.id).limit(1)).first() is not None


def latest_reader(connection: Connection) -> datetime | None:
    """Return when a reader was last added to the list; None if there is none."""
    latest: datetime | None = connection.scalar(select(func.max(subscribers.c.created_at)))
    return latest
