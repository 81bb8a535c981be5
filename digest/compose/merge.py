"""Merge the editions of a digest that wait past their send time into one, so that readers get one message.

The merged edition is gathered from the snapshots of the others, as a weekly edition is: each story once, and
stories over the maximum as headlines. It is a draft with the date, send time and number of the newest. If
even the headlines do not fit into an email, the newest editions stay as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.compose.gather import GatherInput, fitting
from digest.compose.plan import edition_name
from digest.compose.topics import free_slug
from digest.model.editions import Due, Edition, EditionRecord
from digest.model.errors import MergeError
from digest.model.publication import Digest, Site, Topic
from digest.storage.database import Connection, Database
from digest.storage.editions.drafts import lock_digest, replace_editions, taken_ids
from digest.storage.editions.due import due_editions
from digest.storage.editions.records import usable_editions
from digest.storage.occurrences import hand_dates_over
from subscribers.model import Frequency

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeInput:
    """The input for one merge: the editions that wait, oldest first, and the rules for their stories."""

    waiting: Sequence[EditionRecord]
    digest: Digest
    site: Site
    topics: Sequence[Topic] = ()  # all configured topics, in the order of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The merged edition, the ids of the editions that it replaces, and of those that did not fit into it."""

    record: EditionRecord
    replaced: tuple[str, ...]
    left: tuple[str, ...] = ()


def waiting_editions(connection: Connection, digest: str, now: datetime) -> tuple[EditionRecord, ...]:
    """Return the editions of a digest that could begin to be sent once they are approved, oldest first.

    Their send time has passed. A paused edition is not among them, because somebody has stopped it, nor is a
    gathered one, because it has other readers, nor a damaged one.
    """
    ids = [edition_id for edition_id, slug in due_editions(connection, now) if slug == digest]
    return tuple(
        each
        for each in usable_editions(connection, ids)
        if each.is_ahead and each.frequency is Frequency.EACH and not each.paused_at
    )


def merge(
    database: Database,
    merge_input: MergeInput,
    *,
    now: datetime,
    fits: Callable[[Edition], bool] = lambda _: True,
) -> Merged:
    """Merge the editions that wait into one draft.

        with no transaction open:
            gather                          → an edition that fits into an email, and the editions in it
        in one write transaction, the only one for this digest:
            one of the editions has changed, or has begun to be sent?  → MergeError, and nothing changes
            save the draft, give it the posts that they reserve and their dates, skip them

    Raises MergeError if there are fewer than two editions, or if no two of them fit into one email.
    """
    _require_two(merge_input)
    with database.read() as connection:
        taken = _taken(connection, merge_input)
    edition, parts = _plan(merge_input, taken, fits)
    ids = tuple(each.edition.id for each in parts)
    with database.write() as connection:
        lock_digest(connection, merge_input.digest.slug)
        name = free_slug(_name(merge_input), _taken(connection, merge_input))
        edition = replace(edition, id=name, number=parts[-1].edition.number)
        record = replace_editions(connection, parts, edition, now)
        hand_dates_over(connection, ids, edition.id)
    log.info("%s: merged from %s", record.edition.id, ", ".join(ids))
    left = merge_input.waiting[len(parts) :]
    return Merged(record=record, replaced=ids, left=tuple(each.edition.id for each in left))


def _require_two(merge_input: MergeInput) -> None:
    slug, waiting = merge_input.digest.slug, merge_input.waiting
    if not waiting:
        raise MergeError(f"no edition of {slug} waits past its send time, so there is nothing to merge")
    if len(waiting) == 1:
        only = waiting[0].edition.id
        raise MergeError(f"only {only} waits past its send time, so there is nothing to merge it with")


def _plan(
    merge_input: MergeInput, taken: frozenset[str], fits: Callable[[Edition], bool]
) -> tuple[Edition, Sequence[EditionRecord]]:
    """Return the fullest edition that fits into one email, and the editions that it is made from."""
    gather_input = GatherInput(
        digest=merge_input.digest,
        site=merge_input.site,
        due=_due(merge_input),
        frequency=Frequency.EACH,
        title=merge_input.digest.title,
        topics=merge_input.topics,
        taken=taken,
    )
    every = [each.edition for each in merge_input.waiting]
    edition, gathered = fitting(every, gather_input, fits)
    if edition is None or len(gathered) < 2:
        raise MergeError(
            f"no two of the {len(every)} editions fit into one email together, so all stay as they are"
        )
    return edition, merge_input.waiting[: len(gathered)]


def _due(merge_input: MergeInput) -> Due:
    # The date is that of an edition and not that of the merge. Otherwise today's edition would not be
    # composed, because a date has one open edition.
    newest = merge_input.waiting[-1].edition
    return Due(local_date=newest.local_date, cutoff_at=newest.cutoff_at, send_at=newest.send_at)


def _name(merge_input: MergeInput) -> str:
    return edition_name(merge_input.digest, _due(merge_input))


def _taken(connection: Connection, merge_input: MergeInput) -> frozenset[str]:
    return taken_ids(connection, _name(merge_input))
