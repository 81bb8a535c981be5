"""The accounts of the staff on the command line."""

from __future__ import annotations

from tests.cli.conftest import Terminal

MAREN = ("Maren Kolb", "maren@example.org")
INES = ("Ines Duarte", "ines@example.org")


def allow(terminal: Terminal) -> None:
    path = terminal.place.config_path
    path.write_text(f'{path.read_text("utf-8")}\n[staff]\nurl = "https://desk.example.org"\n', "utf-8")


def test_without_an_address_of_their_pages_nobody_is_added(terminal: Terminal) -> None:
    assert "staff.url: is not set" in terminal.says("staff", "add", *MAREN, "--role", "approver", fails=1)
    assert terminal.facts("staff", "list") == []


def test_people_are_added_changed_and_removed(terminal: Terminal) -> None:
    allow(terminal)
    added = terminal.says("staff", "add", *MAREN, "--role", "approver")
    assert added.startswith("added Maren Kolb as approver; this link works once, for three days:\n")
    link = added.splitlines()[1]
    assert link.startswith("https://desk.example.org/welcome/")
    terminal.says("staff", "add", *INES, "--role", "administrator")
    assert "has an account already" in terminal.says("staff", "add", *MAREN, "--role", "editor", fails=1)
    assert "no address of the staff" in terminal.says("staff", "link", "maren@example.com", fails=1)
    assert terminal.says("staff", "link", "maren@example.org").strip() not in ("", link)
    assert terminal.says("staff", "role", "maren@example.org", "editor") == "Maren Kolb is editor now\n"
    terminal.says("staff", "digests", "maren@example.org", "daily")
    assert [each["digests"] for each in terminal.facts("staff", "list")] == [None, ["daily"]]
    assert "no digest is called 'dayly'" in terminal.says(
        "staff", "digests", "maren@example.org", "dayly", fails=1
    )
    everything = terminal.says("staff", "digests", "maren@example.org", "--all")
    assert everything == "Maren Kolb works on all digests now\n"
    listed = {each["name"]: (each["role"], each["active"]) for each in terminal.facts("staff", "list")}
    assert listed == {"Ines Duarte": ("administrator", False), "Maren Kolb": ("editor", False)}
    assert terminal.says("staff", "remove", "maren@example.org") == "removed Maren Kolb\n"
    assert [each["name"] for each in terminal.facts("staff", "list")] == ["Ines Duarte"]
    assert "has not used the link" in terminal.says("staff", "list")
    told = [(each["name"], each["action"]) for each in terminal.facts("staff", "audit")]
    assert told[:2] == [
        ("the command line", "removed a person"),
        ("the command line", "let a person work on all digests"),
    ]
