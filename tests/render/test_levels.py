"""The number of stories in an email decides the level of each, and no topic consists of briefs only."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.editions import Edition, Section
from digest.model.posts import Image
from digest.model.publication import Style
from digest.render.levels import ABOUT, MOST, PER_TOPIC, Level, beginning, levels_of
from digest.render.sample import sample_edition

_Topic = tuple[list[bool], int]  # which stories have a picture, and the number of stories beyond its quota
_TOPICS = st.lists(st.tuples(st.lists(st.booleans(), max_size=9), st.integers(0, 3)), max_size=6)


def edition(topics: list[_Topic], *, led: bool = True, style: Style = Style.NEWSPAPER) -> Edition:
    sample, number = sample_edition(), count()
    assert sample.lead
    story = sample.lead

    def section(at: int, pictures: list[bool], more: int) -> Section:
        stories = [
            replace(story, id=f"{next(number)}", topic=f"t{at}", image=story.image if pictured else None)
            for pictured in (*pictures, *(True for _ in range(more)))
        ]
        cut = len(pictures)
        return Section(slug=f"t{at}", title=f"T{at}", stories=tuple(stories[:cut]), more=tuple(stories[cut:]))

    sections = (section(at, *topic) for at, topic in enumerate(topics) if topic[0] or topic[1])
    return replace(sample, lead=story if led else None, sections=tuple(sections), style=style)


def counted(of: Edition) -> tuple[int, int, int]:
    """Return the numbers of features, stories and briefs."""
    levels = [level for section in levels_of(of) for level in section]
    features, stories, briefs = (levels.count(each) for each in (Level.FEATURE, Level.STORY, Level.BRIEF))
    return features, stories, briefs


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        ([([True], 0), ([True], 0)], (2, 0, 0)),
        ([([False], 0), ([True], 0)], (2, 0, 0)),
        ([([True] * 3, 0), ([True] * 3, 0)], (2, 4, 0)),
        ([([False] * 3, 0), ([False] * 3, 0)], (0, 6, 0)),
        ([([True] * 4, 0), ([True] * 4, 0)], (2, 6, 0)),
        ([([True] * 9, 0), ([True] * 9, 0)], (2, 6, 10)),
        ([([True] * 13, 0), ([True] * 7, 0), ([True] * 4, 0), ([False] * 3, 0)], (4, 9, 14)),
    ],
)
def test_the_numbers_are_those_of_the_table(topics: list[_Topic], expected: tuple[int, int, int]) -> None:
    assert counted(edition(topics)) == expected


def test_a_story_alone_is_the_lead_of_its_email() -> None:
    assert levels_of(edition([([False], 0)], led=False)) == ((Level.LEAD,),)


def test_each_style_has_levels_of_its_own() -> None:
    topics: list[_Topic] = [([True] * 9, 0), ([True] * 8, 2), ([False] * 4, 0)]
    assert counted(edition(topics, style=Style.LINKS)) == (0, 0, 23)
    brief = levels_of(edition(topics, style=Style.BRIEF))
    assert [section.count(Level.STORY) for section in brief] == [5, 5, 3]


@given(topics=_TOPICS, led=st.booleans(), style=st.sampled_from(Style))
def test_levels_of_any_edition_keep_the_rules(topics: list[_Topic], led: bool, style: Style) -> None:
    of = edition(topics, led=led, style=style)
    total = sum(1 for _ in of.stories())
    levels = levels_of(of)
    assert [len(section.stories) + len(section.more) for section in of.sections] == [*map(len, levels)]
    for section, own in zip(of.sections, levels, strict=True):
        shown = len(own) - own.count(Level.BRIEF)
        assert Level.BRIEF not in own[:shown], "briefs stand at the end of their topic"
        assert shown <= len(section.stories) or total == 1, "stories beyond the quota are briefs"
        assert style is Style.LINKS or shown > 0 or not section.stories
        features = [at for at, level in enumerate(own) if level is Level.FEATURE]
        assert total <= 3 or len(features) <= PER_TOPIC
        assert total <= 3 or all(section.stories[at].image for at in features)
        assert not features or style is Style.NEWSPAPER


def test_a_small_picture_makes_no_feature() -> None:
    of = edition([([True] * 6, 0)])
    small = replace(of.sections[0].stories[0], image=Image(url="https://images.example.org/s.png", width=90))
    first = replace(of.sections[0], stories=(small, *of.sections[0].stories[1:]))
    assert levels_of(replace(of, sections=(first,)))[0][:4] == (
        *(Level.STORY, Level.FEATURE, Level.FEATURE, Level.STORY),
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (
            "The tide is out. Dr. Reyes walks to the island.",
            "The tide is out. Dr. Reyes walks to the island.",
        ),
        ("A first sentence. " + "A long second one " * 10, "A first sentence."),
        ("潮が引いた。" * 40, "潮が引いた。" * (ABOUT // 6)),
    ],
)
def test_a_text_is_shortened_to_whole_sentences(text: str, shown: str) -> None:
    assert beginning(text) == shown


@given(text=st.text("ab .!“”", max_size=400), most=st.integers(0, 2))
def test_a_shortened_text_is_the_beginning_of_the_text(text: str, most: int) -> None:
    line = " ".join(text.split())
    shown = beginning(line, most)
    assert len(shown) <= MOST
    assert line.startswith(shown.removesuffix("…"))
