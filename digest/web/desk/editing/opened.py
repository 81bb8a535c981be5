"""The form that is open in the page of an edition, and the words that it is shown with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from digest.compose.edits.operations import Part
from digest.editions.edits.desk import DeskFacts
from digest.editions.edits.edits import pictures_of, posts_of
from digest.editions.edits.galley import marked
from digest.model.editions import Edition, Story
from digest.web.staff.context import StaffContext

# The forms that the page opens in place, each by the name of its query parameter.
OPEN = ("edit", "note", "picture", "merge", "split", "heading", "words")
WORDS = (
    ("introduction", "Introduction"),
    ("subject", "Subject"),
    ("preheader", "Preheader"),
    ("sponsor", "Sponsor"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The form that is open in the page: its kind, and the story, topic or words that it is about."""

    kind: str = ""
    subject: str = ""


def form_values(context: StaffContext, facts: DeskFacts, opened: Opened) -> Mapping[str, object]:
    """Return the values of the form that is open: the present words, and those of the source."""
    edition = facts.edited.applied.edition
    story = next((each for each in edition.stories() if each.id == opened.subject), None)
    match opened.kind:
        case "edit" if story:
            return _source_values(facts, story)
        case "picture" if story:
            return {"pictures": pictures_of(context.app.database, story.id)}
        case "split" if story:
            return {"posts": posts_of(context.app.database, facts.edited, story.id)[1:]}
        case "words":
            return _words_values(edition, opened.subject)
    return {}


def _source_values(facts: DeskFacts, story: Story) -> dict[str, object]:
    """Return the words of the source beside those of the edition; what has changed since is marked."""
    base = facts.edited.applied.sources.get(story.id, story)
    change = next((each for each in facts.changes if each.before.id == story.id), None)
    now = change.story if change and not change.gone else base
    return {
        "source": {part.value: getattr(now, part.value) for part in Part},
        "marked": {part.value: marked(getattr(now, part.value), getattr(base, part.value)) for part in Part},
        "changed": now != base,
    }


def _words_values(edition: Edition, subject: str) -> dict[str, object]:
    texts = {
        "introduction": edition.introduction,
        "subject": edition.subject_template,
        "preheader": edition.preheader_template,
    }
    return {"text": texts.get(subject, ""), "sponsor": edition.sponsor}
