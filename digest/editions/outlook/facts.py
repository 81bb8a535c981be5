"""Read what the sentence about an edition needs: who writes, the staff's copies, and trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from digest.config import Config
from digest.editions.approval import given_so_far
from digest.editions.outlook.phases import Outlook
from digest.editions.outlook.words import first_name
from digest.model.editions import EditionState
from digest.storage.database import Connection
from digest.storage.edits.desk import Presence, presences_in
from digest.storage.reports import trouble_of
from digest.storage.staff.notices import copies_of

PRESENT = timedelta(minutes=1)  # after the last sign of them, people count as gone


def with_facts(connection: Connection, config: Config, outlook: Outlook, now: datetime) -> Outlook:
    """Return an outlook with all that the database knows of what holds its edition up."""
    record, edition_id = outlook.record, outlook.record.edition.id
    if not (record.is_ahead or record.state is EditionState.SENDING):
        return outlook
    has_copies = record.is_ahead and outlook.digest is not None and outlook.digest.head_start
    given, missing = given_so_far(connection, config, record)
    return replace(
        outlook,
        given=given,
        missing=missing,
        writer=writer_among(presences_in(connection, edition_id, now - PRESENT)),
        copies=copies_of(connection, edition_id) if has_copies else (),
        trouble=trouble_of(connection, edition_id),
    )


def writer_among(present: Sequence[Presence]) -> str:
    """Return the first name of the first of these people whose text is not saved."""
    return next((first_name(each.name) for each in present if each.unsaved), "")
