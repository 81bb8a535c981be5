"""The rows of the table: each figure, its target, and the same figure for other ways to do the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import mean, median
from time import process_time
from typing import Any

from benchmarks.editing import measures, ours
from benchmarks.editing.earlier import earlier_rule
from benchmarks.editing.happenings import Happenings, covered
from benchmarks.editing.labelled import Blog, LabelledPost
from benchmarks.editing.measures import Headings, Score
from benchmarks.editing.ours import Known
from benchmarks.editing.publishers import END, order_lost
from benchmarks.editing.rivals import first_tag, greedy_tags, strict_titles
from digest.model.publication import Feed, Topic

_NEW = 5  # of 25 posts in the edition of the next day
_ROUNDS = 3  # of a measurement of time; the median counts
_LEAD_ROOM = 20  # stories of an edition, beside those that are covered by several

# A way to place the posts of an edition; it is also given what is known from before.
Place = Callable[[Sequence[LabelledPost], Known], Headings]

OURS = "ours"
EARLIER = "earlier"
STRICT = "strict"
WAYS: Mapping[str, Place] = {
    OURS: lambda posts, known: ours.headings(ours.compose(posts, known)),
    "first tag": lambda posts, _: first_tag(posts),
    "greedy": lambda posts, _: greedy_tags(posts),
    EARLIER: lambda posts, _: earlier_rule(posts),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure: what it is, its value for each way to do the work, and what it must and should be."""

    what: str
    values: Mapping[str, str]
    must: str = ""
    aim: str = ""


# ── blogs ───────────────────────────────────────────────────────────────────────────────────


def blogs_in_order(blogs: Sequence[Blog]) -> Iterator[Row]:
    """Yield the rows of blogs that write their categories first, on fair windows; the lowest blog counts."""
    runs = {blog[0].feed: [run for run in _runs(blog) if measures.is_fair(run)] for blog in blogs}
    fair = [blog for blog in blogs if runs[blog[0].feed]]
    if not fair:
        return
    placed = {way: [_placed(place, runs[blog[0].feed], blog) for blog in fair] for way, place in WAYS.items()}
    every = [runs[blog[0].feed] for blog in fair]
    scores = {way: list(map(_total, every, found)) for way, found in placed.items()}
    most = [_total(each, [measures.by_label(run) for run in each]).recall for each in every]
    lowest = {way: _two(min(each.precision for each in found)) for way, found in scores.items()}
    yield Row(
        what=f"{len(fair)} blogs, categories first: precision", must="≥ .93", aim="≥ .97", values=lowest
    )
    lowest = {
        way: _two(min(each.recall / allowed for each, allowed in zip(found, most, strict=True)))
        for way, found in scores.items()
    }
    yield Row(what="… recall, of what the labels allow", must="≥ .95", aim="≥ .98", values=lowest)
    yield from _shapes(list(chain(*every)), {way: list(chain(*found)) for way, found in placed.items()})


def _shapes(runs: Sequence[Blog], placed: Mapping[str, Sequence[Headings]]) -> Iterator[Row]:
    shapely = {way: f"{mean(map(measures.is_well_shaped, runs, found)):.0%}" for way, found in placed.items()}
    yield Row(what="… 3 to 8 headings, ≤ 15 % in the rest", must="≥ 95 %", aim="100 %", values=shapely)
    most = {way: str(max(len(set(each.values())) for each in found)) for way, found in placed.items()}
    yield Row(what="… headings in an edition, at most", must="≤ 8", values=most)


def blogs_without_order(blogs: Sequence[Blog]) -> Iterator[Row]:
    """Yield the rows of the same blogs with their lists of tags shuffled and sorted."""
    for what, by_name in (("shuffled", False), ("sorted", True)):
        scrambled = [order_lost(blog, by_name=by_name) for blog in blogs]
        scores = {way: [_measured(place, blog).f1 for blog in scrambled] for way, place in WAYS.items()}
        good = sum(map(float.__ge__, scores[OURS], scores[EARLIER]))
        values = {way: _two(median(found)) for way, found in scores.items()}
        yield Row(what=f"… tags {what}: F1, the median blog", aim="≥ .75", values=values)
        yield Row(
            what="… blogs not below the earlier rule", must="5 of 6", values={OURS: f"{good} of {len(blogs)}"}
        )


def blogs_without_categories(blogs: Sequence[Blog]) -> Iterator[Row]:
    """Yield the rows of blogs that write tags and no categories."""
    scores = {way: [_measured(place, blog) for blog in blogs] for way, place in WAYS.items()}
    precision = {way: _two(mean(each.precision for each in found)) for way, found in scores.items()}
    recall = {way: _two(mean(each.recall for each in found)) for way, found in scores.items()}
    for what, values in (("precision", precision), ("recall", recall)):
        name = f"{len(blogs)} blogs without categories: {what}"
        yield Row(what=name, must="1st – .10", aim="– .02", values=values)


def next_day(blogs: Sequence[Blog]) -> Iterator[Row]:
    """Yield the share of posts that keep their heading when 5 of 25 posts are new."""
    values = {way: _two(mean(_kept(place, blog) for blog in blogs)) for way, place in WAYS.items()}
    yield Row(what="a post under the same heading next day", must="≥ .90", aim="≥ .95", values=values)


def _kept(place: Place, blog: Blog) -> float:
    shares = []
    before: Headings = {}
    for run in _runs(blog, step=_NEW):
        last = [heading for heading, _ in Counter(before.values()).most_common()]
        after = place(run, Known(posts=_until(run, blog), headings=last))
        if before:
            shares.append(measures.kept(before, after, [post.id for post in run[:-_NEW]]))
        before = after
    return mean(shares)


# ── several publishers ──────────────────────────────────────────────────────────────────────


def several(day: Sequence[LabelledPost], known: Blog, subjects: Mapping[str, str]) -> Iterator[Row]:
    """Yield the rows of one day of several publishers; `subjects` has the topic of each one-subject feed."""
    name = f"{len({post.feed for post in day})} publishers, {len(day)} posts"
    before = Known(posts=known)
    placed = {way: place(day, before) for way, place in WAYS.items()}
    yield from _day(name, day, placed, (("≥ .85", "≥ .90"), ("≥ .70", "≥ .75"), ("", "")))
    if subjects:
        told = {OURS: ours.headings(ours.compose(day, before, **_words_of_the_operator(day, subjects)))}
        targets = (("≥ .90", "≥ .95"), ("≥ .90", "≥ .95"), ("≤ 15 %", ""))
        yield from _day("… told the subjects of three", day, told, targets)


def _day(
    name: str, day: Sequence[LabelledPost], placed: Mapping[str, Headings], targets: Sequence[tuple[str, str]]
) -> Iterator[Row]:
    scores = {way: measures.score(day, found) for way, found in placed.items()}
    shown = (
        ("precision", {way: _two(each.precision) for way, each in scores.items()}),
        ("recall", {way: _two(each.recall) for way, each in scores.items()}),
        ("in the rest", {way: f"{measures.rest(day, each):.0%}" for way, each in placed.items()}),
    )
    for (what, values), (must, aim) in zip(shown, targets, strict=True):
        yield Row(what=f"{name}: {what}", must=must, aim=aim, values=values)


def _words_of_the_operator(day: Sequence[LabelledPost], subjects: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration in which each feed of `subjects` names its topic."""
    feeds = sorted({post.feed for post in day})
    return {
        "topics": [Topic(slug=each, title=each.capitalize()) for each in sorted(set(subjects.values()))],
        "feeds": [
            Feed(name=name, url="https://example.org/", topics=(subjects[name],) if name in subjects else ())
            for name in feeds
        ],
    }


# ── stories, the lead, and the time ─────────────────────────────────────────────────────────


def stories(known: Happenings) -> Iterator[Row]:
    """Yield the rows of the labelled pairs."""
    edition = ours.compose(known.posts)
    found = {OURS: ours.joined(edition), STRICT: strict_titles(known.posts)}
    hidden = {OURS: ours.hidden(edition), STRICT: found[STRICT]}
    same = known.pairs("same", "hidden")
    good = same | known.pairs("event")
    precision = {way: _two(len(good & pairs) / max(len(pairs), 1)) for way, pairs in found.items()}
    recall = {way: _two(len(same & pairs) / len(same)) for way, pairs in found.items()}
    left = {way: str(len(same - pairs)) for way, pairs in found.items()}
    wrong = {way: str(len(pairs - good)) for way, pairs in hidden.items()}
    yield Row(what=f"{len(same)} pairs of one story: precision", must="≥ .95", aim="≥ .98", values=precision)
    yield Row(what="… recall", must="≥ .70", aim="≥ .80", values=recall)
    yield Row(what="… repeats left", must=f"≤ {len(same) // 4}", aim=f"≤ {len(same) // 6}", values=left)
    name = f"{len(known.pairs('different'))} look-alikes: headlines hidden"
    yield Row(what=name, must="0", aim="0", values=wrong)


def leads(day: Sequence[LabelledPost], known: Blog) -> Iterator[Row]:
    """Yield how often a story that three newspapers and more cover leads, among the other posts of a day."""
    every = covered(END)
    editions = [ours.compose([*story, *day], Known(posts=known), maximum=_LEAD_ROOM) for story in every]
    leading = sum(ours.covers(edition.lead, story) for edition, story in zip(editions, every, strict=True))
    there = sum(
        any(ours.covers(each, story) for each in edition.stories())
        for edition, story in zip(editions, every, strict=True)
    )
    of = f"{len(every)} of {len(every)}"
    yield Row(what="covered by three and more: leads", must=of, values={OURS: f"{leading} of {len(every)}"})
    yield Row(what="… is in the edition", must=of, values={OURS: f"{there} of {len(every)}"})


def times(posts: Sequence[LabelledPost]) -> Iterator[Row]:
    """Yield the milliseconds of CPU of the whole plan of an edition; each round has other posts."""
    for number, must, aim in ((25, 30, 15), (200, 150, 80)):
        runs = [posts[-number * (turn + 1) : len(posts) - number * turn] for turn in range(_ROUNDS)]
        spent = f"{median(_seconds(run, Known(posts=posts)) for run in runs) * 1000:.0f}"
        name = f"compose, {number} posts: milliseconds"
        yield Row(what=name, must=f"≤ {must}", aim=f"≤ {aim}", values={OURS: spent})


def _seconds(posts: Sequence[LabelledPost], known: Known) -> float:
    begun = process_time()
    ours.compose(posts, known)
    return process_time() - begun


# ── windows and scores ──────────────────────────────────────────────────────────────────────


def _runs(blog: Blog, step: int = measures.WINDOW) -> list[Blog]:
    """Return the windows of the second half; from the first half, the sections of a feed can be known."""
    return measures.windows(blog[len(blog) // 2 :], step)


def _placed(place: Place, runs: Sequence[Blog], blog: Blog) -> list[Headings]:
    return [place(run, Known(posts=_until(run, blog))) for run in runs]


def _until(run: Blog, blog: Blog) -> Blog:
    """Return the posts of the blog until the end of the run."""
    return [post for post in blog if post.at <= run[-1].at]


def _total(runs: Sequence[Blog], placed: Sequence[Headings]) -> Score:
    return sum(map(measures.score, runs, placed), Score())


def _measured(place: Place, blog: Blog) -> Score:
    runs = _runs(blog)
    return _total(runs, _placed(place, runs, blog))


def _two(value: float) -> str:
    return f"{value:.2f}"
