from __future__ import annotations

from datetime import timedelta

from digest.config import load
from digest.send.limits import Meter, slow, take
from digest.storage.database import open_database
from digest.storage.limits import lock_meters, save_meters
from tests.app.place import Place, at
from tests.cli.conftest import Terminal

LIMITS = """
[mail]
limits = ["30 per day"]

[[mail.domain]]
names = ["gmail.com", "googlemail.com"]
limits = ["10 per second"]
"""
NOW = at("23 07:00")


def used(place: Place) -> None:
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
        used(place)


def test_without_limits_it_says_so(terminal: Terminal) -> None:
    assert "nothing is limited" in terminal.says("limits")


def test_each_limit_is_shown_with_what_is_used_and_who_is_slowed_and_why(
    terminal: Terminal, place: Place
) -> None:
    limited(place)
    shown = terminal.says("limits", "--now", "2026-11-23T07:02").splitlines()
    said = "slowed since 2026-11-23 07:00 UTC, now at 60 %: 421 4.7.0 try later"
    assert [" ".join(line.split()) for line in shown] == [
        "to limit used next",
        "the folder 30 per day 30 2026-11-24 07:00",
        "gmail.com, googlemail.com 10 per second 0 –",
        "slowed to 360 per minute 0 –",
        f"gmail.com, googlemail.com: {said}",
    ]


def test_the_facts_are_there_for_programs(terminal: Terminal, place: Place) -> None:
    limited(place)
    first, second = terminal.facts("limits", "--now", "2026-11-23T07:02")["limits"]
    assert (first["whom"], first["uses"][0]["used"], first["share"]) == ("the folder", 30, 100)
    assert (second["share"], second["reason"]) == (60, "421 4.7.0 try later")
    assert second["slowed_since"] == NOW.isoformat()


def test_what_is_over_is_not_shown(terminal: Terminal, place: Place) -> None:
    limited(place)
    found = terminal.facts("limits", "--now", (NOW + timedelta(days=1)).isoformat())["limits"]
    assert [(each["whom"], each["share"]) for each in found] == [
        ("the folder", 100),
        ("gmail.com, googlemail.com", 100),
    ]


def test_a_run_ends_where_a_quota_ends_and_says_when_it_goes_on(terminal: Terminal, place: Place) -> None:
    place.configure(place.config_path.read_text(encoding="utf-8") + LIMITS.replace("30 per day", "2 per day"))
    place.subscribe("ana", "ben", "cleo")
    place.run("22 12:00")
    place.publish("A ferry")
    said = "\n".join(place.run("23 07:00"))
    assert "2 accepted" in said
    assert "goes on at 2026-11-24 07:00 UTC" in said
    assert len(place.mails()) == 2
    assert "1 accepted" not in "\n".join(place.run("23 12:00"))
    place.run("24 07:00")
    assert len(place.mails()) >= 1
