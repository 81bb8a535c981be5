"""The figures of `python -m benchmarks.editing`: they count what they say, and their sets are well-formed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.editing import __main__ as command
from benchmarks.editing import measures, ours, rows
from benchmarks.editing.happenings import covered, happenings
from benchmarks.editing.labelled import LabelledPost, read_blog
from benchmarks.editing.measures import Score
from benchmarks.editing.newspapers import last_day, newspapers, posts_of
from benchmarks.editing.publishers import END, Order, blogs, order_lost
from benchmarks.editing.rivals import first_tag, greedy_tags, strict_titles

ONE_TO_FOUR = ["City", "City", "Sport", "Sport"]


def post(number: int, *tags: str, section: str = "", feed: str = "Harbour News") -> LabelledPost:
    return LabelledPost(
        feed=feed,
        title=f"Post {number}",
        blurb="",
        url=f"https://example.org/{number}",
        tags=tags,
        sections=(section,) if section else (),
        at=datetime(2026, 11, 22, tzinfo=UTC) + timedelta(minutes=number),
    )


FOUR = [post(number, section.lower(), section=section) for number, section in enumerate(ONE_TO_FOUR)]
IDS = [each.id for each in FOUR]


@pytest.mark.parametrize(
    ("headings", "expected"),
    [
        ("a a b b", Score(right=2, joined=2, true=2)),
        ("a a a a", Score(right=2, joined=6, true=2)),
        ("a - - b", Score(right=0, joined=0, true=2)),  # the rest joins nothing
        ("a a a -", Score(right=1, joined=3, true=2)),
    ],
)
def test_pairs_are_counted(headings: str, expected: Score) -> None:
    placed = {each: name for each, name in zip(IDS, headings.split(), strict=True) if name != "-"}
    assert measures.score(FOUR, placed) == expected


def test_precision_and_recall_are_shares_of_pairs() -> None:
    some = Score(right=3, joined=4, true=6)
    assert (some.precision, some.recall, some.f1) == (0.75, 0.5, 0.6)


def test_a_post_of_two_sections_may_stand_under_either() -> None:
    both = replace(FOUR[0], sections=("City", "Sport"))
    assert measures.score([both, *FOUR[1:]], dict(zip(IDS, "baaa", strict=True))).right == 1
    assert measures.score([both, *FOUR[2:]], dict.fromkeys(IDS, "a")) == Score(right=3, joined=3, true=3)


def test_the_other_ways_place_by_the_first_tag_and_by_the_most_common_tag() -> None:
    some = [post(1, "a", "c"), post(2, "a", "c"), post(3, "b", "c"), post(4, "d")]
    one, two, three, _ = (each.id for each in some)
    assert first_tag(some) == {one: "a", two: "a"}
    assert greedy_tags(some) == {one: "c", two: "c", three: "c"}


def test_strict_titles_join_equal_titles_of_two_feeds() -> None:
    one, other = post(1), replace(post(2, feed="Coast Weekly"), title="post 1")
    assert strict_titles([one, other, post(1)]) == {frozenset((one.id, other.id))}


def test_every_blog_has_fair_editions_whose_labels_are_their_own_ideal() -> None:
    for blog in blogs(Order.CATEGORIES, Order.AUTHOR):
        fair = [run for run in measures.windows(blog) if measures.is_fair(run)]
        assert len(fair) >= len(blog) // measures.WINDOW // 2
        placed = measures.by_label(fair[0])
        assert measures.is_well_shaped(fair[0], placed)
        assert all(set(each.sections) <= set(each.tags) for each in blog)
        assert sorted(order_lost(blog, by_name=False)[0].tags) == sorted(blog[0].tags)


def test_the_invented_posts_are_the_same_in_each_run_and_have_ids_of_their_own() -> None:
    every = [*blogs(*Order), *map(posts_of, newspapers()), happenings().posts]
    assert [blog[0] for blog in blogs(*Order)] == [blog[0] for blog in every[: len(blogs(*Order))]]
    ids = [each.id for some in every for each in some]
    assert len(set(ids)) == len(ids)
    assert all(len(last_day(posts_of(each))) > 1 for each in newspapers())


def test_a_happening_is_covered_by_feeds_of_its_own() -> None:
    known = happenings()
    feeds = {each.id: each.feed for each in known.posts}
    assert all(len({feeds[one] for one in pair}) == 2 for pair in known.pairs("same", "hidden", "different"))
    assert all(len({each.feed for each in story}) == len(story) >= 3 for story in covered(END))


def test_ours_is_read_from_the_edition() -> None:
    edition = ours.compose([*FOUR, post(9)])
    assert set(ours.headings(edition)) <= {each.id for each in FOUR}
    assert ours.hidden(edition) <= ours.joined(edition)


def test_a_folder_of_labelled_posts_is_measured(tmp_path: Path) -> None:
    some = [{"title": f"Boat {n}", "tags": ["Sea"], "section": "Sea", "date": "2026-11-22"} for n in range(3)]
    (tmp_path / "boats.json").write_text(json.dumps(some), encoding="utf-8")
    assert [each.feed for each in read_blog(tmp_path / "boats.json")] == ["boats"] * 3
    assert list(command.given(tmp_path)) == []  # too few posts for an edition


def test_rows_name_what_they_measure() -> None:
    blog = blogs(Order.AUTHOR)[0]
    shown = command.table(rows.blogs_in_order([blog[-2 * measures.WINDOW :]]), "One blog")
    assert shown.row_count == 4
