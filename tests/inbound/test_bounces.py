"""A mail server says, while an edition is sent, that some readers' mailboxes do not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.model.deliveries import Counts, DeliveryState
from digest.readers.subscribers import find_readers
from digest.send.dead_mailboxes import note_dead_mailboxes
from tests.scheduler.installation import Place, at
from tests.smtp.reply_server import OFFERS, ReplyServer

UNKNOWN = "550 5.1.1 <someone@example.org>: no such user"
MAIL = (
    '[mail]\ntransport = "smtp"\nhost = "127.0.0.1"\nport = {}\nsecurity = "none"\nconnections = 1\n\n[site]'
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a publication with three readers, and an edition that is due."""
    place = Place(tmp_path)
    place.subscribe("ada", "bob", "cyn")
    place.publish("One", "Two", "Three")
    place.run("23 06:30")
    return place


def suppressed(place: Place) -> dict[str, str | None]:
    with place.app() as app:
        found = find_readers(app.database, app.config, digest=None, state=None, prefix="", limit=9)
    named = {each.subscriber.address.partition("@")[0]: each.suppression for each in found if each.subscriber}
    return {name: each.reason if each else None for name, each in named.items()}


def send(
    place: Place, *answers: str | None, now: str = "23 07:00", to: str = "RCPT"
) -> tuple[list[str], list[str]]:
    """Send what is due to a server with these answers to RCPT; return the output, and the recipients.

    The answers are for another command if `to` names it: MAIL, DATA, BODY (the end of the text) or BDAT.
    """
    offers = tuple(each for each in OFFERS if to == "BDAT" or each != "CHUNKING") if to != "RCPT" else OFFERS
    with ReplyServer({to: answers}, offers=offers) as server:
        before = place.config_path.read_text(encoding="utf-8")
        place.change("[site]", MAIL.format(server.port))
        said = place.run(now)
        place.configure(before)
    return said, sorted(address.partition("@")[0] for address in server.recipients())


def test_readers_without_a_mailbox_are_mailed_twice_and_not_again(place: Place) -> None:
    said, mailed = send(place, UNKNOWN, None, None)
    assert said == ["daily-2026-11-23: sent: 2 accepted, 1 rejected; no such mailbox: 1"]
    assert mailed == ["bob", "cyn"]
    assert set(suppressed(place).values()) == {None}
    compose(place, "24")
    said, _ = send(place, UNKNOWN, None, None, now="24 07:00")
    assert said == [
        "daily-2026-11-24: sent: 2 accepted, 1 rejected; no such mailbox: 1, not mailed any more: 1"
    ]
    assert suppressed(place) == {"ada": "bounce", "bob": None, "cyn": None}
    compose(place, "25")
    said, mailed = send(place, now="25 07:00")
    assert said == ["daily-2026-11-25: sent: 2 accepted"]
    assert mailed == ["bob", "cyn"]


def compose(place: Place, day: str) -> None:
    place.publish(f"Four of {day}", f"Five of {day}", f"Six of {day}")
    place.run(f"{day} 06:30")


def test_if_most_have_no_mailbox_the_server_is_wrong(place: Place) -> None:
    for day in ("23", "24"):
        (said,) = send(place, UNKNOWN, UNKNOWN, None, now=f"{day} 07:00")[0]
        assert said == (
            f"daily-2026-11-{day}: sent: 1 accepted, 2 rejected;"
            " no such mailbox: 2, too many to be true; is [mail] set to the right server?"
        )
        compose(place, f"{int(day) + 1}")
    assert set(suppressed(place).values()) == {None}


@pytest.mark.parametrize("answer", ["550 5.7.1 we do not want this", "552 5.2.2 over quota", "550 sorry"])
def test_a_refusal_for_another_reason_does_not_count_against_the_reader(place: Place, answer: str) -> None:
    said, _ = send(place, answer, None, None)
    assert said == ["daily-2026-11-23: sent: 2 accepted, 1 rejected"]
    assert set(suppressed(place).values()) == {None}


@pytest.mark.parametrize("command", ["MAIL", "DATA", "BODY", "BDAT"])
def test_only_an_answer_to_the_recipient_is_about_the_mailbox(place: Place, command: str) -> None:
    """Filters that have read the text answer "no such user" too, and so do servers that refuse the sender."""
    for day in ("23", "24", "25"):
        said, _ = send(place, UNKNOWN, None, None, now=f"{day} 07:00", to=command)
        assert said == [f"daily-2026-11-{day}: sent: 2 accepted, 1 rejected"]
        compose(place, f"{int(day) + 1}")
    assert set(suppressed(place).values()) == {None}


def test_an_edition_that_is_finished_again_counts_nothing_twice(place: Place) -> None:
    send(place, UNKNOWN, None, None)
    counts = Counts(by_state=((DeliveryState.ACCEPTED, 2), (DeliveryState.REJECTED, 1)))
    with place.app() as app:
        assert note_dead_mailboxes(app.database, "daily-2026-11-23", counts, now=at("23 08:00")) == ""
    assert set(suppressed(place).values()) == {None}
