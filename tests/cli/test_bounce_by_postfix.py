"""An edition is sent through Postfix to a mailbox that does not exist, and its bounce comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from digest.readers.subscribers import add_reader, requested
from tests.cli.conftest import Terminal
from tests.cli.postfix_inbox import Inbox, open_inbox
from tests.scheduler.installation import Place, at

MAIL = """[mail]
transport = "smtp"
host = "127.0.0.1"
port = {}
security = "none"
bounce_address = "{}"

[site]"""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as inbox:
        yield inbox


def published(inbox: Inbox, bounce_address: str) -> Terminal:
    """Return a publication that has sent an edition to Bob, who has a mailbox, and to Nil, who has none."""
    place = Place(inbox.site)
    place.change("[site]", MAIL.format(inbox.port, bounce_address))
    with place.app() as app:
        for address in ("bob@kept.example.org", "nil@alias.example.org"):
            requests = [requested("daily", topics="", hour="", zone="")]
            add_reader(app, address, requests, source="test", now=at("22 12:00"))
    place.publish("One", "Two", "Three")
    place.run("23 06:30")
    assert place.run("23 07:00") == ["daily-2026-11-23: sent: 2 accepted"]
    inbox.until(lambda: len(list((inbox.maildir / "new").glob("*"))) == 2)
    return Terminal(place)


@pytest.mark.parametrize("bounce_address", ["bounces+{token}@kept.example.org", "bounces@kept.example.org"])
def test_the_bounce_of_an_edition_arrives_in_a_maildir_and_is_understood(
    inbox: Inbox, bounce_address: str
) -> None:
    terminal = published(inbox, bounce_address)
    said = [line.partition(": ")[2] for line in terminal.says("receive", str(inbox.maildir)).splitlines()]
    assert sorted(said) == [
        "hard bounce, not mailed any more: 5.1.1",
        "nothing done: there is no token in the subject or the recipient",
    ]
    (bounced,) = terminal.facts("subscribers", "bounces")
    assert (bounced["address"], bounced["edition"]) == ("nil@alias.example.org", "daily-2026-11-23")
    suppressed = {each["address"]: each["suppressed"] for each in terminal.facts("subscribers", "list")}
    assert suppressed == {"nil@alias.example.org": "bounce", "bob@kept.example.org": None}
