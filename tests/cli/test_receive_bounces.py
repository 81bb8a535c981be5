"""Bounces, as a mail server passes them to `digest receive`."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from digest.readers.data import export_data
from digest.readers.history import history_of
from digest.readers.subscribers import NoReaderError, remove_reader
from subscribers.model import Consent, ConsentAction, Origin
from subscribers.rules.decisions import Change
from subscribers.store.writing import write_change
from tests.cli.conftest import Terminal
from tests.inbound.test_bounce_reports import COMPLAINT_MAIL, SEAL, report
from tests.scheduler.installation import Place, at

MAIL = """[mail]
bounce_address = "bounces+{token}@digest.example.org"
unsubscribe_address = "leave@digest.example.org"

[site]"""


@pytest.fixture
def terminal(place: Place) -> Terminal:
    """Return a publication that has sent an edition to Ada and Bob, each with a return path of their own."""
    place.change("[site]", MAIL)
    place.subscribe("ada", "bob")
    place.publish("One", "Two", "Three")
    place.run("23 06:30")
    place.run("23 07:00")
    return Terminal(place)


def seal_of(terminal: Terminal, reader: str = "ada") -> str:
    """Return the seal in the Message-ID of a reader's email, which is also in their return path."""
    return str(mail_to(terminal, reader)["Message-ID"]).partition("@")[0].rpartition(".")[2]


def mail_to(terminal: Terminal, reader: str) -> Message:
    emails = (terminal.place.folder / "data/mail").glob("*.eml")
    parsed = [message_from_bytes(path.read_bytes()) for path in emails]
    return next(mail for mail in parsed if reader in str(mail["To"]))


def about(mail: bytes, seal: str) -> str:
    return mail.decode().replace(SEAL, seal)


def mailed(terminal: Terminal) -> dict[str, str | None]:
    """Return for each reader the reason why they are not mailed any more, or None."""
    return {each["address"]: each["suppressed"] for each in terminal.facts("subscribers", "list")}


def test_after_a_hard_bounce_its_reader_and_nobody_else_is_not_mailed_any_more(terminal: Terminal) -> None:
    mail = about(report(), seal_of(terminal))
    said = terminal.says("receive", "--now", "2026-11-23T07:10", stdin=mail)
    assert said == "stdin: hard bounce, not mailed any more: 550 5.1.1\n"
    assert mailed(terminal) == {"ada@example.org": "bounce", "bob@example.org": None}
    assert terminal.says("receive", stdin=mail) == "stdin: nothing done: already known\n"
    terminal.place.emails()
    terminal.place.publish("Four", "Five", "Six")
    terminal.place.run("24 06:30")
    terminal.place.run("24 07:00")
    assert set(terminal.place.emails()) == {"bob"}


def test_a_reader_who_complained_is_never_mailed_again(terminal: Terminal) -> None:
    mail = about(COMPLAINT_MAIL.format("abuse").encode(), seal_of(terminal, "bob"))
    assert terminal.says("receive", stdin=mail).startswith("stdin: complaint bounce, never mailed again")
    assert mailed(terminal) == {"ada@example.org": None, "bob@example.org": "complaint"}


def test_a_reader_is_not_mailed_any_more_after_soft_bounces_on_five_days(terminal: Terminal) -> None:
    seal = seal_of(terminal)
    for day in range(1, 5):
        mail = about(
            report("smtp; 552 5.2.2 over quota", to=f"bounces+{SEAL}@digest.example.org, {day}"), seal
        )
        said = terminal.says("receive", "--now", f"2026-11-2{day}T08:00", stdin=mail)
        assert said.startswith(f"stdin: soft bounce, on {day} of 5 days: 552 5.2.2")
        assert mailed(terminal)["ada@example.org"] is None
    mail = about(report("smtp; 552 5.2.2 over quota"), seal)
    assert "soft bounce, not mailed any more" in terminal.says(
        "receive", "--now", "2026-11-25T08:00", stdin=mail
    )
    assert mailed(terminal)["ada@example.org"] == "bounce"


@pytest.mark.parametrize(
    ("mail", "says"),
    [
        (report(), "the bounce is not about one of our messages"),  # its seal identifies nobody
        (
            report(to="daily@digest.example.org", original="Subject: x\n"),
            "the bounce is not about one of our messages",
        ),
        (report(action="delayed", status="4.4.1"), "the report is not about a mailbox"),
        (b"x" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_report_that_identifies_no_reader_changes_nothing(
    terminal: Terminal, mail: bytes, says: str
) -> None:
    assert terminal.says("receive", stdin=mail.decode()) == f"stdin: nothing done: {says}\n"
    assert set(mailed(terminal).values()) == {None}
    assert terminal.facts("subscribers", "bounces") == []


def test_a_seal_with_a_changed_letter_identifies_nobody(terminal: Terminal) -> None:
    seal = seal_of(terminal)
    for damaged in (f"{int(seal[0], 16) ^ 1:x}{seal[1:]}", f"{seal[:-1]}{int(seal[-1], 16) ^ 1:x}"):
        said = terminal.says("receive", stdin=about(report(), damaged))
        assert said == "stdin: nothing done: the bounce is not about one of our messages\n"
    assert set(mailed(terminal).values()) == {None}


def test_a_blocked_message_is_recorded_and_its_reader_is_still_mailed(terminal: Terminal) -> None:
    mail = about(report("smtp; 554 5.7.1 blocked, see our policy"), seal_of(terminal))
    assert terminal.says("receive", stdin=mail).startswith("stdin: other bounce, no consequence: 554 5.7.1")
    assert set(mailed(terminal).values()) == {None}


def test_a_bounce_is_in_the_list_in_the_history_and_in_the_readers_data(terminal: Terminal) -> None:
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
        reader, _ = history_of(app.database, app.secret, "ada@example.org")
        data: dict[str, Any] = export_data(app.database, reader)
    assert [each["kind"] for each in data["bounces"]] == ["hard"]


def test_a_bounce_of_an_erased_reader_changes_nothing(terminal: Terminal) -> None:
    mail = about(report(), seal_of(terminal))
    with terminal.place.app() as app:
        remove_reader(app, "ada@example.org", None, forget=True, now=at("23 07:05"))
    assert terminal.says("receive", stdin=mail) == "stdin: nothing done: the reader's data has been erased\n"


def test_a_bounce_of_a_former_address_does_not_count_for_the_new_one(terminal: Terminal) -> None:
    seal = seal_of(terminal)
    move(terminal, "ada@example.org", at("23 07:05"))
    early, late = (about(report(original=f"X: {n}\n", to=f"b+{SEAL}@example.org"), seal) for n in (1, 2))
    said = terminal.says("receive", "--now", "2026-11-24T08:00", stdin=early)
    assert said == "stdin: nothing done: the reader has changed the address since\n"
    assert "not mailed any more" in terminal.says("receive", "--now", "2026-12-01T08:00", stdin=late)


def move(terminal: Terminal, address: str, now: datetime) -> None:
    """Record that a reader has changed their address and confirmed the change."""

    with terminal.place.app() as app:
        reader, _ = history_of(app.database, app.secret, address)
        assert reader.subscriber is not None
        consent = Consent(act=ConsentAction.MOVED, at=now, origin=Origin(source="test"))
        with app.database.write() as connection:
            write_change(connection, Change(subscriber=reader.subscriber, consent=consent), now)


def test_a_maildir_may_contain_unsubscribe_requests_and_bounces(terminal: Terminal, tmp_path: Path) -> None:
    box = tmp_path / "Maildir"
    (box / "new").mkdir(parents=True)
    (box / "new/1.bounce").write_text(about(report(), seal_of(terminal)))
    subject = mail_to(terminal, "bob")["List-Unsubscribe"].partition("?subject=")[2].partition(">")[0]
    subject = subject.replace("%20", " ")
    (box / "new/2.request").write_text(f"From: bob@example.org\nSubject: {subject}\n\n")
    said = terminal.says("receive", str(box)).splitlines()
    assert said[0].startswith("1.bounce: hard bounce, not mailed any more")
    assert said[1] == "2.request: unsubscribed from daily"
    with terminal.place.app() as app, pytest.raises(NoReaderError):
        history_of(app.database, app.secret, "cyn@example.org")
