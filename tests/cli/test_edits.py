"""Editors at the command line: each command makes an edit, and the email is the edited edition."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Terminal

EDITION = "daily-2026-11-23"
NOW = ("--now", "2026-11-22T12:00")
BY = ("--by", "Maren", *NOW)


@pytest.fixture
def composed(terminal: Terminal) -> Terminal:
    """Give a publication with a reader and a draft of five stories, two of them under Green."""
    terminal.place.publish("Ferry returns", "Ferry fares", "Tram opens")
    terminal.place.publish("Apples", "Cider", feed="orchard")
    terminal.place.subscribe("ada")
    terminal.call("collect", *NOW)
    terminal.call("compose", "daily", *NOW)
    return terminal


def test_an_edition_is_edited_and_sent_as_edited(composed: Terminal) -> None:
    said = composed.says("drop", "daily", "tram", *BY)
    assert 'edit 1: dropped "Tram opens"' in said
    assert f"{EDITION} is a draft with 4 stories; to undo: digest undo {EDITION}" in said
    for words in (
        ("lead", "daily", "ferry returns"),
        ("move", "daily", "ferry fares", "--before", "cider"),
        ("rewrite", "daily", "apples", "--headline", "Apples are ripe", "--text", "Pick them."),
        ("note", "daily", "cider", "Made *here*."),
        ("picture", "daily", "cider", "--none"),
        ("intro", "daily", "Good morning from the quay."),
        ("subject", "daily", "Boats and {{ lead.title }}", "--preheader", "And apples"),
        ("heading", "daily", "green", "Orchards & quays"),
        ("defer", "daily", "ferry returns"),
    ):
        composed.call(*words, *BY)
    assert "undid edit 12: deferred" in composed.says("undo", "daily", *BY)
    composed.call("approve", "daily", *BY)
    out = composed.place.folder
    composed.call("preview", "daily", "--out", str(out))
    assert "Subject: Boats and Ferry returns" in (out / f"{EDITION}.eml").read_text()
    composed.place.run("23 07:00")
    email = composed.place.emails()["ada"]
    for text in ("Apples are ripe", "Pick them.", "Orchards & quays"):
        assert text.casefold() in email.casefold()
    sections = composed.facts("editions", "daily")["edition"]["sections"]
    stories = [
        (story["title"], story.get("note", "")) for section in sections for story in section["stories"]
    ]
    assert ("Cider", "Made *here*.") in stories
    assert "Tram opens" not in email


def test_edits_are_listed_with_their_authors_and_with_what_became_of_them(composed: Terminal) -> None:
    composed.call("rewrite", "daily", "apples", "--headline", "Ripe", *BY)
    composed.call("undo", "daily", "1", "--by", "Jonas", *NOW)
    found = composed.facts("edits", "daily")
    assert [(each["number"], each["by"], each["remark"]) for each in found] == [
        (1, "Maren", "undone"),
        (2, "Jonas", ""),
    ]
    assert "undid edit 1: changed the headline of" in composed.says("edits", "daily")
    assert "no edit that could be undone" in composed.says("undo", "daily", *BY, fails=2)


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("drop", "daily", "ferry"), "'ferry' may stand for several stories: \"Ferry", 1),
        (("drop", "daily", "owls"), "no story is called 'owls'", 1),
        (("move", "daily", "cider"), "give --topic or --before", 2),
        (("move", "daily", "cider", "--topic", "moon"), "no topic of the edition is called 'moon'", 1),
        (("lead", "daily"), "give a STORY or --none", 2),
        (("rewrite", "daily", "cider"), "give --headline or --text", 2),
        (("picture", "daily", "cider"), "give --url or --none", 2),
        (("picture", "daily", "cider", "--url", "https://x.test/a.png"), "no picture of this story is", 1),
        (("subject", "daily"), "give a TEXT or --preheader", 2),
        (("subject", "daily", "{{ lede }}"), f"{EDITION} is not edited: ", 1),
    ],
)
def test_a_command_that_cannot_be_meant_so_is_refused(
    composed: Terminal, words: tuple[str, ...], said: str, code: int
) -> None:
    assert said in composed.says(*words, *BY, fails=code)
    assert composed.facts("edits", "daily") == []


def test_a_correction_keeps_the_words_of_the_editor(composed: Terminal) -> None:
    composed.call("rewrite", "daily", "apples", "--headline", "Ripe", *BY)
    feed = composed.place.folder / "orchard.json"
    feed.write_text(feed.read_text().replace('"Apples"', '"Apples and pears"').replace("Cider", "Old cider"))
    composed.call("collect", "--now", "2026-11-22T13:00")
    assert 'it is now "Apples and pears"' in composed.says("editions", "daily")
    composed.call("correct", "daily", *NOW)
    titles = composed.says("editions", "daily")
    assert "Ripe" in titles
    assert "Old cider" in titles
    assert "Apples and pears" not in titles
    assert (
        composed.facts("edits", "daily")[0]["remark"]
        == "rewrites what the publisher has changed since: Apples and pears"
    )


def test_a_draft_is_approved_by_its_hash_taken_back_planned_again_and_skipped(composed: Terminal) -> None:
    shown = composed.facts("editions", "daily")["hash"]
    assert "give HASH once" in composed.says("approve", "daily", shown, "--hash", shown, *BY, fails=2)
    composed.call("approve", "daily", "--hash", shown[:8], *BY)
    said = composed.says("unapprove", "daily", *BY)
    assert f"{EDITION} is a draft again" in said
    assert "it is sent Mon 23 Nov 2026 07:00 (UTC) all the same" in said
    composed.call("rewrite", "daily", "apples", "--headline", "Ripe", *BY)
    composed.place.publish("Market at the quay")
    later = ("--now", "2026-11-22T13:00")
    composed.call("collect", *later)
    assert f"{EDITION}: 6 stories" in composed.says("compose", "daily", "--again", *later)
    assert "--again is for drafts" in composed.says(
        "compose", "daily", "--again", "--gather", "daily", fails=2
    )
    assert "nothing has changed" in composed.says("compose", "daily", "--again", *later)
    said = composed.says("skip", "daily", "2026-11-23", "--reason", "storm", *BY)
    assert said == f"{EDITION} is skipped; its posts wait for the next edition\n"
    said = composed.says("skip", "daily", "2026-11-24", "--reason", "storm", *BY)
    assert said == "daily is skipped on 2026-11-24; its posts wait for the next edition\n"
    said = composed.says("skip", "daily", "2026-11-24", "--undo", *BY)
    assert said == "daily is not skipped on 2026-11-24 any more\n"
    assert "give either" in composed.says("skip", "daily", "2026-11-24", *BY, fails=2)


def test_own_merged_and_split_stories_and_a_sponsor_reach_the_email(composed: Terminal) -> None:
    own = ("--title", "Open house", "--topic", "green", "--blurb", "On Sunday.")
    assert 'edit 1: added "Open house" to Green' in composed.says("add", "daily", *own, *BY)
    merged = composed.says("merge", "daily", "apples", "cider", "open house", *BY)
    assert 'edit 3: merged "Open house" into "Apples"' in merged
    split = composed.says("split", "daily", "apples", "--post", "open", *BY)
    assert 'edit 4: split "Open house" off "Apples"' in split
    sponsor = ("--name", "Quay Books", "--text", "Maps of *every* island.", "--url", "https://quay.test")
    assert "changed the sponsor: Quay Books" in composed.says("sponsor", "daily", *sponsor, *BY)
    composed.call("sponsor", "daily", "--name", "Quay Books", *BY, fails=2)
    composed.call("merge", "daily", "apples", *BY, fails=2)
    composed.place.run("23 07:00")
    email = composed.place.emails()["ada"]
    for text in ("Open house", "On Sunday.", "Cider — Orchard Notes", "Quay Books"):
        assert text.casefold() in email.casefold()
