from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose.plan import plan
from digest.compose.revise import changes_of, revised, without_posts
from digest.compose.stories.covered import cover
from digest.compose.stories.group import Group, to_story
from digest.compose.stories.same import gather
from digest.model.posts import GONE_AFTER, KnownPost, PublishedPost, WaitingPost
from digest.model.publication import Lead
from digest.model.snapshot import choose
from subscribers.model import Choice
from tests.compose import samples
from tests.compose.samples import FEEDS, IMAGE, plan_input, published, topic

FERRY = published(
    "Night ferry to the northern isles is back",
    blurb="The ferry Aurora left Port Ellis with two hundred passengers on Monday.",
    hours=5,
)
AURORA = published(
    "Aurora sails again: two hundred passengers on the first night ferry",
    "Coast Weekly",
    blurb="Passengers bound for the northern isles boarded in Port Ellis.",
    hours=3,
)
ISLES = published(
    "Northern isles welcome first ferry Aurora from Port Ellis",
    "Island Radio",
    blurb="A brass band played as the night ferry arrived.",
    hours=1,
)
LIBRARY = published("Library opens a reading garden", "Coast Weekly", blurb="Bring a chair.", hours=2)


def covered(*waiting: WaitingPost, language: str = "en") -> tuple[Group, ...]:
    return cover(gather(waiting), (), language)


def titles(groups: tuple[Group, ...]) -> list[list[str]]:
    return [[each.post.title for each in group.every] for group in groups]


def test_a_story_of_several_feeds_appears_once_with_every_headline() -> None:
    library, ferry = covered(ISLES, LIBRARY, FERRY, AURORA)
    assert (ferry.posts, ferry.coverage, library.posts) == ((FERRY,), (AURORA, ISLES), (LIBRARY,))
    story = to_story(ferry, topic="more", rule="catch-all")
    assert [(each.title, each.source, each.url) for each in story.coverage] == [
        (each.post.title, each.feed_name, each.post.url) for each in (AURORA, ISLES)
    ]
    assert story.also == ()
    assert story.post_ids == tuple(each.post.id for each in (FERRY, AURORA, ISLES))
    assert story.covered_by == 3


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        (
            ("Hafenbrücke gesperrt: Stau in der Innenstadt", "Die Brücke ist wegen Rissen bis Montag zu."),
            ("Risse in der Hafenbrücke, Sperrung bis Montag", "In der Innenstadt staut sich der Verkehr."),
            "de",
        ),
        (
            ("La alcaldesa de Puerto Ellis inaugura el faro", "El faro abre al público el lunes."),
            ("El faro de Puerto Ellis abre al público", "La alcaldesa lo inauguró el lunes."),
            "es",
        ),
        (
            ("港城图书馆新馆周一开放", "新图书馆有十万册藏书,周一向公众开放。"),
            ("十万册藏书:港城新图书馆开放", "港城图书馆新馆周一向公众开放。"),
            "zh",
        ),
        (
            ("Skarsgård opens the harbour museum", "The actor Skarsgård spoke of his boat."),
            ("Harbour museum: Skarsgard speaks of his boat", "The museum opened with the actor on Monday."),
            "en",
        ),
        (
            ("Zelenskaya opens the island tram", "The minister Zelenskaya rode the tram to the island."),
            ("Island tram: minister Zelenskaia takes the first ride", "The tram opened to the public."),
            "en",
        ),
    ],
)
def test_versions_are_found_in_other_words_and_languages(
    one: tuple[str, str], other: tuple[str, str], language: str
) -> None:
    posts = published(one[0], blurb=one[1]), published(other[0], "Coast Weekly", blurb=other[1])
    assert len(covered(*posts, language=language)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bakery in Ferrol wins the bread prize", "Bakery in Vigo wins the bread prize"),
        ("Council approves new tram line", "Council does not approve new tram line"),
        ("Harbour 2 Lakeside 1", "Lakeside 2 Harbour 1"),
        ("Garden show: week 14 in the harbour park", "Garden show: week 15 in the harbour park"),
        ("Morning briefing for Monday", "Morning briefing for Monday"),
        ("Live: election night", "Live: cup final"),
    ],
)
def test_titles_that_say_the_same_of_different_things_are_not_versions(one: str, other: str) -> None:
    texts = "The jury sat for three hours.", "A choir sang outside."
    posts = published(one, blurb=texts[0]), published(other, "Coast Weekly", blurb=texts[1])
    assert len(covered(*posts)) == 2


@pytest.mark.parametrize(
    ("tags", "stories"),
    [((), 2), (("News", "Local"), 2), (("Aldermark", "News"), 2), (("Aldermark", "sleeper trains"), 1)],
)
def test_one_title_over_two_texts_is_one_story_if_tags_say_what_the_other_text_says(
    tags: tuple[str, ...], stories: int
) -> None:
    one = published(
        "Night train returns to Port Merrow",
        blurb="The sleeper from Aldermark stops at platform two.",
        tags=("News", "Local", "Travel"),
    )
    other = published(
        "The Night Train Returns to Port Merrow",
        "Coast Weekly",
        blurb="Seven carriages, and a bed by the sea for the price of a dinner.",
        tags=tags,
    )
    assert len(covered(one, other)) == stories


def test_texts_of_one_form_are_not_versions() -> None:
    text = "All there is to know about {}, in a form that each text has."
    posts = published("Ferry", blurb=text.format("boats")), published("Apples", "Coast Weekly", blurb=text)
    assert len(covered(*posts)) == 2


def test_versions_come_from_different_feeds_within_three_days() -> None:
    again = published(AURORA.post.title, FERRY.feed_name, blurb=AURORA.post.blurb, hours=3)
    late = published(AURORA.post.title, "Coast Weekly", blurb=AURORA.post.blurb, hours=80)
    assert len(covered(FERRY, again)) == 2
    assert len(covered(FERRY, late)) == 2


def test_a_plain_report_is_shown_before_an_opinion_and_a_live_page() -> None:
    column = {"title": f"{AURORA.post.title} | Ada Quill", "author": "Ada Quill in Port Ellis"}
    for fields in ({"url": "https://coast.example.org/opinion/ferry"}, {"tags": ("Opinion",)}, column):
        opinion = replace(AURORA, post=replace(AURORA.post, image=IMAGE, **fields))
        (group,) = covered(opinion, FERRY)
        assert group.posts == (FERRY,)


def test_a_story_like_a_published_one_is_not_dropped() -> None:
    before = PublishedPost(waiting=FERRY, edition_id="daily-2026-11-21")
    planned = plan([AURORA], [before], plan_input())
    assert planned.used == (AURORA.post.id,)
    assert planned.dropped == ()


def test_the_story_of_most_feeds_leads_and_is_never_cut_while_others_stay() -> None:
    others = [
        published(f"Note {word}", FEEDS[n % 4], blurb=f"All about {word}.", image=IMAGE, hours=0.1 * n)
        for n, word in enumerate(("apples", "bees", "cider", "dunes", "eels", "ferns"), start=1)
    ]
    rules = [topic("fruit", tags=("fruit",)), topic("sea", keywords=("isles",))]
    for maximum in (1, 2, 5):
        for lead in (Lead.AUTO, Lead.NONE):
            edition = plan(
                [*others, FERRY, AURORA, ISLES], [], plan_input(*rules, maximum=maximum, lead=lead)
            ).edition
            assert edition
            stories = list(edition.stories())
            assert len(stories) == maximum
            assert FERRY.post.id in {story.id for story in stories}
            assert (edition.lead is None) == (lead is Lead.NONE)
            assert not edition.lead or edition.lead.id == FERRY.post.id


def test_a_reader_without_the_topic_of_the_lead_gets_the_most_covered_story_as_lead() -> None:
    rules = topic("books", keywords=("shelf",)), topic("sea", keywords=("isles", "library"))
    shelf = published("A shelf is mended", blurb="It holds again.", image=IMAGE, hours=0.1)
    library = published("Library opens late", blurb="Bring a chair.", image=IMAGE, hours=0.2)
    edition = plan([shelf, library, FERRY, AURORA, ISLES], [], plan_input(*rules, lead=Lead.NEWEST)).edition
    assert edition
    chosen = choose(edition, Choice.parse("sea"))
    assert chosen
    assert [each.lead and each.lead.id for each in (edition, chosen)] == [shelf.post.id, FERRY.post.id]


@given(samples.waiting, st.randoms(use_true_random=False))
def test_the_order_of_posts_does_not_matter_and_no_post_is_lost(
    waiting: list[WaitingPost], chance: random.Random
) -> None:
    groups = list(gather(waiting))
    found = cover(groups, waiting, "en")
    chance.shuffle(groups)
    chance.shuffle(waiting)
    assert cover(groups, waiting, "en") == found
    ids = [each.post.id for group in found for each in group.every]
    assert sorted(ids) == sorted(each.post.id for each in waiting)
    for group in found:
        shown = {each.feed_name for each in group.posts}
        assert shown.isdisjoint(each.feed_name for each in group.coverage)


def test_hostile_posts_take_bounded_time() -> None:
    same = [
        published("one two three four five", f"Feed {n}", id=str(n), blurb="six seven") for n in range(2000)
    ]
    long = [published(f"word{n} " * 1000, f"Feed {n}", id=f"long {n}") for n in range(50)]
    assert sum(len(group.every) for group in covered(*same, *long)) == len(same) + len(long)


def test_a_second_report_of_a_feed_is_taken_out_without_its_story() -> None:
    (ferry,) = covered(FERRY, AURORA)
    second = published(f"{AURORA.post.title} at last", "Coast Weekly", id="second", hours=2)
    story = to_story(replace(ferry, coverage=(AURORA, second)), topic="more", rule="catch-all")
    assert story.covered_by == 2
    edition = plan([FERRY, LIBRARY], [], plan_input(lead=Lead.NONE)).edition
    assert edition
    edition = replace(edition, lead=story, sections=())
    new = revised(edition, without_posts(edition, ["second"], "dropped"))
    assert new
    assert new.lead
    assert [each.post_id for each in new.lead.coverage] == [AURORA.post.id]


def test_a_headline_of_another_feed_is_corrected_and_taken_out_without_its_story() -> None:
    edition = plan([FERRY, AURORA, ISLES], [], plan_input()).edition
    assert edition
    gone = without_posts(edition, [ISLES.post.id], "dropped")
    renamed = KnownPost(post=replace(AURORA.post, title="Aurora is back"))
    changed = changes_of(
        edition, {AURORA.post.id: renamed, ISLES.post.id: replace(renamed, missed=GONE_AFTER)}
    )
    for changes, title in ((gone, AURORA.post.title), (changed, "Aurora is back")):
        new = revised(edition, changes)
        assert new
        (story,) = new.stories()
        assert [each.title for each in story.coverage] == [title]
        assert story.post_ids == (FERRY.post.id, AURORA.post.id)
    assert changed[0].text.endswith("headlines of other feeds")
