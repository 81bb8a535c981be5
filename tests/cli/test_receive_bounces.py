"""Bounces, as a mail server hands them to `digest receive`, and dead mailboxes it names while we send."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from digest.app.lives import life_of
from digest.app.preferences import export_data
from digest.app.readers import NoReaderError, remove_reader
from subscribers.decisions import Change
from subscribers.model import Act, Consent, Origin
from subscribers.record import write_change
from tests.app.place import Place, at
from tests.cli.conftest import Terminal
from tests.subscribers.test_bounce_mail import COMPLAINT_MAIL, SEAL, report


@pytest.fixture
def terminal(place: Place) -> Terminal:
    """Return a publication that Ada and Bob read, and have had an edition of, each with a return path."""
    place.change("[site]", '[mail]\nbounce_address = "bounces+{token}@digest.example.org"\n\n[site]')
    place.subscribe("ada", "bob")
    place.publish("One", "Two", "Three")
    place.run("23 06:30")
    place.run("23 07:00")
    return Terminal(place)


def seal_of(terminal: Terminal, reader: str = "ada") -> str:
    """Return the seal that stands in the Message-ID of a reader's mail, and so in their return path."""
    return str(mail_to(terminal, reader)["Message-ID"]).partition("@")[0].rpartition(".")[2]


def mail_to(terminal: Terminal, reader: str) -> Message:
    mails = (terminal.place.folder / "data/mail").glob("*.eml")
    parsed = [message_from_bytes(path.read_bytes()) for path in mails]
    return next(mail for mail in parsed if reader in str(mail["To"]))


def about(mail: bytes, seal: str) -> str:
    return mail.decode().replace(SEAL, seal)


def mailed(terminal: Terminal) -> dict[str, str | None]:
    """Return why each reader is not mailed any more, if so."""
    return {each["address"]: each["suppressed"] for each in terminal.facts("subscribers", "list")}


def test_a_hard_bounce_ends_the_mails_of_its_reader_and_of_nobody_else(terminal: Terminal) -> None:
    mail = about(report(), seal_of(terminal))
    said = terminal.says("receive", "--now", "2026-11-23T07:10", stdin=mail)
    assert said == "mail: hard bounce, not mailed any more: 550 5.1.1\n"
    assert mailed(terminal) == {"ada@example.org": "bounce", "bob@example.org": None}
    assert terminal.says("receive", stdin=mail) == "mail: nothing done: known already\n"
    terminal.place.mails()
    terminal.place.publish("Four", "Five", "Six")
    terminal.place.run("24 06:30")
    terminal.place.run("24 07:00")
    assert set(terminal.place.mails()) == {"bob"}


def test_a_complaint_ends_them_for_good(terminal: Terminal) -> None:
    mail = about(COMPLAINT_MAIL.format("abuse").encode(), seal_of(terminal, "bob"))
    assert terminal.says("receive", stdin=mail).startswith("mail: complaint bounce, never mailed again")
    assert mailed(terminal) == {"ada@example.org": None, "bob@example.org": "complaint"}


def test_soft_bounces_end_them_on_the_fifth_day(terminal: Terminal) -> None:
    seal = seal_of(terminal)
    for day in range(1, 5):
        mail = about(
            report("smtp; 552 5.2.2 over quota", to=f"bounces+{SEAL}@digest.example.org, {day}"), seal
        )
        said = terminal.says("receive", "--now", f"2026-11-2{day}T08:00", stdin=mail)
        assert said.startswith(f"mail: soft bounce, on {day} of 5 days: 552 5.2.2")
        assert mailed(terminal)["ada@example.org"] is None
    mail = about(report("smtp; 552 5.2.2 over quota"), seal)
    assert "soft bounce, not mailed any more" in terminal.says(
        "receive", "--now", "2026-11-25T08:00", stdin=mail
    )
    assert mailed(terminal)["ada@example.org"] == "bounce"


@pytest.mark.parametrize(
    ("mail", "says"),
    [
        (report(), "a bounce of no mail of ours"),  # its seal is nobody's
        (report(to="daily@digest.example.org", original="Subject: x\n"), "a bounce of no mail of ours"),
        (report(action="delayed", status="4.4.1"), "a report that says nothing of a mailbox"),
        (b"x" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_what_says_nothing_of_a_reader_changes_nothing(terminal: Terminal, mail: bytes, says: str) -> None:
    assert terminal.says("receive", stdin=mail.decode()) == f"mail: nothing done: {says}\n"
    assert set(mailed(terminal).values()) == {None}
    assert terminal.facts("subscribers", "bounces") == []


def test_a_seal_for_something_else_or_with_a_changed_letter_is_nobodys(terminal: Terminal) -> None:
    seal = seal_of(terminal)
    for damaged in (f"{int(seal[0], 16) ^ 1:x}{seal[1:]}", f"{seal[:-1]}{int(seal[-1], 16) ^ 1:x}"):
        said = terminal.says("receive", stdin=about(report(), damaged))
        assert said == "mail: nothing done: a bounce of no mail of ours\n"
    assert set(mailed(terminal).values()) == {None}


def test_a_mail_that_is_not_let_in_is_noted_and_its_reader_goes_on(terminal: Terminal) -> None:
    mail = about(report("smtp; 554 5.7.1 blocked, see our policy"), seal_of(terminal))
    assert terminal.says("receive", stdin=mail).startswith("mail: other bounce, nothing follows: 554 5.7.1")
    assert set(mailed(terminal).values()) == {None}


def test_what_came_back_is_listed_told_in_a_life_and_given_out_to_its_reader(terminal: Terminal) -> None:
    mail = about(report(), seal_of(terminal))
    terminal.says("receive", "--now", "2026-11-23T07:10", stdin=mail)
    (listed,) = terminal.facts("subscribers", "bounces")
    assert listed == {
        "at": "2026-11-23T07:10:00+00:00",
        "kind": "hard",
        "address": "ada@example.org",
        "edition": "daily-2026-11-23",
        "source": "mail",
        "reason": "550 5.1.1 … no such user",
        "suppressed": "bounce",
    }
    shown = terminal.says("subscribers", "bounces", "--kind", "hard")
    assert "ada@example.org" in shown
    assert "not mailed" in shown
    assert terminal.facts("subscribers", "bounces", "--kind", "soft") == []
    assert "hard bounce" in terminal.says("subscribers", "history", "ada@example.org")
    with terminal.place.app() as app:
        reader, _ = life_of(app, "ada@example.org")
        data: dict[str, Any] = export_data(app, reader)
    assert [each["kind"] for each in data["bounces"]] == ["hard"]


def test_of_who_is_forgotten_nothing_that_comes_back_says_anything(terminal: Terminal) -> None:
    mail = about(report(), seal_of(terminal))
    with terminal.place.app() as app:
        remove_reader(app, "ada@example.org", None, forget=True, now=at("23 07:05"))
    assert terminal.says("receive", stdin=mail) == "mail: nothing done: the reader is forgotten\n"


def test_a_bounce_of_the_address_of_before_does_not_hit_the_new_one(terminal: Terminal) -> None:
    seal = seal_of(terminal)
    move(terminal, "ada@example.org", at("23 07:05"))
    early, late = (about(report(original=f"X: {n}\n", to=f"b+{SEAL}@example.org"), seal) for n in (1, 2))
    said = terminal.says("receive", "--now", "2026-11-24T08:00", stdin=early)
    assert said == "mail: nothing done: the reader has another address by now\n"
    assert "not mailed any more" in terminal.says("receive", "--now", "2026-12-01T08:00", stdin=late)


def move(terminal: Terminal, address: str, now: datetime) -> None:
    """Note that a reader has changed their address, as confirming it at both ends does."""

    with terminal.place.app() as app:
        reader, _ = life_of(app, address)
        assert reader.subscriber is not None
        consent = Consent(act=Act.MOVED, at=now, origin=Origin(source="test"))
        with app.database.write() as connection:
            write_change(connection, Change(subscriber=reader.subscriber, consent=consent), now)


def test_a_maildir_may_hold_goodbyes_and_bounces_mixed(terminal: Terminal, tmp_path: Path) -> None:
    box = tmp_path / "Maildir"
    (box / "new").mkdir(parents=True)
    (box / "new/1.bounce").write_text(about(report(), seal_of(terminal)))
    subject = mail_to(terminal, "bob")["List-Unsubscribe"].partition("?subject=")[2].partition(">")[0]
    subject = subject.replace("%20", " ")
    (box / "new/2.goodbye").write_text(f"From: bob@example.org\nSubject: {subject}\n\n")
    said = terminal.says("receive", str(box)).splitlines()
    assert said[0].startswith("1.bounce: hard bounce, not mailed any more")
    assert said[1] == "2.goodbye: left daily"
    with terminal.place.app() as app, pytest.raises(NoReaderError):
        life_of(app, "cyn@example.org")
