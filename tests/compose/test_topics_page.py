"""Compose the example day of docs/topics.md, and compare each heading and reason with the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.editing import ours
from benchmarks.editing.labelled import LabelledPost
from benchmarks.editing.ours import Known
from digest.model.publication import Feed, Topic

PAGE = Path(__file__).parents[2] / "docs" / "topics.md"
MORNING = datetime(2026, 11, 21, 6, tzinfo=UTC)


def rows() -> list[list[str]]:
    """Return the cells of the first table: publisher, headline, tags or address, heading, reason."""
    _, _, table = PAGE.read_text(encoding="utf-8").partition("| --- | --- | --- | --- | --- |\n")
    lines = table.partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def post(number: int, publisher: str, title: str, written: str) -> LabelledPost:
    path = written if written.startswith("/") else f"/{number}"
    return LabelledPost(
        feed=publisher,
        title=title,
        blurb="",
        url=f"https://{publisher.replace(' ', '-').lower()}.example.org{path}",
        tags=() if written.startswith("/") or not written else tuple(written.split(", ")),
        sections=(),
        at=MORNING + timedelta(minutes=number),
    )


def test_each_story_stands_where_the_page_says() -> None:
    told = rows()
    posts = [post(number, *row[:3]) for number, row in enumerate(told)]
    feeds = [
        Feed(
            name=name,
            url="https://example.org/",
            topics=("technology",) if name == "Pocket Circuit" else (),
        )
        for name in dict.fromkeys(row[0] for row in told)
    ]
    technology = Topic(slug="technology", title="Technology")
    edition = ours.compose(posts, Known(posts=posts), feeds=feeds, topics=[technology])
    titles = {heading.slug: heading.title for heading in edition.headings}
    assert {(each.title, titles[each.topic], each.rule) for each in edition.stories()} == {
        (title, heading, reason) for _, title, _, heading, reason in told
    }
