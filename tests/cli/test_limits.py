from __future__ import annotations

from datetime import timedelta

from digest.config import load
from digest.limits.limits import Meter, slow, take
from digest.storage.database import open_database
from digest.storage.limits import lock_meters, save_meters
from tests.cli.conftest import Terminal
from tests.scheduler.installation import Place, at

LIMITS = """
[mail]
limits = ["30 per day"]

[[mail.domain]]
names = ["gmail.com", "googlemail.com"]
limits = ["10 per second"]
"""
NOW = at("23 07:00")


def use_up(place: Place) -> None:
    config = load(place.config_path, {})
    limits = config.mail.limits
    slowed = slow(Meter(), "421 4.7.0 try later", NOW)
    changed = {
        limits.server.scope: take(limits.server, Meter(), 30, NOW),
        limits.domains[0].scope: slowed,
        "domain busy.example.org": slowed,  # it had limits before
    }
    database = open_database(config.database_url)
    with database.write() as connection:
        lock_meters(connection, sorted(changed), NOW)
        save_meters(connection, changed, NOW)
    database.close()


def limited(place: Place) -> None:
    place.configure(place.config_path.read_text(encoding="utf-8") + LIMITS)
    with place.app():
        use_up(place)


def test_a_publication_without_limits_is_told_where_to_set_them(terminal: Terminal) -> None:
    assert "there are no limits; they can be set in config.toml" in terminal.says("limits")


def test_each_limit_is_shown_with_its_use_and_the_reason_for_a_slowdown(
    terminal: Terminal, place: Place
) -> None:
    limited(place)
    shown = terminal.says("limits", "--now", "2026-11-23T07:02").splitlines()
    said = "slowed down since 2026-11-23 07:00 UTC, now at 60 %: 421 4.7.0 try later"
    assert [" ".join(line.split()) for line in shown] == [
        "to limit used next",
        "the folder 30 per day 30 2026-11-24 07:00",
        "gmail.com, googlemail.com 10 per second 0 –",
        "slowed to 360 per minute 0 –",
        f"gmail.com, googlemail.com: {said}",
    ]


def test_limits_are_printed_for_programs_too(terminal: Terminal, place: Place) -> None:
    limited(place)
    first, second = terminal.facts("limits", "--now", "2026-11-23T07:02")["limits"]
    assert (first["whom"], first["uses"][0]["used"], first["share"]) == ("the folder", 30, 100)
    assert (second["share"], second["reason"]) == (60, "421 4.7.0 try later")
    assert second["slowed_since"] == NOW.isoformat()


def test_a_slowdown_that_is_over_is_not_shown(terminal: Terminal, place: Place) -> None:
    limited(place)
    found = terminal.facts("limits", "--now", (NOW + timedelta(days=1)).isoformat())["limits"]
    assert [(each["whom"], each["share"]) for each in found] == [
        ("the folder", 100),
        ("gmail.com, googlemail.com", 100),
    ]


def test_a_run_ends_when_a_quota_is_used_up_and_says_when_to_continue(
    terminal: Terminal, place: Place
) -> None:
    place.configure(place.config_path.read_text(encoding="utf-8") + LIMITS.replace("30 per day", "2 per day"))
    place.subscribe("ana", "ben", "cleo")
    place.run("22 12:00")
    place.publish("A ferry")
    said = "\n".join(place.run("23 07:00"))
    assert "2 accepted" in said
    assert "continues at 2026-11-24 07:00 UTC" in said
    assert len(place.emails()) == 2
    assert "1 accepted" not in "\n".join(place.run("23 12:00"))
    place.run("24 07:00")
    assert len(place.emails()) >= 1
