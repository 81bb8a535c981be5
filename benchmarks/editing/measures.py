"""Measure headings against the sections of the publisher, and joined stories against labelled pairs.

Precision and recall count pairs of posts. A pair is *joined* when both posts stand under one heading, and
*right* when the publisher filed both under one section. A post in the rest ("More stories") stands under no
heading: it is in no joined pair, so that the rest costs recall, and cannot cost precision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.editing.labelled import Blog, LabelledPost
from benchmarks.editing.rivals import largest

WINDOW = 25  # posts of one edition
_COVER = 0.85  # of a fair window's posts are under the headings that its labels give
_REST = 0.15  # of the posts at most are in the rest
_FEWEST, _MOST = 3, 8

Headings = Mapping[str, str]  # the heading of a post, by its id; posts in the rest are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Numbers of pairs; scores of several windows are added."""

    right: int = 0  # joined, and filed under one section
    joined: int = 0
    true: int = 0  # filed under one section

    def __add__(self, other: Score) -> Score:
        return Score(
            right=self.right + other.right, joined=self.joined + other.joined, true=self.true + other.true
        )

    @property
    def precision(self) -> float:
        """Return the share of the joined pairs that are right; 0 if no pair is joined."""
        return self.right / self.joined if self.joined else 0.0

    @property
    def recall(self) -> float:
        """Return the share of the true pairs that are joined."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall."""
        return 2 * self.right / (self.joined + self.true) if self.joined + self.true else 0.0


def score(posts: Sequence[LabelledPost], headings: Headings) -> Score:
    """Return the score of `headings` on the posts that have a label."""
    right = joined = true = 0
    for one, other in combinations([post for post in posts if post.sections], 2):
        is_true = not set(one.sections).isdisjoint(other.sections)
        is_joined = headings.get(one.id) is not None and headings.get(one.id) == headings.get(other.id)
        right += is_true and is_joined
        joined += is_joined
        true += is_true
    return Score(right=right, joined=joined, true=true)


def by_label(posts: Sequence[LabelledPost]) -> Headings:
    """Return the headings that the labels themselves give: each post under its first section."""
    return largest({post.id: post.sections[0] for post in posts if post.sections})


def is_well_shaped(posts: Sequence[LabelledPost], headings: Headings) -> bool:
    """Return whether there are three to eight headings, and at most 15 % of the posts in the rest."""
    number = len({headings[post.id] for post in posts if post.id in headings})
    return _FEWEST <= number <= _MOST and rest(posts, headings) <= _REST


def rest(posts: Sequence[LabelledPost], headings: Headings) -> float:
    """Return the share of the posts that stand under no heading."""
    return sum(post.id not in headings for post in posts) / len(posts)


def is_fair(posts: Sequence[LabelledPost]) -> bool:
    """Return whether the labels alone give three to eight headings that cover 85 % of the posts."""
    headings = by_label(posts)
    return _FEWEST <= len(set(headings.values())) <= _MOST and len(headings) >= _COVER * len(posts)


def windows(blog: Blog, step: int = WINDOW) -> list[Blog]:
    """Return the runs of 25 posts, a run beginning `step` posts after the one before."""
    return [blog[start : start + WINDOW] for start in range(0, len(blog) - WINDOW + 1, step)]


def kept(before: Headings, after: Headings, common: Collection[str]) -> float:
    """Return the share of the `common` posts that have the same heading in two editions."""
    return sum(before.get(each) == after.get(each) for each in common) / len(common)
