"""Take what has happened to posts into editions: corrections, posts that are dropped, and another brand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from digest.compose.edits.apply import fates
from digest.compose.revise import StoryChange, changes_of, revised, without_posts
from digest.config import Config
from digest.config.parts import Parts
from digest.editions.compose import picture_time, settle_posts
from digest.editions.edits.edited import EditedEdition, rebased, with_edits
from digest.editions.edits.edits import Change, leaving, locked, save
from digest.editions.feeds import named_posts
from digest.model.editions import EditionRecord, StepCause
from digest.model.errors import StateError
from digest.model.posts import BY_EDITOR
from digest.storage.database import Connection, Database
from digest.storage.editions.records import load_edition
from digest.storage.intake.decide import drop_posts, editions_with, posts_by_id

_VOID = "its stories have changed since it was approved"
_VOID_SITE = "the publisher's name, address or brand has changed since it was approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The result of a decision: the number of posts, and the drafts from which stories were taken out."""

    posts: int
    revised: tuple[str, ...] = ()


def drop(database: Database, config: Config, names: Sequence[str], now: datetime) -> Decided:
    """Drop posts, and take their stories out of editions that have not begun to be sent.

    The names are those of `digest.editions.feeds.keep`. An edition that is changed is a draft again. Raises
    NotFoundError, and StateError if an edition would have no story left.
    """
    with database.write() as connection:
        ids = named_posts(connection, config, names)
        changed: list[str] = []
        for edition_id in editions_with(connection, ids):
            if load_edition(connection, edition_id).is_ahead:
                edited = locked(connection, edition_id)
                changes = without_posts(edited.base, ids, BY_EDITOR)
                _change(connection, edited, changes, StepCause(at=now, why="took dropped posts out of it"))
                changed.append(edition_id)
        taken_out = drop_posts(connection, ids, now)
        return Decided(posts=taken_out, revised=tuple(changed))


def changes_since(database: Database, record: EditionRecord) -> tuple[StoryChange, ...]:
    """Return what has happened to the posts of an edition that has not begun to be sent."""
    if not record.is_ahead:
        return ()
    with database.read() as connection:
        return _changes(connection, with_edits(connection, record))


def changes_text(parts: Parts, record: EditionRecord) -> tuple[str, ...]:
    """Return what `correct` would take into an edition, in words."""
    stories = (change.text for change in changes_since(parts.database, record))
    site = ["[site] or [brand] in config.toml has changed since it was composed"]
    return *stories, *(site if site_has_changed(parts.config, record) else [])


def correct(parts: Parts, edition_id: str, now: datetime, *, by: str = "") -> tuple[StoryChange, ...]:
    """Take the new words of changed posts into the base of an edition, and stories that are gone out of it.

    New pictures are inspected first. The edits are applied again, so an editor's own words stay. The edition
    has another hash then, so its approval is void. Raises StateError if it has begun to be sent, or if no
    story would be left.
    """
    with parts.database.read() as connection:
        known = load_edition(connection, edition_id)
    changed = changes_since(parts.database, known)
    new = [each.story.id for each in changed if each.story.image != each.before.image]
    settle_posts(parts, new, picture_time(), now)
    with parts.database.write() as connection:
        edited = locked(connection, edition_id)
        changes = _changes(connection, edited)
        if changes:
            rebase = StepCause(at=now, by=by, why="took the publishers' corrections into it")
            _change(connection, edited, changes, rebase)
        return changes


def site_has_changed(config: Config, record: EditionRecord) -> bool:
    """Tell whether an edition that has not begun to be sent has another site or brand than config.toml."""
    return record.is_ahead and record.edition.site != config.site


def correct_site(parts: Parts, edition_id: str, now: datetime) -> bool:
    """Give an edition the site and the brand of config.toml; return whether it had others.

    Its approval is void then. Raises StateError if it has begun to be sent.
    """
    with parts.database.write() as connection:
        edited = locked(connection, edition_id)
        changed = edited.base.site != parts.config.site
        if changed:
            after = rebased(edited, replace(edited.base, site=parts.config.site))
            rebase = StepCause(at=now, why="took the site and brand of config.toml into it")
            void = StepCause(at=now, why=_VOID_SITE)
            save(connection, edited, after, Change(void=void, rebase=rebase))
        return changed


def _changes(connection: Connection, edited: EditedEdition) -> tuple[StoryChange, ...]:
    stories = tuple(edited.base.stories())
    ids = {story.id for story in stories} | {each.post_id for story in stories for each in story.coverage}
    return changes_of(edited.base, posts_by_id(connection, ids))


def _change(
    connection: Connection, edited: EditedEdition, changes: Sequence[StoryChange], rebase: StepCause
) -> None:
    base = revised(edited.base, changes)
    if base is None:
        edition_id = edited.record.edition.id
        advice = f"cancel it: digest cancel {edition_id}"
        raise StateError(edition_id, "made of nothing else", "emptied", advice=advice)
    after = rebased(edited, base)
    gone = {change.before.id: change.gone for change in changes if change.gone}
    # The other posts of such a story may carry it into the next edition.
    left = {
        post_id: leaving(base.digest, gone.get(post_id, ""))
        for post_id in fates(edited.applied).keys() - fates(after.applied)
    }
    void = StepCause(at=rebase.at, why=_VOID)
    save(connection, edited, after, Change(void=void, rebase=rebase, left=left))
