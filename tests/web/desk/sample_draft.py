"""A draft of the sample edition, and its readers."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from digest.compose.edits.operations import Operation
from digest.editions.edits.edits import Editor, edit, read_edits
from digest.model.editions import Edition
from digest.readers.subscribers import add_reader, requested
from digest.render.sample import sample_edition
from digest.storage.editions.drafts import insert_edition
from subscribers.store.tables import subscribers
from tests.web.staff.newsroom import Newsroom

DRAFT = "daily-draft"


def put_draft(desk: Newsroom) -> Edition:
    """Store a draft of the daily digest whose send time has come."""
    now = desk.clock()
    edition = replace(
        sample_edition(), id=DRAFT, digest="daily", cutoff_at=now, send_at=now, site=desk.app.config.site
    )
    with desk.app.database.write() as connection:
        insert_edition(connection, edition)
    return edition


def change(desk: Newsroom, *operations: Operation, by: str = "Maren Kolb") -> None:
    """Edit the draft."""
    seen = len(read_edits(desk.app.database, DRAFT).edits)
    edit(desk.app.database, DRAFT, operations, Editor(name=by, seen=seen, now=desk.clock()))


def put_reader(desk: Newsroom, address: str, topics: str = "", hour: str = "", **fields: str) -> None:
    """Put a reader of the daily digest on the list; `fields` are columns of the reader."""
    wanted = [requested("daily", topics=topics, hour=hour, zone="")]
    add_reader(desk.app, address, wanted, source="test", now=desk.clock())
    if fields:
        with desk.app.database.write() as connection:
            of_address = subscribers.c.folded == address
            connection.execute(update(subscribers).where(of_address).values(**fields))
