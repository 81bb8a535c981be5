"""Posts of newspapers about invented happenings, and the pairs that belong together: see `pairs.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

from benchmarks.editing.labelled import LabelledPost
from benchmarks.editing.publishers import END, tables
from digest.model.tags import slug

_FEEDS = ("Morning Ledger", "Daily Courier", "Metropolis Times", "Open Page", "Harbour Echo")
Pair = frozenset[str]  # the ids of two posts


@dataclass(frozen=True, slots=True, kw_only=True)
class Happenings:
    """Posts of one day, and the verdicts on pairs of them; all other pairs are different."""

    posts: Sequence[LabelledPost]
    verdicts: Mapping[Pair, str]  # "same", "hidden", "event" or "different"

    def pairs(self, *verdicts: str) -> set[Pair]:
        """Return the pairs with one of `verdicts`."""
        return {pair for pair, verdict in self.verdicts.items() if verdict in verdicts}


def happenings() -> Happenings:
    """Return the posts of all pairs. A post that stands in two pairs is one post."""
    posts: dict[tuple[str, str, bool], LabelledPost] = {}
    verdicts: dict[Pair, str] = {}
    for number, pair in enumerate(tables("pairs.toml", "pair")):
        both = []
        for place, side in enumerate("ab"):
            title, blurb = pair[side]
            key = title, blurb, pair["kind"] == "hidden" and side == "b"
            at = END - timedelta(hours=20) + timedelta(minutes=7 * number + 90 * place)
            feed = _FEEDS[(number + place + (pair["kind"] == "event")) % len(_FEEDS)]
            both.append(posts.setdefault(key, _post(feed, title, blurb, at)))
        verdicts[frozenset(post.id for post in both)] = str(pair["kind"])
    return Happenings(posts=list(posts.values()), verdicts=_closed(verdicts))


def covered(end: datetime) -> list[list[LabelledPost]]:
    """Return stories that three newspapers or more cover, the last post of each an hour before `end`."""
    return [
        [
            _post(
                _FEEDS[(number + place) % len(_FEEDS)], title, blurb, end - timedelta(minutes=60 + 50 * place)
            )
            for place, (title, blurb) in enumerate(table["posts"])
        ]
        for number, table in enumerate(tables("pairs.toml", "covered"))
    ]


def _closed(verdicts: Mapping[Pair, str]) -> dict[Pair, str]:
    """Return the verdicts, and "event" for two posts that both belong with a third."""
    near = [pair for pair, verdict in verdicts.items() if verdict in ("same", "event")]
    also = {one ^ other: "event" for one, other in combinations(near, 2) if len(one & other) == 1}
    return {**also, **verdicts}


def _post(feed: str, title: str, blurb: str, at: datetime) -> LabelledPost:
    home = slug(feed)
    return LabelledPost(
        feed=feed,
        title=title,
        blurb=blurb,
        url=f"https://{home}.example.org/{at:%H%M}-{slug(title)}",
        tags=(),
        sections=(),
        at=at,
    )
