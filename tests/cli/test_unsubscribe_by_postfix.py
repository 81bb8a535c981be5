"""A reader follows the `mailto:` link of an email, and Postfix delivers the request to `digest receive`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import unquote

import pytest

from tests.cli.conftest import Terminal
from tests.cli.postfix_inbox import Inbox, open_inbox
from tests.scheduler.installation import Place


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as inbox:
        yield inbox


@pytest.fixture
def terminal(inbox: Inbox) -> Terminal:
    """Return a publication that has sent an edition to Ada and Bob."""
    place = Place(inbox.site)
    place.change("[site]", '[mail]\nunsubscribe_address = "leave@kept.example.org"\n\n[site]')
    place.subscribe("ada", "bob")
    place.publish("One", "Two", "Three")
    place.run("23 06:30")
    place.run("23 07:00")
    inbox.hand_over()
    return Terminal(place)


def request_from(terminal: Terminal, reader: str, domain: str, *, subject: str = "") -> EmailMessage:
    """Return the message that a mail program makes from the link in a reader's email.

    The domain of the link is replaced, and so is its subject if `subject` is given.
    """
    emails = (terminal.place.folder / "data/mail").glob("*.eml")
    got = next(
        mail
        for mail in (message_from_bytes(path.read_bytes(), policy=default) for path in emails)
        if reader in mail["To"]
    )
    field = str(got["List-Unsubscribe"]).replace(" ", "")
    link = re.search(r"<mailto:(leave\+[0-9a-f]{42})@[^?>]+\?subject=([^>]+)>", field)
    assert link
    mail = EmailMessage()
    mail["From"], mail["To"] = f"{reader}@example.org", f"{link[1]}@{domain}"
    mail["Subject"] = subject or unquote(link[2])
    mail.set_content("")
    return mail


def readers(terminal: Terminal) -> set[str]:
    listed = terminal.facts("subscribers", "list")
    return {each["address"] for each in listed if any(one["state"] == "active" for one in each["digests"])}


def test_an_unsubscribe_request_that_arrives_in_a_maildir_is_carried_out(
    inbox: Inbox, terminal: Terminal
) -> None:
    assert inbox.take(request_from(terminal, "ada", "kept.example.org")) == "sent"
    (delivered,) = (inbox.maildir / "new").iterdir()
    said = terminal.says("receive", str(inbox.maildir))
    assert "unsubscribed from daily" in said
    assert delivered.name in said
    assert readers(terminal) == {"bob@example.org"}
    assert terminal.says("receive", str(inbox.maildir)) == ""


@pytest.mark.parametrize("way", ["alias", "pipe"])
def test_an_unsubscribe_request_that_arrives_through_a_pipe_is_carried_out(
    inbox: Inbox, terminal: Terminal, way: str
) -> None:
    assert inbox.take(request_from(terminal, "bob", f"{way}.example.org")) == "sent"
    assert readers(terminal) == {"ada@example.org"}


@pytest.mark.parametrize("way", ["alias", "pipe"])
def test_the_request_of_a_mail_program_of_apple_is_carried_out_by_its_address_alone(
    inbox: Inbox, terminal: Terminal, way: str
) -> None:
    """It is marked as an automatic reply, has a subject of its own, and its address is in capitals."""
    mail = request_from(terminal, "bob", f"{way}.example.org", subject="Unsubscribe")
    local, _, domain = str(mail["To"]).partition("@")
    mail.replace_header("To", f"{local.upper()}@{domain}")
    mail["Auto-Submitted"], mail["X-Apple-Unsubscribe"] = "auto-replied", "true"
    assert inbox.take(mail) == "sent"
    assert readers(terminal) == {"ada@example.org"}


@pytest.mark.parametrize("way", ["alias", "pipe"])
def test_a_vacation_notice_to_the_address_changes_nothing(inbox: Inbox, terminal: Terminal, way: str) -> None:
    mail = request_from(terminal, "bob", f"{way}.example.org", subject="Re: Harbour news")
    mail["Auto-Submitted"], mail["Precedence"] = "auto-replied (vacation)", "bulk"
    assert inbox.take(mail) == "sent"
    assert len(readers(terminal)) == 2


@pytest.mark.parametrize("way", ["alias", "pipe"])
def test_a_message_without_a_token_changes_nothing(inbox: Inbox, terminal: Terminal, way: str) -> None:
    mail = request_from(terminal, "bob", f"{way}.example.org", subject="unsubscribe")
    mail.replace_header("To", f"leave@{way}.example.org")
    assert inbox.take(mail) == "sent"
    assert len(readers(terminal)) == 2


@pytest.mark.parametrize("way", ["alias", "pipe"])
def test_an_unsubscribe_request_waits_in_the_queue_while_the_database_is_away(
    inbox: Inbox, terminal: Terminal, way: str
) -> None:
    terminal.place.change("[site]", '[database]\nurl = "sqlite:///gazette.json/none.db"\n\n[site]')
    assert inbox.take(request_from(terminal, "bob", f"{way}.example.org")) == "deferred"
