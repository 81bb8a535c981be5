"""Join the stories of several feeds that report one happening; every headline stays visible.

This match is broad, because it hides nothing: the version that serves a reader best is shown, and the
others are listed under it with their headlines and links. Two stories are versions of one if they come from
different feeds, are at most three days apart, and are alike (see `digest.compose.stories.likeness`). The
likest are joined first. A further version must be near the average of those that are there, so that chains
of stories do not form, and each feed has one version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from digest.compose.stories.group import Group, newest_first, versions_of
from digest.compose.stories.likeness import Likeness
from digest.model.posts import WaitingPost

ALIKE = 0.23
NEAR = 0.6  # of that, on average, to the versions that are there
APART = timedelta(days=3)
_MOST = 30  # versions


def cover(groups: Sequence[Group], around: Iterable[WaitingPost], language: str) -> tuple[Group, ...]:
    """Return the stories with their versions from other feeds, the newest first.

    `around` are other posts of the last days, which show how rare a word is. `language` is that of posts
    which do not name theirs. The order of `groups` and `around` does not matter.
    """
    ordered = sorted(groups, key=newest_first)
    likeness = Likeness([group.posts[0] for group in ordered], around, language)
    versions = _Versions(ordered, likeness)
    alike = {pair: likeness.of(*pair) for pair in likeness.candidates() if versions.may_be_one(*pair)}
    likest = sorted((-near, pair) for pair, near in alike.items() if near >= ALIKE)
    for _, (one, other) in likest:
        versions.join(one, other)
    return tuple(sorted(map(versions_of, versions.sets()), key=newest_first))


class _Versions:
    """Sets of stories, each by its place; in the beginning, each story is a set of its own."""

    def __init__(self, groups: Sequence[Group], likeness: Likeness) -> None:
        self._groups = groups
        self._likeness = likeness
        self._feeds = [frozenset(group.feeds) for group in groups]  # thousands of pairs are compared
        self._times = [group.at for group in groups]
        self._sets = [[place] for place in range(len(groups))]  # stories of one set share its list

    def may_be_one(self, one: int, other: int) -> bool:
        """Return whether two stories come from different feeds within three days."""
        near = abs(self._times[one] - self._times[other]) <= APART
        return near and self._feeds[one].isdisjoint(self._feeds[other])

    def join(self, one: int, other: int) -> None:
        """Make one set of those of two stories, unless it would not hold together."""
        mine, yours = self._sets[one], self._sets[other]
        if mine is yours or len(mine) + len(yours) > _MOST:
            return
        pairs = [(left, right) for left in mine for right in yours]
        if not all(self.may_be_one(*pair) for pair in pairs):
            return
        if sum(self._likeness.of(*pair) for pair in pairs) >= NEAR * ALIKE * len(pairs):
            mine += yours
            for place in yours:
                self._sets[place] = mine

    def sets(self) -> list[list[Group]]:
        """Return the sets."""
        return [
            [self._groups[place] for place in members]
            for first, members in enumerate(self._sets)
            if members[0] == first
        ]
