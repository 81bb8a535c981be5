"""Measure how long it takes to apply edits: `python -m benchmarks.edits`.

The edition has 30 stories under three topics, and 30 edits of five kinds. Figures are medians of 200 runs.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter

from digest.compose.edits.apply import apply
from digest.compose.edits.operations import Drop, Edit, MakeLead, Move, Note, Operation, Part, Rewrite
from digest.model.editions import Edition, Heading, Section
from digest.model.snapshot import to_json
from digest.render.sample import sample_edition

_TOPICS = ("sea", "town", "island")
_STORIES, _RUNS, _MUST = 30, 200, 5.0  # milliseconds
_AT = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


def base_edition() -> Edition:
    """Return an edition with 30 stories."""
    sample = sample_edition()
    stories = [
        replace(next(sample.stories()), id=f"story-{at}", topic=_TOPICS[at % 3], post_ids=(f"post-{at}",))
        for at in range(_STORIES)
    ]
    sections = tuple(
        Section(slug=slug, title=slug, stories=tuple(each for each in stories if each.topic == slug))
        for slug in _TOPICS
    )
    headings = tuple(Heading(slug=slug, title=slug) for slug in _TOPICS)
    return replace(sample, lead=None, sections=sections, headings=headings)


def edits() -> tuple[Edit, ...]:
    """Return 30 edits."""
    listed: list[Operation] = []
    for at in range(0, _STORIES, 5):
        listed += [
            Drop(story=f"story-{at}"),
            Move(story=f"story-{at + 1}", topic=_TOPICS[at % 3], before=f"story-{at + 3}"),
            Rewrite(story=f"story-{at + 2}", part=Part.TITLE, text="The ferry is back"),
            Note(story=f"story-{at + 3}", text="We were *aboard*."),
            MakeLead(story=f"story-{at + 4}"),
        ]
    return tuple(
        Edit(number=number, by="Maren", at=_AT, operation=each) for number, each in enumerate(listed, start=1)
    )


def main() -> None:
    """Print the time of `apply` alone, and with the snapshot that is saved."""
    base, listed = base_edition(), edits()
    times: list[tuple[float, float]] = []
    for _ in range(_RUNS):
        start = perf_counter()
        applied = apply(base, listed)
        between = perf_counter()
        to_json(applied.edition)
        times.append(((between - start) * 1000, (perf_counter() - start) * 1000))
    alone, whole = (statistics.median(each) for each in zip(*times, strict=True))
    print(
        f"apply {len(listed)} edits to {_STORIES} stories: {alone:.2f} ms; with the snapshot: {whole:.2f} ms"
    )
    print("met" if whole <= _MUST else f"MISSED: at most {_MUST:g} ms")


if __name__ == "__main__":
    main()
