from __future__ import annotations

import json
from collections.abc import Sequence

from tests.cli.conftest import Terminal

TITLES = (
    "Ferry to the island runs again",
    "Tram line three is closed",
    "Lighthouse opens for visitors",
    "Choir sings on the quay",
    "Market moves to the square",
    "Library buys a printing press",
)


def test_posts_that_look_new_at_once_are_held_until_an_editor_decides(terminal: Terminal) -> None:
    write(terminal, TITLES, "old")
    terminal.call("collect")
    write(terminal, [f"{title[::-1]} {number}" for number, title in enumerate(TITLES)], "new")
    assert "6 posts of Harbour Gazette look new at once; held until" in terminal.says("collect")
    said = terminal.says("feeds")
    assert "6 posts of Harbour Gazette look new at once; held until" in said
    assert 'digest posts keep "Harbour Gazette"' in said
    assert [each["held"] for each in terminal.facts("feeds")] == [6, 0]
    held = terminal.facts("posts", "--state", "held")
    assert len(held) == 6
    assert "daily: held (6 posts of Harbour Gazette look new" in terminal.says("posts", "--state", "held")
    one = held[0]["post"]["id"]
    assert "1 post waits for the next edition" in terminal.says("posts", "keep", one[:8])
    assert "5 posts are dropped" in terminal.says("posts", "drop", "Harbour Gazette")
    assert terminal.facts("posts", "--state", "held") == []
    assert len(terminal.facts("posts", "--state", "waiting")) == 7
    assert "dropped by an editor" in terminal.says("posts", "--state", "dropped")
    assert "no feed or post is called 'Gazette'" in terminal.says("posts", "drop", "Gazette", fails=1)


def test_posts_tell_which_pictures_are_left_out_and_why(terminal: Terminal) -> None:
    terminal.place.publish("Apples", "Pears", feed="orchard")
    feed = terminal.place.folder / "orchard.json"
    document = json.loads(feed.read_text())
    for item in document["items"]:
        item |= {"image": "https://ads.example.org/sale-728x90.png"}
    feed.write_text(json.dumps(document))
    terminal.call("collect")
    sentence = "https://ads.example.org/sale-728x90.png is left out of 2 posts: it is an advertisement."
    assert sentence in terminal.says("posts")
    assert terminal.facts("posts")[0]["post"]["pictures"][0]["reason"] == "it is an advertisement"


def test_topics_are_shown_with_a_line_for_each_rule_and_for_each_setting(terminal: Terminal) -> None:
    terminal.place.change('topics = ["green"]\n', "")
    write(terminal, TITLES, "old")
    feed = terminal.place.folder / "gazette.json"
    document = json.loads(feed.read_text())
    for item, tag in zip(
        document["items"], ("Sport", "Sports", "Sport", "Town", "Town", "Quays"), strict=True
    ):
        item["tags"] = [tag]
    feed.write_text(json.dumps(document))
    for minute in (29, 31):
        terminal.call("run", "--now", f"2026-11-22T06:{minute}+00:00")
    lines = terminal.says("topics", "daily", "--now", "2026-11-22T06:40+00:00").splitlines()
    assert [" ".join(line.split()) for line in lines[:3]] == [
        "topic slug stories found by feed",
        "Sport sport 3 leads with Sport Harbour Gazette (3)",
        "Local local 2 leads with Town Harbour Gazette (2)",
    ]
    assert lines[3:] == [
        "1 story stood under no topic",
        "",
        "In config.toml, you could change this:",
        '- Sport as a [[topic]] of your own: tags = ["Sport"]',
        '- Local as a [[topic]] of your own: tags = ["Town"]',
    ]


def test_a_draft_shows_what_has_changed_since_the_cutoff_and_takes_it(terminal: Terminal) -> None:
    compose(terminal, TITLES[:3])
    write(terminal, ["Ferry to the island runs every hour", *TITLES[1:3]], "old")
    terminal.call("collect", "--now", "2026-11-22T06:45+00:00")
    for words in (("editions", "daily"), ("preview", "daily", "--out", str(terminal.place.folder / "out"))):
        said = terminal.says(*words)
        assert (
            f'"{TITLES[0]}" has changed since the cutoff: it is now "Ferry to the island runs every' in said
        )
        assert "digest correct daily-2026-11-22" in said
    before = terminal.facts("editions", "daily")
    assert (before["state"], len(before["changes"])) == ("approved", 1)
    terminal.call("correct", "daily")
    after = terminal.facts("editions", "daily")
    assert (after["state"], after["approved_by"], after["changes"]) == ("draft", None, [])
    assert after["hash"] != before["hash"]
    assert "Ferry to the island runs every hour" in terminal.says("editions", "daily")
    assert "nothing has changed" in terminal.says("correct", "daily")


def test_a_draft_takes_another_brand_when_it_is_corrected(terminal: Terminal) -> None:
    compose(terminal, TITLES[:3])
    assert "brand" not in terminal.says("editions", "daily")
    config = terminal.place.folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f'{text}\n[brand]\naccent = "#0b6470"\n', encoding="utf-8")
    out = terminal.place.folder / "out"
    said = terminal.says("preview", "daily", "--out", str(out))
    assert "[site] or [brand] in config.toml has changed since it was composed" in said
    assert "its site and its brand are those of config.toml now" in terminal.says("correct", "daily")
    assert terminal.facts("editions", "daily")["state"] == "draft"
    assert "brand" not in terminal.says("preview", "daily", "--out", str(out))
    assert any("#0b6470" in page.read_text(encoding="utf-8") for page in out.glob("**/*.html"))


def test_a_story_that_is_gone_from_its_feed_is_shown_and_taken_out(terminal: Terminal) -> None:
    compose(terminal, TITLES[:4])
    write(terminal, [*TITLES[:1], *TITLES[2:4]], "old")
    for minute in (45, 50):
        terminal.call("collect", "--now", f"2026-11-22T06:{minute}+00:00")
    said = terminal.says("editions", "daily")
    assert f'"{TITLES[1]}" should be taken out: it is gone from its feed' in said
    terminal.call("correct", "daily")
    assert stories(terminal) == {TITLES[0], *TITLES[2:4]}
    assert "it is gone from its feed" in terminal.says("posts", "--state", "dropped")


def test_a_post_is_dropped_from_a_draft_but_not_the_last_one(terminal: Terminal) -> None:
    compose(terminal, TITLES[:2])
    first, last = (each["post"]["id"] for each in terminal.facts("posts", "--state", "reserved"))
    assert "is a draft without the story" in terminal.says("posts", "drop", first)
    assert len(stories(terminal)) == 1
    assert "cancel it: digest cancel daily-2026-11-22" in terminal.says("posts", "drop", last, fails=1)
    terminal.call("posts", "keep", first)
    assert [each["post"]["id"] for each in terminal.facts("posts", "--state", "waiting")] == [first]


def compose(terminal: Terminal, titles: Sequence[str]) -> None:
    """Compose and approve the daily edition of these posts."""
    write(terminal, titles, "old")
    terminal.call("run", "--now", "2026-11-22T06:29+00:00")
    terminal.call("run", "--now", "2026-11-22T06:31+00:00")
    terminal.call("approve", "daily", "--now", "2026-11-22T06:32+00:00")


def stories(terminal: Terminal) -> set[str]:
    edition = terminal.facts("editions", "daily")["edition"]
    every = [edition["lead"], *(story for each in edition["sections"] for story in each["stories"])]
    return {story["title"] for story in every}


def write(terminal: Terminal, titles: Sequence[str], ids: str) -> None:
    """Write the feed; a post has its place among all titles as its id."""
    places = [TITLES.index(title) if title in TITLES else place for place, title in enumerate(titles)]
    items = [
        {"id": f"{ids}-{place}", "title": title, "content_text": title}
        for place, title in zip(places, titles, strict=True)
    ]
    document = {"version": "https://jsonfeed.org/version/1.1", "title": "Gazette", "items": items}
    (terminal.place.folder / "gazette.json").write_text(json.dumps(document), encoding="utf-8")
