from __future__ import annotations

from tests.cli.conftest import Terminal


def test_collect_shows_each_feed_and_fails_only_if_all_feeds_fail(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    (terminal.place.folder / "orchard.json").unlink()
    said = terminal.says("collect")
    assert "Harbour Gazette  ok" in said
    assert "failed" in said
    (terminal.place.folder / "gazette.json").unlink()
    terminal.call("collect", fails=1)


def test_collect_fetches_all_feeds_and_with_due_only_those_that_are_due(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    terminal.call("collect")
    terminal.place.publish("Tram")
    assert [each["new"] for each in terminal.facts("collect", "--due")] == [0, 0]
    assert [each["new"] for each in terminal.facts("collect")] == [1, 0]


def test_feeds_shows_the_state_of_feeds_and_never_their_address(terminal: Terminal) -> None:
    assert "not collected yet" in terminal.says("feeds")
    (terminal.place.folder / "orchard.json").write_text("{")
    terminal.call("collect")
    found = {each["name"]: each for each in terminal.facts("feeds")}
    assert found["Harbour Gazette"]["status"] == "ok"
    assert (found["Orchard Notes"]["status"], found["Orchard Notes"]["failures"]) == ("failed", 1)
    assert found["Orchard Notes"]["detail"]
    assert "url" not in found["Orchard Notes"]


def test_posts_are_listed_with_their_state(terminal: Terminal) -> None:
    terminal.place.publish("Ferry [bold]not markup[/bold]")
    terminal.place.publish("Apples", feed="orchard")
    terminal.call("collect")
    said = terminal.says("posts", "--feed", "Harbour Gazette")
    assert "[bold]" in said
    assert "daily: waiting" in said
    assert "Apples" not in said
    assert terminal.facts("posts", "--digest", "daily", "--state", "used") == []
    assert len(terminal.facts("posts", "--limit", "1")) == 1
    assert "no feed is called 'Gazette'" in terminal.says("posts", "--feed", "Gazette", fails=1)
    assert "no digest is called" in terminal.says("posts", "--digest", "weekly", fails=1)


def test_without_feeds_collect_says_what_to_do(terminal: Terminal) -> None:
    text = terminal.place.config_path.read_text()
    start, end = text.index("[[feed]]"), text.index("[[topic]]")
    terminal.place.configure((text[:start] + text[end:]).replace('feeds = ["Orchard Notes"]', 'tags = ["a"]'))
    assert "add a [[feed]]" in terminal.says("collect")
