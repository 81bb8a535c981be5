"""An operator sees the topics that were found, why, and how to change them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from digest.compose.plan import plan
from digest.config import load
from digest.model.posts import WaitingPost
from digest.model.publication import Feed
from digest.sources.topics import found_topics, propose, topics_of_digest
from digest.storage.database import Database
from digest.storage.editions.drafts import insert_edition
from tests.compose.newsroom import Newsroom
from tests.compose.samples import DAILY, NOW, SITE, plan_input, published
from tests.web.site import CONFIG

FEEDS = tuple(
    Feed(name=name, url=f"https://feeds.example.org/{name}") for name in ("Harbour News", "Island Radio")
)


def posts() -> list[WaitingPost]:
    town = [published(f"Council note {n}", id=f"t{n}", tags=("Town", "council"), blurb="") for n in range(4)]
    sport = [published(f"Race report {n}", id=f"s{n}", tags=("Sport", "quay"), blurb="") for n in range(5)]
    radio = [published(f"Broadcast {n}", "Island Radio", id=f"r{n}", blurb="") for n in range(6)]
    return [*town, *sport, *radio]


def test_topics_are_proposed_with_the_rules_and_settings_of_each() -> None:
    report = propose(posts(), SITE, FEEDS)
    assert [(each.slug, each.title, each.stories) for each in report.topics] == [
        ("island-radio", "Island Radio", 6),
        ("sport", "Sport", 5),
        ("local", "Local", 4),
    ]
    sport, local = report.topics[1:]
    assert sport.rules == (("leads with Sport", "Harbour News", 5),)
    assert [each.setting for each in report.topics] == [
        'feeds = ["Island Radio"]',
        'tags = ["Sport"]',
        'tags = ["Town"]',
    ]
    assert local.rules[0][0] == "leads with Town"
    (advice,) = report.advice
    assert 'topics = ["tech"]' in advice
    assert advice.startswith("Island Radio")


def test_the_topics_of_thirty_days_can_be_chosen(sqlite: Database) -> None:
    edition = plan(posts(), (), replace(plan_input(), feeds=FEEDS)).edition
    assert edition is not None
    early = replace(edition, id="early", cutoff_at=NOW - timedelta(days=31))
    with sqlite.write() as connection:
        insert_edition(connection, edition)
        insert_edition(connection, early)
    later = NOW + timedelta(days=1)
    topics = (("island-radio", "Island Radio"), ("sport", "Sport"), ("local", "Local"))
    assert found_topics(sqlite, DAILY.slug, later) == topics
    assert found_topics(sqlite, DAILY.slug, later + timedelta(days=31)) == ()


def test_the_report_counts_the_editions_of_a_digest(sqlite: Database, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace('topics = ["city", "green"]\n', ""), encoding="utf-8")
    config = replace(load(path, {"DIGEST_SECRET": "x" * 40}), feeds=FEEDS)
    edition = plan(posts(), (), replace(plan_input(), feeds=FEEDS)).edition
    assert edition is not None
    room = Newsroom(database=sqlite)
    room.publish(*posts())
    with sqlite.write() as connection:
        insert_edition(connection, edition)
    report = topics_of_digest(sqlite, config, "daily", NOW)
    assert (report.editions, report.unplaced) == (1, 0)
    assert [each.stories for each in report.topics] == [6, 5, 4]
    assert report.advice == propose(posts(), SITE, FEEDS).advice


def test_feeds_that_name_no_sections_are_advised_in_one_sentence() -> None:
    quay = [published(f"Leaflet {n}", "Quay Notes", id=f"q{n}", blurb="") for n in range(6)]
    feeds = (*FEEDS, Feed(name="Quay Notes", url="https://feeds.example.org/quay"))
    (advice,) = propose([*posts(), *quay], SITE, feeds).advice
    assert advice.startswith("Island Radio and Quay Notes name no sections. If one of them has one subject,")


def test_a_section_that_stands_under_a_wider_one_is_named_as_its_feed_writes_it() -> None:
    paper = [
        published(f"{name} note {n}", id=f"{name}{n}", tags=(name,), blurb="")
        for name in ("World", "Sport", "Business", "Culture", "Technology", "Science", "Politics", "Crime")
        for n in range(4)
    ]
    local = [published(f"Row {n}", "Island Radio", id=f"l{n}", tags=("Town",), blurb="") for n in range(2)]
    settings = {each.title: each.setting for each in propose([*paper, *local], SITE, FEEDS).topics}
    assert settings["National"] == 'tags = ["Crime", "Town"]'
