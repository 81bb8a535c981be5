"""Only commands that send need the password of the mail server."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Terminal
from tests.scheduler.installation import CONFIG, Place

SAID = "there is no password: set 'password_file', or the variable DIGEST_SMTP_PASSWORD"


@pytest.fixture
def locked(place: Place) -> Place:
    """Return a publication whose mail server needs a password that is not set."""
    place.publish("Ferry")
    place.subscribe("ada")
    place.configure(f'{CONFIG}\n[mail]\ntransport = "smtp"\nhost = "127.0.0.1"\nport = 9\nuser = "digest"\n')
    return place


def test_everything_else_works_without_the_password(locked: Place, terminal: Terminal) -> None:
    (locked.folder / "list.csv").write_text("address\nbob@example.org\n")
    terminal.call("subscribers", "import", str(locked.folder / "list.csv"), "--source", "a club", "--yes")
    terminal.call("collect")
    assert "to be sent" in terminal.says("compose", "daily")
    terminal.call("preview", "daily", "--out", str(locked.folder / "preview"))
    assert "Ferry" in terminal.says("editions", "daily")
    assert "2 emails would be sent" in terminal.says("send", "daily", "--dry-run")
    terminal.call("approve", "daily")


def test_what_sends_names_the_variable_and_the_setting(locked: Place, terminal: Terminal) -> None:
    terminal.call("collect")
    terminal.call("compose", "daily")
    for command in (
        ("send", "daily"),
        ("send", "daily", "--test-to", "ada@example.org"),
        ("retry", "daily"),
        ("serve", "--no-web"),
    ):
        said = terminal.says(*command, fails=1)
        assert "config.toml:" in said
        assert SAID in said
    assert terminal.facts("editions", "daily")["state"] == "draft"
    found = terminal.facts("check", fails=1)
    assert [each["subject"] for each in found if SAID in each["detail"]] == ["mail"]


def test_a_run_collects_and_composes_and_says_why_it_cannot_send(locked: Place, terminal: Terminal) -> None:
    locked.run("22 12:00")
    said = terminal.says("run", "--now", "2026-11-23T07:00Z", fails=1)
    assert "daily-2026-11-23: composed" in said
    assert "daily-2026-11-23: failed" in said
    assert SAID in said
