from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.collect.discovery.found import Found
from digest.config import Config, load
from digest.model.errors import NotFoundError
from digest.model.posts import Post
from digest.model.publication import Feed, SourceKind
from digest.sources.add import feed_of, newest_posts, plan_feeds, problems_of
from tests.scheduler.installation import CONFIG

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
TIDE = Feed(name="Tide Times", url="https://tide.test/feed/")
WEEKEND = (
    '\n[[digest]]\nslug = "weekend"\ntitle = "W"\nschedule = "saturdays at 09:00"\nfrom = "w@example.org"\n'
)


def configured(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def test_a_digest_that_lists_no_feeds_takes_a_new_one(tmp_path: Path) -> None:
    addition = plan_feeds(configured(tmp_path, CONFIG), [TIDE])
    assert (addition.feeds, addition.known, addition.takers, addition.others) == ((TIDE,), (), ("daily",), ())
    addition.draft.write()
    assert load(tmp_path / "config.toml", {}).feeds[-1] == TIDE


def test_the_only_digest_takes_a_new_feed_into_its_list(tmp_path: Path) -> None:
    listing = CONFIG.replace('topics = ["green"]\n', 'topics = ["green"]\nfeeds = ["Orchard Notes"] # all\n')
    addition = plan_feeds(configured(tmp_path, listing), [TIDE])
    assert 'feeds = ["Orchard Notes", "Tide Times"] # all\n' in addition.draft.text
    assert addition.takers == ("daily",)


def test_of_several_digests_that_list_feeds_only_those_that_are_named_take_a_new_one(tmp_path: Path) -> None:
    both = (CONFIG + WEEKEND).replace("schedule =", 'feeds = ["Orchard Notes"]\nschedule =')
    config = configured(tmp_path, both)
    addition = plan_feeds(config, [TIDE])
    assert (addition.takers, addition.others) == ((), ("daily", "weekend"))
    addition = plan_feeds(config, [TIDE], ["weekend"])
    assert (addition.takers, addition.others) == (("weekend",), ("daily",))
    addition.draft.write()
    again = plan_feeds(load(config.path, {}), [TIDE], ["daily"])
    assert (again.feeds, again.known, again.takers) == ((), (TIDE,), ("daily", "weekend"))
    assert again.changes
    with pytest.raises(NotFoundError):
        plan_feeds(config, [TIDE], ["nightly"])


def test_a_feed_is_known_in_any_spelling_of_its_address(tmp_path: Path) -> None:
    config = configured(
        tmp_path, CONFIG.replace('path = "gazette.json"', 'url = "https://www.gazette.test/feed"')
    )
    again = Feed(name="Again", url="http://gazette.test/feed/?utm_source=x")
    addition = plan_feeds(config, [again, TIDE, replace(TIDE, name="Tide")])
    assert [feed.name for feed in addition.known] == ["Harbour Gazette"]
    assert addition.feeds == (TIDE,)
    assert not plan_feeds(config, [again]).changes


def test_a_name_that_is_taken_gets_its_host_and_then_a_number(tmp_path: Path) -> None:
    more = [Feed(name="Orchard Notes", url=f"https://www.pear.test/{number}") for number in range(3)]
    found = plan_feeds(configured(tmp_path, CONFIG), more).feeds
    assert [feed.name for feed in found] == [
        "Orchard Notes (pear.test)",
        "Orchard Notes (2)",
        "Orchard Notes (3)",
    ]


def post(days: int | None = 0, blurb: str = "A ferry ran.", tags: tuple[str, ...] = ("city",)) -> Post:
    return Post(
        id=str(days), feed_id="", key="", title=str(days), blurb=blurb, first_seen_at=NOW, fingerprint="",
        published_at=None if days is None else NOW - timedelta(days=days), tags=tags,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("posts", "problem"),
    [
        ((), "it has no posts at the moment"),
        ((post(None),), "its posts have no dates"),
        ((post(425), post(500)), "its newest post is 14 months old"),
        ((post(1200),), "its newest post is 3 years old"),
        ((post(blurb=""),), "it has only headlines, without a text"),
        ((post(blurb="The ferry…"), post(blurb="A tram…")), "only excerpts"),
        ((post(tags=()),), "no tags"),
    ],
)
def test_each_problem_of_a_feed_is_one_sentence(posts: tuple[Post, ...], problem: str) -> None:
    (found,) = problems_of(Found(url="https://tide.test/", title="Tide", posts=posts), NOW)
    assert problem in found


def test_a_good_feed_has_no_problem_and_shows_its_newest_posts() -> None:
    found = Found(url="https://tide.test/", title="Tide", posts=(post(None), post(3), post(1), post(2)))
    assert list(problems_of(found, NOW)) == []
    assert [each.title for each in newest_posts(found, 4)] == ["1", "2", "3", "None"]
    assert list(problems_of(replace(found, comments=True), NOW)) == ["it has comments of readers, not posts"]
    (note,) = problems_of(replace(found, wordpress=True), NOW)
    assert 'add source = "wordpress"' in note
    (note,) = problems_of(replace(found, source=SourceKind.PAGE), NOW)
    assert "the site has no feed" in note


def test_a_page_is_configured_as_a_page(tmp_path: Path) -> None:
    page = feed_of(Found(url="https://tide.test/", title="Tide", posts=(), source=SourceKind.PAGE))
    plan_feeds(configured(tmp_path, CONFIG), [page]).draft.write()
    assert load(tmp_path / "config.toml", {}).feeds[-1] == page
