"""A digest can get another slug: its readers, posts and drafts follow, and earlier links keep working."""

from __future__ import annotations

from typing import Any

from digest.readers.unsubscribe import restore_subscriptions, unsubscribe_by_link
from subscribers.model import Origin
from subscribers.tokens import reader_token
from tests.cli.conftest import Terminal
from tests.scheduler.installation import at

RENAMED = "daily is now everyday: 2 subscriptions, 1 waiting post and 1 open edition moved"
ORIGIN = Origin(source="test")


def change_slug(terminal: Terminal) -> None:
    place = terminal.place
    place.publish("Ferry")
    place.subscribe("ada", "bob")
    place.run("23 06:30")
    place.change('slug = "daily"', 'slug = "everyday"')
    assert "WRONG  digest daily" in terminal.says("check", fails=1)


def test_a_renamed_digest_keeps_its_readers_and_its_draft(terminal: Terminal) -> None:
    change_slug(terminal)
    place = terminal.place
    assert RENAMED in terminal.says("rename", "daily", "everyday")
    assert all(each["ok"] for each in terminal.facts("check"))
    assert place.run("23 07:00") == ["daily-2026-11-23: sent: 2 accepted"]
    emails = place.emails()
    assert set(emails) == {"ada", "bob"}
    assert "/u/everyday/" in emails["ada"]
    place.publish("Tram")
    assert place.run("24 07:00")[-1] == "everyday-2026-11-24: sent: 2 accepted"


def test_a_rename_voids_an_approval_because_the_edition_changes(terminal: Terminal) -> None:
    place = terminal.place
    place.subscribe("ada", "bob")
    place.publish("Ferry")
    place.run("23 06:30")
    terminal.says("approve", "daily")
    place.change('slug = "daily"', 'slug = "everyday"')
    terminal.says("rename", "daily", "everyday")
    (edition,) = terminal.facts("editions")
    assert (edition["state"], edition["digest"]) == ("draft", "everyday")


def test_unsubscribe_links_with_the_old_slug_still_work(terminal: Terminal) -> None:
    change_slug(terminal)
    terminal.says("rename", "daily", "everyday")
    readers = {each["address"].partition("@")[0]: int(each["id"]) for each in listed(terminal)}
    with terminal.place.app() as app:
        tokens = {name: reader_token(app.secret, number, "u:daily") for name, number in readers.items()}
        ended = unsubscribe_by_link(
            app.database, app.secret, "daily", tokens["ada"], origin=ORIGIN, now=at("23 08:00")
        )
        assert ended.digests == ("everyday",)
        assert active(terminal) == {"bob"}
        later = at("23 08:01")
        assert restore_subscriptions(app.database, readers["ada"], "daily", origin=ORIGIN, now=later)
        assert active(terminal) == {"ada", "bob"}
    message = f"From: bob@example.org\nSubject: unsubscribe {tokens['bob']}\n\nPlease.\n"
    assert "unsubscribed from daily" in terminal.says("receive", stdin=message)
    assert active(terminal) == {"ada"}


def test_a_rename_that_would_mix_two_digests_is_refused(terminal: Terminal) -> None:
    terminal.place.subscribe("ada")
    assert "no digest is called 'everyday'" in terminal.says("rename", "daily", "everyday", fails=1)
    other = terminal.place.config_path.read_text(encoding="utf-8").partition("[[digest]]")[2]
    terminal.place.configure(
        terminal.place.config_path.read_text(encoding="utf-8")
        + "[[digest]]"
        + other.replace('slug = "daily"', 'slug = "everyday"')
    )
    assert "'daily' is still in config.toml" in terminal.says("rename", "daily", "everyday", fails=1)
    terminal.place.subscribe("bob", digest="everyday")
    terminal.place.change('slug = "daily"', 'slug = "third"')
    assert "'everyday' has subscriptions already" in terminal.says("rename", "daily", "everyday", fails=1)
    assert "nothing of a digest 'fourth'" in terminal.says("rename", "fourth", "third", fails=1)
    assert active(terminal) == {"ada", "bob"}


def listed(terminal: Terminal) -> list[dict[str, Any]]:
    return list(terminal.facts("subscribers", "list"))


def active(terminal: Terminal) -> set[str]:
    return {
        each["address"].partition("@")[0]
        for each in listed(terminal)
        if any(digest["state"] == "active" for digest in each["digests"])
    }
