"""Keep the looks of editions, so that an edition is sent with the templates and words that were approved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from digest.model.errors import DamagedError
from digest.storage.tables.editions import looks, template_sources
from subscribers.store.tables import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLook:
    """A look as it is stored: its canonical JSON, which names each template's source by its hash."""

    hash: str
    content: str
    sources: Mapping[str, str]  # by hash


def keep_look(connection: Connection, look: KeptLook) -> None:
    """Store a look unless it is stored already. A source that many looks share is stored once."""
    for table, name, texts in (
        (template_sources, "source", look.sources),
        (looks, "content", {look.hash: look.content}),
    ):
        rows = [{"hash": key, name: text} for key, text in sorted(texts.items())]
        connection.execute(upsert(connection, table).values(rows).on_conflict_do_nothing())


def kept_look(connection: Connection, edition_id: str, look_hash: str) -> KeptLook:
    """Return the look of an edition. Raises DamagedError if it is missing or was changed."""
    content = connection.scalar(select(looks.c.content).where(looks.c.hash == look_hash))
    if content is None or _hash(content) != look_hash:
        raise DamagedError(edition_id, "the templates and words that were approved are not there any more")
    wanted = set(json.loads(content)["templates"].values())
    of_look = template_sources.c.hash.in_(sorted(wanted))
    rows = connection.execute(select(template_sources.c.hash, template_sources.c.source).where(of_look))
    sources = {row.hash: row.source for row in rows}
    if any(_hash(sources.get(key, "")) != key for key in wanted):
        raise DamagedError(edition_id, "a template that was approved is not there any more")
    return KeptLook(hash=look_hash, content=content, sources=sources)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
