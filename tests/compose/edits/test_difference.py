"""The difference of two snapshots in words: nothing that differs is left out, and nothing else is told."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import Any

from hypothesis import given, settings

from digest.compose.edits.difference import differences
from digest.compose.edits.operations import (
    Advertise,
    Drop,
    Introduce,
    MakeLead,
    Move,
    Note,
    Operation,
    Part,
    Picture,
    Retitle,
    Rewrite,
    Subject,
)
from digest.model.editions import Edition, Every, Story
from digest.model.publication import Sponsor
from tests.compose.edits.test_apply import apply_all, base_edition, bases, lists


@given(bases, lists, lists)
@settings(max_examples=60)
def test_two_editions_have_no_difference_exactly_if_they_are_equal(
    base: Edition, first: list[Operation], second: list[Operation]
) -> None:
    before, after = apply_all(base, *first), apply_all(base, *second)
    assert (differences(before, after) == ()) is (before == after)
    told = [each.text for each in differences(before, after)]
    # What was added one way was taken out the other way.
    there, back = ({each.id for each in edition.stories()} for edition in (before, after))
    assert sum(" was added" in text for text in told if text.startswith("“")) == len(back - there)
    assert sum(" was taken out" in text for text in told) == len(there - back)


def said(before: Edition, after: Edition) -> list[tuple[str, str, str]]:
    return [(each.text, each.before, each.after) for each in differences(before, after)]


def test_each_kind_of_change_is_said_in_words_with_both_texts() -> None:
    base = replace(base_edition(), introduction="", sponsor=None)
    sponsor = Sponsor(name="Quay Books", text="Maps", url="https://quay.example.org/")
    after = apply_all(
        base,
        Drop(story="story-8"),
        Move(story="story-1", topic="town"),
        MakeLead(story="story-4"),
        Rewrite(story="story-2", part=Part.TITLE, text="The ferry is back"),
        Rewrite(story="story-2", part=Part.BLURB, text=""),
        Picture(story="story-7", image=None),
        Note(story="story-7", text="From *our* archive."),
        Introduce(text="Good morning."),
        Advertise(sponsor=sponsor),
        Subject(text="Ferries"),
        Retitle(topic="sea", title="Sea and shore"),
    )
    assert said(base, after) == [
        ("“story-8” was taken out.", "", ""),
        ("“story-4” became the lead.", "", ""),
        ("“story-0” was moved to Sea and shore, and leads no more.", "", ""),
        ("“story-1” was moved to Town.", "", ""),
        ("“story-5” is now shown in full.", "", ""),
        ("The headline of “story-2” was rewritten.", "story-2", "The ferry is back"),
        ("The text of “story-2” was removed.", "Calm.", ""),
        ("The note of “story-7” was added.", "", "From *our* archive."),
        ("The title of a topic was rewritten.", "Sea", "Sea and shore"),
        ("The subject was rewritten.", base.subject_template, "Ferries"),
        ("The introduction was added.", "", "Good morning."),
        ("The sponsor was added.", "", "Quay Books · Maps · https://quay.example.org/"),
    ]
    assert ("“story-8” was added under More.", "", "") in said(after, base)


def test_as_few_moves_as_possible_explain_another_order() -> None:
    base = base_edition(more=False)
    after = apply_all(base, Move(story="story-3", topic="town"))
    assert said(base, after) == [("“story-3” was moved within Town: it is now number 3.", "", "")]
    cut = base_edition(more=True)
    assert said(cut, apply_all(cut, Move(story="story-3", topic="town"))) == [
        ("“story-5” is now shown in full.", "", ""),
        ("“story-3” was moved within Town: it is now number 3.", "", ""),
    ]


def test_no_field_of_an_edition_or_a_story_changes_in_silence() -> None:
    base = base_edition()
    known: dict[str, Any] = {
        "local_date": date(2026, 12, 1),
        "number": 7,
        "sponsor": None,
        "every": Every.WEEK,
        "style": "links",
    }
    arranged = ("lead", "sections", "headings")
    for name in [each.name for each in fields(Edition) if each.name not in arranged]:
        changed: dict[str, Any] = {name: known.get(name, f"{getattr(base, name)}?")}
        assert differences(base, replace(base, **changed)), name
    assert base.lead
    for name in [each.name for each in fields(Story)]:
        changed = {name: f"{getattr(base.lead, name)}?"}
        assert differences(base, replace(base, lead=replace(base.lead, **changed))), name
