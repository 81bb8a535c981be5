"""A story stands under the section that its publisher gave it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose.discover import Newsroom, discover
from digest.compose.sections.headings import MOST, Past
from digest.compose.sections.learning import learn
from digest.compose.sections.lexicon import headings, in_address, lookup, title_of
from digest.compose.sections.names import data_lines, key_of, plain_key
from digest.compose.stories.same import gather
from digest.compose.topics import TopicGroup
from digest.model.posts import WaitingPost
from digest.model.publication import Feed
from digest.model.snapshot import sections_in
from digest.model.tags import is_machine, place_of
from digest.storage.database import Database
from digest.storage.editions.lists import last_sections
from tests.compose import samples
from tests.compose.newsroom import Newsroom as Room
from tests.compose.samples import SITE, published

_numbers = count()
DESK = Newsroom(site=SITE, catch_all="More stories")


def tagged(number: int, *tags: str, feed: str = "Harbour News", url: str = "") -> list[WaitingPost]:
    """Return so many posts with these tags, each with a title of its own."""
    names = [f"post-{next(_numbers):05}" for _ in range(number)]
    link = url or "https://papers.example.org/{}"
    return [published(f"Note {name}", feed, id=name, tags=tags, url=link.format(name)) for name in names]


def blog(order: str = "") -> list[WaitingPost]:
    """Return 60 posts of four categories, each with its category before tags that other sections share."""
    chance = random.Random(7)
    posts: list[WaitingPost] = []
    for category, size in (("Town", 24), ("Sport", 16), ("Books", 12), ("Walks", 8)):
        for _ in range(size):
            others = sorted(chance.sample(("budget", "children", "quay", "summer", "interview", "awards"), 3))
            tags = [category, *others]
            if order == "shuffled":
                chance.shuffle(tags)
            posts += tagged(1, *(sorted(tags, key=str.casefold) if order == "sorted" else tags))
    return posts


def found(*parts: list[WaitingPost], desk: Newsroom = DESK) -> tuple[TopicGroup, ...]:
    return discover(gather([each for part in parts for each in part]), desk)


def sizes(*parts: list[WaitingPost], desk: Newsroom = DESK) -> dict[str, int]:
    return {topic_group.title: len(topic_group.placed) for topic_group in found(*parts, desk=desk)}


def rules(*parts: list[WaitingPost], desk: Newsroom = DESK) -> set[str]:
    return {placed.rule for topic_group in found(*parts, desk=desk) for placed in topic_group.placed}


# ── one publisher ───────────────────────────────────────────────────────────────────────────


def test_a_category_before_the_tags_is_the_heading_and_the_reason_is_kept() -> None:
    assert sizes(blog()) == {"Town": 24, "Sport": 16, "Books": 12, "Walks": 8}
    assert rules(blog()) == {f"leads with {name}" for name in ("Town", "Sport", "Books", "Walks")}


@pytest.mark.parametrize("order", ["shuffled", "sorted"])
def test_where_the_order_of_tags_is_lost_the_tags_that_divide_the_posts_are_headings(order: str) -> None:
    kept = sizes(blog(order))
    assert sum(kept.get(name, 0) for name in ("Town", "Sport", "Books", "Walks")) >= 50


def test_sections_are_learned_from_all_posts_of_the_feed() -> None:
    today = [*tagged(1, "Town", "quay"), *tagged(3, "quay", "Town"), *tagged(4, "Sport", "quay")]
    past = Past(tags={"Harbour News": [each.post.tags for each in blog()]})
    desk = Newsroom(site=SITE, catch_all="More", past=past)
    assert sizes(today, desk=desk) == {"Town": 4, "Sport": 4}


def test_the_subject_tags_of_a_newspaper_are_no_sections() -> None:
    chance = random.Random(3)
    lists = [tuple(f"subject {chance.randrange(300)}" for _ in range(5)) for _ in range(200)]
    assert learn(lists).ranks == {}


def test_a_post_without_a_section_joins_a_heading_whose_tag_it_carries() -> None:
    more = tagged(2, "quay", "Books")
    past = Past(tags={"Harbour News": [each.post.tags for each in blog()]})
    desk = Newsroom(site=SITE, catch_all="More", past=past)
    assert sizes(blog(), more, desk=desk)["Books"] == 14


def test_a_path_of_categories_names_the_section_by_its_parts() -> None:
    posts = tagged(3, "Home / News / Trams"), tagged(3, "News/Ferries"), tagged(3, "Bridges/Quays", "AC/DC")
    assert sizes(*posts) == {"Bridges/Quays": 3, "Ferries": 3, "Trams": 3}


def test_what_a_structured_tag_is_about_is_no_path() -> None:
    about = "topics:things/gardens", "topics:events/world-cup"
    news, owls = tagged(3, *about, "structure:news/sport"), tagged(3, *about, "structure:owls")
    assert sizes(news, owls, tagged(2, "Home > News > Trams")) == {"Owls": 3, "Sport": 3, "Trams": 2}


def test_spellings_plurals_and_accents_of_a_section_are_one() -> None:
    posts = tagged(3, "Sport"), tagged(2, "SPORTS"), tagged(2, "política"), tagged(2, "Politica")
    assert list(sizes(*posts, tagged(2, "Walks")).values()) == [5, 4, 2]


def test_names_that_mean_nothing_and_tags_for_machines_are_never_headings() -> None:
    empty = (
        "Sem categoria",
        "Без рубрики",
        "Aktuelles",
        "未分類",
        "Top Stories",
        "author|Ada Finch",
        "5.9",
        "x" * 300,
    )
    assert sizes(tagged(4, *empty, "Trams"), tagged(4, *empty, "Owls"), tagged(4, *empty, "Ships")) == {
        "Owls": 4,
        "Ships": 4,
        "Trams": 4,
    }


def test_the_name_of_the_site_and_a_tag_on_every_post_are_no_sections() -> None:
    own = "Harbour Papers", "Harbour News", "coast"
    assert set(sizes(*(tagged(3, *own, name) for name in ("Owls", "Trams", "Ships")))) == {
        "Owls",
        "Trams",
        "Ships",
    }


def test_one_group_is_left_to_the_catch_all_or_its_section() -> None:
    assert sizes(tagged(4)) == {"More stories": 4}
    assert sizes(tagged(5, "Owls")) == {"Owls": 5}


def test_a_section_that_holds_nearly_everything_is_shown_in_parts_and_stays_the_readers_choice() -> None:
    parts = [tagged(6, "Town", name) for name in ("council", "schools", "trams")]
    topic_groups = found(*parts, tagged(2, "Sport"))
    assert {each.title: len(each.placed) for each in topic_groups} == {
        "Council": 6,
        "Schools": 6,
        "Trams": 6,
        "Sport": 2,
    }
    sections = {each.section.slug for each in topic_groups if each.section}
    assert sections == {"town"}
    assert "leads with Town, part: leads with Trams" in rules(*parts, tagged(2, "Sport"))


def test_headings_of_the_last_editions_are_kept_at_the_cut() -> None:
    names = ["Owls", "Trams", "Ships", "Books", "Walks", "Songs", "Plays", "Boats", "Cakes"]
    posts = [tagged(3, name) for name in names]
    assert len(sizes(*posts)) == MOST + 1
    desk = Newsroom(
        site=SITE, catch_all="More", past=Past(tags={}, headings=tuple(map(str.lower, names[::-1])))
    )
    kept = sizes(*posts[:-1], posts[-1][:2], desk=desk)
    assert list(kept)[:2] == ["Boats", "Plays"], "of equals, those that came first before"


def test_an_edition_is_made_with_what_was_learned_from_earlier_posts(database: Database) -> None:
    room = Room(database=database)
    room.publish(*blog())
    first = room.compose().record
    assert first is not None
    room.publish(*tagged(3, "quay", "Town"), *tagged(3, "summer", "Sport"), *tagged(2, "budget", "Walks"))
    second = room.compose(day=1).record
    assert second is not None
    titles = {section.title for section in second.edition.sections}
    assert titles <= {"Local", "Sport", "Culture", "Walks"}, "quay and summer are no sections of this feed"
    with database.read() as connection:
        kept = last_sections(connection, "daily")
    assert kept == (sections_in(second.edition), sections_in(first.edition))


# ── several publishers ──────────────────────────────────────────────────────────────────────


def test_sections_of_several_publishers_that_mean_the_same_are_one_heading() -> None:
    posts = (
        tagged(2, "Sport", feed="Harbour News"),
        tagged(2, "Fußball", feed="Hafenblatt"),
        tagged(2, feed="Coast Weekly", url="https://coast.example.org/sports/tennis/{}"),
        tagged(2, "structure:sport/rowing", "people:ada", feed="Island Radio"),
        tagged(3, "World", feed="Harbour News"),
        tagged(3, "Books", feed="Harbour News"),
    )
    assert sizes(*posts) == {"Sport": 8, "Culture": 3, "World": 3}
    assert rules(*posts) >= {
        "leads with Fußball",
        "address: /tennis/",
        "structured tag: structure:sport/rowing",
    }


def test_a_feed_without_sections_stands_under_its_name_and_the_operator_can_name_its_subject() -> None:
    posts = tagged(4, feed="Island Radio"), tagged(3, "Technology"), tagged(3, "Sport")
    assert sizes(*posts) == {"Island Radio": 4, "Sport": 3, "Technology": 3}
    radio = Feed(name="Island Radio", url="https://radio.example.org/feed", topics=("tech",))
    desk = Newsroom(site=SITE, catch_all="More", feeds=(radio,))
    assert sizes(*posts, desk=desk) == {"Technology": 7, "Sport": 3}
    assert "feed: Island Radio" in rules(*posts, desk=desk)


@given(samples.waiting, st.randoms(use_true_random=False))
def test_every_story_is_under_one_of_at_most_eight_headings_or_in_the_rest_in_any_order(
    waiting: list[WaitingPost], chance: random.Random
) -> None:
    stories = gather(waiting)
    topic_groups = discover(stories, DESK)
    assert Counter(placed.group.id for one in topic_groups for placed in one.placed) == Counter(
        group.id for group in stories
    )
    slugs = [topic_group.slug for topic_group in topic_groups]
    assert len(set(slugs)) == len(slugs) <= MOST + 1
    assert all(topic_group.placed for topic_group in topic_groups)
    shuffled = list(waiting)
    chance.shuffle(shuffled)
    assert discover(gather(shuffled), DESK) == topic_groups


# ── the lexicon ─────────────────────────────────────────────────────────────────────────────


def test_each_word_of_the_lexicon_stands_under_one_heading_and_means_something() -> None:
    homes: dict[str, set[str]] = {}
    slug = ""
    for name, text, keys in data_lines("lexicon.txt"):
        slug = slug if name else text
        if name in ("", "title", "wider", "news"):
            continue
        for word, key in zip(text.split(","), keys, strict=False):
            homes.setdefault(key, set()).add(slug)
            assert key == plain_key(word), "the fast way to read the file finds the same keys"
    assert {key: slugs for key, slugs in homes.items() if len(slugs) > 1 or key_of(key) is None} == {}


def test_each_heading_of_the_lexicon_is_found_by_its_own_title() -> None:
    languages = ("en", "de", "es", "ar", "fr", "it", "pt", "nl", "pl", "ru", "ja", "zh")
    wrong = {
        (slug, language): title_of(slug, language)
        for slug in headings()
        for language in languages
        if lookup(title_of(slug, language)) != slug
    }
    assert wrong == {}
    assert title_of("sport", "es-MX") == "Deportes"
    assert title_of("sport", "xx") == "Sport"


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://news.example.org/sport/2026/nov/01/a", "sport"),
        ("https://example.org/2026/11/01/world/asia/flood.html", "world"),
        ("https://example.org/news/world-us-canada-60989415?from=rss", "world"),
        ("https://sport.example.org/a", "sport"),
        ("https://example.org/world-cup-2026-squads-named", None),
        ("https://example.org/p/1", None),
        ("https://[broken", None),
    ],
)
def test_an_address_names_a_section_by_its_folders(url: str, slug: str | None) -> None:
    assert (in_address(url) or (None,))[0] == slug


def test_tags_for_machines_are_known_and_some_state_the_place_of_a_post() -> None:
    assert place_of("structure:news/uk-news") == ("news", "uk-news")
    assert place_of("Harbour: a guide") == place_of("topics:things/dogs") == ()
    assert is_machine("topics:things/dogs")
    assert is_machine("Content Type: Service")
    assert not is_machine("Harbour: a guide")


def test_a_section_has_one_heading_whether_a_tag_or_an_address_names_it() -> None:
    desk = replace(DESK, site=replace(SITE, language="de"))
    led = tagged(6, "Deutschland") + tagged(5, "Sport") + tagged(4, "Kultur")
    placed = tagged(3, url="https://papers.example.org/deutschland/{}")
    names = {group.title: len(group.placed) for group in found(led, placed, desk=desk)}
    assert names["Deutschland"] == 9
