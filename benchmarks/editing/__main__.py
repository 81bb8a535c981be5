"""Measure how well editions are edited: sections, stories and the lead, beside simpler rules.

    python -m benchmarks.editing [--data FOLDER]

The figures are those of invented publishers, which are the same in each run. With `--data`, the JSON files of
a folder are measured too: `labelled.py` says how they are written.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.editing import rows
from benchmarks.editing.happenings import happenings
from benchmarks.editing.labelled import Blog, LabelledPost, read_blog
from benchmarks.editing.newspapers import last_day, newspapers, posts_of
from benchmarks.editing.publishers import Order, blogs
from benchmarks.editing.rows import STRICT, WAYS, Row


def generated() -> Iterator[Row]:
    """Yield the rows of the invented publishers."""
    ordered = blogs(Order.CATEGORIES, Order.AUTHOR)
    yield from rows.blogs_in_order(ordered)
    yield from rows.blogs_without_order(ordered)
    yield from rows.blogs_without_categories(blogs(Order.TAGS))
    papers = newspapers()
    known = _together(map(posts_of, papers))
    day = last_day(known)
    yield from rows.several(day, known, {each.name: each.topic for each in papers if each.topic})
    yield from rows.next_day(ordered)
    yield from rows.stories(happenings())
    yield from rows.leads(day, known)
    yield from rows.times(known)


def given(folder: Path) -> Iterator[Row]:
    """Yield the rows of the JSON files of a folder: each as a blog, and their last day as one edition."""
    found = [read_blog(path) for path in sorted(folder.glob("*.json"))]
    yield from rows.blogs_in_order(found)
    if len(found) > 1:
        known = _together(found)
        yield from rows.several(last_day(known), known, {})


def table(every: Iterable[Row], title: str) -> Table:
    """Return the rows as a table with a column for each way to do the work."""
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("what", no_wrap=True)
    ways = (*WAYS, STRICT)
    for name in (*ways, "must", "aim"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in every:
        shown.add_row(row.what, *(row.values.get(way, "–") for way in ways), row.must, row.aim)
    return shown


def main() -> None:
    """Print the table of the invented publishers, then the table of a folder."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.editing", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--data", type=Path, help="a folder of labelled posts of your own")
    folder: Path | None = parser.parse_args().data
    console = Console()
    console.print(table(generated(), "Invented publishers"))
    if folder:
        console.print(table(given(folder), str(folder)))


def _together(every: Iterable[Blog]) -> Sequence[LabelledPost]:
    return sorted((post for blog in every for post in blog), key=lambda post: (post.at, post.id))


if __name__ == "__main__":
    main()
