from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.editions import EditionState
from digest.model.posts import FeedRow
from digest.monitoring.feeds import FeedHealth, Health, feeds_health, heading, names_text, sentence_of
from digest.monitoring.readers import days_to, growth, verdict, weeks
from digest.monitoring.schedules import Fate, past_status
from digest.monitoring.wording import percent_text
from digest.storage.database import Database
from digest.storage.feeds import record_feeds, sync_feeds
from digest.storage.occurrences import Occurrence
from subscribers.rules.bounces import BounceKind
from tests.send.world import NOW
from tests.web.site import CONFIG, open_site

HOUR = timedelta(hours=1)
ROW = FeedRow(id="a", name="Orchard Notes", url="https://orchard.test/feed", next_fetch_at=NOW + HOUR)


def test_a_feed_that_fails_says_since_when_why_and_what_is_missed() -> None:
    row = replace(ROW, failures=14, failed_at=NOW - 14 * HOUR, last_fetch_at=NOW, detail="host not found")
    assert sentence_of(row, 60, NOW, "UTC") == (
        "has been down since yesterday 17:00: “host not found”. Tried 14 times, next at 08:00."
        " You are missing about 2 stories a day."
    )


def test_a_feed_that_answers_says_when_and_what_is_next() -> None:
    row = replace(ROW, last_fetch_at=NOW - HOUR, status="unchanged")
    assert sentence_of(row, 0, NOW, "UTC") == "responded at 06:00, with nothing new; next at 08:00."
    assert sentence_of(None, 0, NOW, "UTC") == "has not been fetched yet."
    due = replace(ROW, next_fetch_at=NOW)
    assert sentence_of(due, 0, NOW, "UTC") == "has not been fetched yet; is due now."


def _feeds(*health: Health) -> list[FeedHealth]:
    return [
        FeedHealth(
            name=f"Feed {number}", health=each, sentence="", held=0, notes=(), details=(), by_day={}, row=None
        )
        for number, each in enumerate(health)
    ]


@pytest.mark.parametrize(
    ("health", "text"),
    [
        ((), "No feed is configured"),
        ((Health.GOOD,), "The feed is responding"),
        ((Health.FAULT,), "The feed is not responding"),
        ((Health.GOOD, Health.WARN), "Both feeds are responding"),
        ((Health.GOOD,) * 3, "All three feeds are responding"),
        ((Health.FAULT, Health.GOOD, Health.GOOD, Health.GOOD), "One of four feeds is not responding"),
        ((Health.FAULT, Health.FAULT, *[Health.GOOD] * 10), "Two of 12 feeds are not responding"),
    ],
)
def test_the_heading_counts_the_feeds_that_do_not_respond(health: tuple[Health, ...], text: str) -> None:
    assert heading(_feeds(*health)) == text


def test_many_names_are_cut_short() -> None:
    assert names_text(_feeds(*[Health.GOOD] * 5)) == "Feed 0, Feed 1, Feed 2 and 2 others"


def test_a_date_without_an_edition_is_skipped_and_says_why() -> None:
    done = Occurrence(local_date=date(2026, 11, 22), due_at=NOW, done_at=NOW, outcome="no new posts")
    assert (past_status(done, None).fate, past_status(done, None).text) == (Fate.SKIPPED, "no new posts")
    skipped = past_status(done, (EditionState.SKIPPED, "nobody approved it"))
    assert (skipped.fate, skipped.text) == (Fate.SKIPPED, "nobody approved it")
    assert past_status(done, (EditionState.SENT, "")).fate is Fate.SENT
    assert past_status(replace(done, outcome="started"), None).fate is Fate.OPEN


numbers = st.lists(st.integers(0, 50), min_size=1, max_size=100)


@given(numbers, numbers, numbers, st.integers(0, 10_000))
def test_the_list_of_each_day_follows_from_the_day_before(
    joined: list[int], left: list[int], suppressed: list[int], readers: int
) -> None:
    days = days_to(NOW, 20)
    found = growth(
        days,
        dict(zip(days, joined, strict=False)),
        dict(zip(days, left, strict=False)),
        dict(zip(days, suppressed, strict=False)),
        readers=readers,
    )
    assert found.readers[-1] == readers
    for at in range(1, len(days)):
        change = found.joined[at] - found.left[at] - found.suppressed[at]
        assert found.readers[at] == found.readers[at - 1] + change


def test_weeks_end_today_and_lose_nothing() -> None:
    days = days_to(NOW, 21)
    found = weeks(days, dict.fromkeys(days, 10), {BounceKind.COMPLAINT: {days[-1]: 2}})
    assert [each.accepted for each in found] == [70, 70, 70]
    assert [each.complaints for each in found] == [0, 0, 2]
    assert found[-1].first == days[-7]


@pytest.mark.parametrize(
    ("complaints", "begins"),
    [(0, "This is healthy"), (9, "This is healthy"), (10, "This needs attention"), (30, "This is too high")],
)
def test_complaints_are_judged_by_the_lines_of_the_providers(complaints: int, begins: str) -> None:
    assert verdict(complaints, 10_000).startswith(begins)


def test_a_share_has_the_digits_that_matter() -> None:
    shares = [percent_text(*each) for each in ((0, 0), (1, 10**6), (4, 10**4), (25, 1_000), (12, 100))]
    assert shares == ["0%", "under 0.01%", "0.04%", "2.5%", "12%"]


def test_a_feed_needs_somebody_only_if_something_is_wrong(sqlite: Database, tmp_path: Path) -> None:
    names = ("Gazette", "Orchard", "Tide")
    lines = "".join(f'\n[[feed]]\nname = "{name}"\nurl = "https://{name}.test/"\n' for name in names)
    site = open_site(sqlite, tmp_path, CONFIG + lines)
    with sqlite.write() as connection:
        gazette, orchard, tide = sync_feeds(connection, site.app.config.feeds, NOW)
        read = replace(gazette, last_fetch_at=NOW, fallback="it asks for a password")
        fails = replace(orchard, last_fetch_at=NOW, failures=1, detail="host not found")
        full = replace(tide, last_fetch_at=NOW, gap=10, gap_at=NOW)
        record_feeds(connection, [read, fails, full])
    found = feeds_health(sqlite, site.app.config, NOW, "UTC")
    assert [(each.name, each.health) for each in found] == [
        ("Orchard", Health.FAULT),
        ("Tide", Health.WARN),
        ("Gazette", Health.GOOD),
    ]
    assert found[1].notes[0].startswith("Posts may be missing")
    assert found[2].details[0].startswith("The site's feed is read until tomorrow")
