"""Look up what an edit needs to know of the posts: the source of a rewrite, the parts of a split story."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from digest.collect.reading.identity import fingerprint, post_id
from digest.compose.edits.operations import Add, Operation, Rewrite, Split
from digest.compose.stories.group import group_of, to_story
from digest.editions.edits.edited import EditedEdition
from digest.model.editions import Edition, Story
from digest.model.links import web_url
from digest.model.posts import DESK, Post, own_key
from digest.storage.database import Connection
from digest.storage.intake.decide import save_own
from digest.storage.posts import posts_with_feed


def completed(connection: Connection, before: EditedEdition, operation: Operation, number: int) -> Operation:
    """Return an operation with all that it needs to be applied again later; `number` is that of its edit."""
    match operation:
        case Rewrite(story=story) if story in before.applied.sources:
            # A later change of the source is noticed by its present text.
            return replace(operation, was=getattr(before.applied.sources[story], operation.part.value))
        case Add():
            own = post_id(DESK, own_key(before.record.edition.id, number))
            texts = {"title": _line(operation.title), "blurb": _line(operation.blurb)}
            url = operation.url and (web_url(operation.url) or operation.url)
            return replace(operation, story=own, url=url or None, **texts)
        case Split():
            return replace(operation, parts=_parts(connection, before, operation))
    return operation


def _line(text: str) -> str:
    return " ".join(text.split())


def _parts(connection: Connection, before: EditedEdition, split: Split) -> tuple[Story, ...]:
    """Return a story for each post that is split off."""
    story = next((each for each in before.applied.edition.stories() if each.id == split.story), None)
    ids = [each for each in story.post_ids if each != story.id] if story else []
    wanted = [each for each in ids if split.post in (None, each)]
    found = posts_with_feed(connection, wanted)
    return tuple(to_story(group_of([found[each]]), topic="", rule="") for each in wanted if each in found)


def save_post(connection: Connection, edition: Edition, number: int, add: Add, now: datetime) -> None:
    """Save an editor's own story as a post that waits in the digest, until the edition reserves it."""
    post = Post(
        id=add.story,
        feed_id=DESK,
        key=own_key(edition.id, number),
        title=add.title,
        blurb=add.blurb,
        url=add.url,
        first_seen_at=now,
        fingerprint="",
    )
    save_own(connection, replace(post, fingerprint=fingerprint(post)), edition.digest, now)
