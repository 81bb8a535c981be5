"""`digest check` finds what would stop an edition at its send time, or should."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.render.templates import load_templates
from tests.cli.conftest import Terminal

OURS = load_templates().defaults
COLOURS = """{% set colours = {"green": "#205020"} %}
<tr><td style="border-left:4px solid {{ colours[section.slug] }}">"""

CELL = '<tr><td class="card pad told"'


@pytest.fixture
def own(terminal: Terminal) -> Path:
    """Give a folder for own templates."""
    folder = terminal.place.folder / "own"
    (folder / "mail").mkdir(parents=True)
    terminal.place.change("[site]", '[site]\ntemplates = "own"')
    return folder


def change(own: Path, name: str, old: str, new: str) -> None:
    source = (OURS / name).read_text(encoding="utf-8")
    assert old in source
    (own / name).write_text(source.replace(old, new, 1), encoding="utf-8")


def test_a_template_that_knows_only_the_topics_of_the_operator_is_fine(terminal: Terminal, own: Path) -> None:
    change(own, "mail/_section.html", CELL, f"{COLOURS}</td></tr>\n{CELL}")
    said = terminal.says("check")
    assert "warn   emails of daily: An edition with a story under no topic (its section is 'more')" in said
    terminal.place.publish("Ferry", "Tram")  # under no topic, so the next edition would be stopped
    terminal.call("collect", "--now", "2026-11-22T12:00")
    assert "WRONG  emails of daily: " in terminal.says("check", fails=1)


def test_a_foot_without_unsubscribe_link_is_refused_by_check_and_reported_at_the_cutoff(
    terminal: Terminal, own: Path
) -> None:
    (own / "mail/_foot.txt").write_text("Boats for hire.\n", encoding="utf-8")
    said = terminal.says("check", fails=1)
    assert "WRONG  emails of daily: The plain text has no link to unsubscribe." in said
    assert (
        "WRONG  emails of daily: The plain text does not show the whole postal address of the site." in said
    )
    place = terminal.place
    place.publish("Ferry")
    place.subscribe("ada")
    cutoff = place.run("23 06:30")
    assert any(
        "failed: daily-2026-11-23 cannot be sent as it is: The plain text has no" in each for each in cutoff
    )
    assert "no link to unsubscribe" in terminal.says("approve", "daily", fails=1)
    assert "no link to unsubscribe" in terminal.says("run", "--now", "2026-11-23T07:00", fails=1)
    terminal.call("preview", "daily", "--out", str(place.folder / "look"))
    assert place.emails() == {}
    (own / "mail/_foot.txt").unlink()
    assert place.run("23 07:05")[-1] == "daily-2026-11-23: sent: 1 accepted"


def test_large_wide_and_dark_templates_are_found(terminal: Terminal, own: Path) -> None:
    long = "<p>" + "Harbour walks, all year. " * 2_600 + "</p>"
    change(own, "mail/_foot.html", '<p class="small-print">', f'{long}<p class="small-print">')
    change(
        own,
        "mail/edition.html",
        'width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="{{ brand.light.card }}"',
        'width="900"',
    )
    change(own, "mail/_styles.html", "d.text)", '"#2b2a28")')
    said = terminal.says("check", fails=1)
    assert "WRONG  emails of daily: A <table> is 900 pixels wide, wider than a phone" in said
    assert "WRONG  emails of daily: In dark mode, the text" in said
    assert "warn   emails of daily: The HTML has" in said


def test_the_preflight_of_an_edition_names_rule_place_and_fix(terminal: Terminal) -> None:
    terminal.place.publish("THE FERRY IS BACK TODAY", published="22 12:00", feed="orchard")
    terminal.place.run("23 06:30")
    terminal.call("intro", "daily", "Hello {{ name }}!")
    said = terminal.says("check", "daily", fails=1)
    assert "daily-2026-11-23: cannot be sent as it is: one error and one warning" in said
    assert "WRONG  unresolved: “{{” in “Hello {{ name }}!” is an expression" in said
    assert "warn   subject_shouting: The subject shouts: “THE FERRY IS BACK TODAY” (the subject)" in said
    assert "ok     subject line, length of the subject, same subject as last time" in said
    assert "all topics" in said
    off = '[preflight]\noff = { subject_shouting = "so be it", unresolved = "it is about templates" }\n\n'
    terminal.place.change("[[digest]]", f"{off}[[digest]]")
    assert "ready to send\noff    subject_shouting: so be it\n" in terminal.says("check", "daily")
