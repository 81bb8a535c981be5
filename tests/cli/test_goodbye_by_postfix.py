"""A reader writes the goodbye of the `mailto:` in their mail, Postfix delivers it, and they have left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import unquote

import pytest

from tests.app.place import Place
from tests.cli.conftest import Terminal
from tests.cli.postfix_inbox import Inbox, open_inbox


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as inbox:
        yield inbox


@pytest.fixture
def terminal(inbox: Inbox) -> Terminal:
    """Return a publication that Ada and Bob read, and have had an edition of."""
    place = Place(inbox.site)
    place.subscribe("ada", "bob")
    place.publish("One", "Two", "Three")
    place.run("23 06:30")
    place.run("23 07:00")
    inbox.hand_over()
    return Terminal(place)


def goodbye(terminal: Terminal, reader: str, to: str) -> EmailMessage:
    """Write the mail that a mail program makes of the link in a reader's edition."""
    mails = (terminal.place.folder / "data/mail").glob("*.eml")
    got = next(
        mail
        for mail in (message_from_bytes(path.read_bytes(), policy=default) for path in mails)
        if reader in mail["To"]
    )
    link = re.search(r"<mailto:[^?>]+\?subject=([^>]+)>", str(got["List-Unsubscribe"]).replace(" ", ""))
    assert link
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"{reader}@example.org", to, unquote(link[1])
    mail.set_content("")
    return mail


def readers(terminal: Terminal) -> set[str]:
    listed = terminal.facts("subscribers", "list")
    return {each["address"] for each in listed if any(one["state"] == "active" for one in each["digests"])}


def test_a_goodbye_comes_into_a_maildir_and_is_honoured(inbox: Inbox, terminal: Terminal) -> None:
    assert inbox.take(goodbye(terminal, "ada", "leave@kept.example.org")) == "sent"
    (delivered,) = (inbox.maildir / "new").iterdir()
    said = terminal.says("receive", str(inbox.maildir))
    assert "left daily" in said
    assert delivered.name in said
    assert readers(terminal) == {"bob@example.org"}
    assert terminal.says("receive", str(inbox.maildir)) == ""


@pytest.mark.parametrize("way", ["alias", "pipe"])
def test_a_goodbye_goes_through_a_pipe_and_is_honoured(inbox: Inbox, terminal: Terminal, way: str) -> None:
    assert inbox.take(goodbye(terminal, "bob", f"leave@{way}.example.org")) == "sent"
    assert readers(terminal) == {"ada@example.org"}


@pytest.mark.parametrize("way", ["alias", "pipe"])
def test_a_mail_to_a_pipe_without_a_token_changes_nothing(inbox: Inbox, terminal: Terminal, way: str) -> None:
    mail = goodbye(terminal, "bob", f"leave@{way}.example.org")
    mail.replace_header("Subject", "unsubscribe")
    assert inbox.take(mail) == "sent"
    assert len(readers(terminal)) == 2


@pytest.mark.parametrize("way", ["alias", "pipe"])
def test_a_goodbye_waits_in_the_queue_while_the_database_is_away(
    inbox: Inbox, terminal: Terminal, way: str
) -> None:
    terminal.place.change("[site]", '[database]\nurl = "sqlite:///gazette.json/none.db"\n\n[site]')
    assert inbox.take(goodbye(terminal, "bob", f"leave@{way}.example.org")) == "deferred"
