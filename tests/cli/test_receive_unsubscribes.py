"""Unsubscribe requests by mail: from a pipe, from files and from a Maildir."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.cli import program
from subscribers.tokens import reader_token
from tests.cli.conftest import Terminal
from tests.scheduler.installation import Place

SECOND = """
[[digest]]
slug = "weekend"
title = "Weekend"
schedule = "saturdays at 09:00"
from = "Harbour <weekend@digest.example.org>"
"""


@pytest.fixture
def terminal(place: Place) -> Terminal:
    """Return a publication with two digests, both read by Ada."""
    place.configure(place.config_path.read_text(encoding="utf-8") + SECOND)
    for digest in ("daily", "weekend"):
        place.subscribe("ada", digest=digest)
    return Terminal(place)


def token(place: Place, purpose: str = "u:daily", number: int | None = None) -> str:
    with place.app() as app:
        return reader_token(app.secret, reader_id(place) if number is None else number, purpose)


def reader_id(place: Place) -> int:
    (reader,) = Terminal(place).facts("subscribers", "list")
    return int(reader["id"])


def reads(terminal: Terminal) -> set[str]:
    (reader,) = terminal.facts("subscribers", "list")
    return {each["digest"] for each in reader["digests"] if each["state"] == "active"}


def mail(subject: str, more: str = "", text: str = "Please unsubscribe me.") -> str:
    return f"From: ada@example.org\nTo: leave@example.org\n{more}Subject: {subject}\n\n{text}\n"


def test_a_message_from_a_pipe_unsubscribes_its_reader_from_that_digest(
    terminal: Terminal, place: Place
) -> None:
    said = terminal.says("receive", stdin=mail(f"Re: unsubscribe {token(place, 'u:weekend')}"))
    assert said == "stdin: unsubscribed from weekend\n"
    assert reads(terminal) == {"daily"}


@pytest.mark.parametrize("around", ["{} all", "weekend {}", "everything u:weekend {} /u/weekend/{}"])
def test_a_message_unsubscribes_its_reader_only_from_the_digest_of_its_token(
    terminal: Terminal, place: Place, around: str
) -> None:
    subject = around.replace("{}", token(place))
    more = f"List-Unsubscribe: One-Click\nCc: leave+{token(place, 'u:weekend')}@example.org\n"
    terminal.says("receive", stdin=mail(subject, more, text="weekend, all, everything"))
    assert reads(terminal) == {"weekend"}


@pytest.mark.parametrize(
    "where", ["To: leave+{}@example.org\nSubject: Unsubscribe", "Subject: unsubscribe {}"]
)
def test_the_request_of_a_mail_program_of_apple_is_carried_out(
    terminal: Terminal, place: Place, where: str
) -> None:
    """It is marked as an automatic answer, and has a field of its own."""
    apple = "Auto-Submitted: auto-replied\nX-Apple-Unsubscribe: true\n"
    request = f"From: ada@example.org\n{apple}{where.format(token(place))}\n\nSent to unsubscribe.\n"
    assert terminal.says("receive", stdin=request) == "stdin: unsubscribed from daily\n"
    assert reads(terminal) == {"weekend"}


def test_if_the_token_in_the_subject_is_damaged_the_recipient_counts(
    terminal: Terminal, place: Place
) -> None:
    more = f"Cc: leave+{token(place)}@example.org\n"
    said = terminal.says("receive", stdin=mail(f"unsubscribe {token(place, 'p')}", more))
    assert said == "stdin: unsubscribed from daily\n"


def test_a_repeated_request_changes_nothing(terminal: Terminal, place: Place) -> None:
    request = mail(f"unsubscribe {token(place)}")
    assert terminal.says("receive", stdin=request) == "stdin: unsubscribed from daily\n"
    assert terminal.says("receive", "-", stdin=request) == "stdin: nothing to do: already unsubscribed\n"
    assert reads(terminal) == {"weekend"}


def test_the_link_in_an_email_of_ours_is_an_unsubscribe_request(terminal: Terminal, place: Place) -> None:
    _, subject = link_of(place)
    terminal.says("receive", stdin=mail(subject))
    assert reads(terminal) == {"weekend"}


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_the_address_in_an_email_of_ours_is_enough_in_letters_of_any_case(
    terminal: Terminal, place: Place, spelling: Callable[[str], str]
) -> None:
    address, _ = link_of(place)
    request = mail("unsubscribe").replace("leave@example.org", spelling(address))
    assert terminal.says("receive", stdin=request) == "stdin: unsubscribed from daily\n"
    assert reads(terminal) == {"weekend"}


def link_of(place: Place) -> tuple[str, str]:
    """Send an edition, and return the address and the subject of the link in its email."""
    place.change("[site]", '[mail]\nunsubscribe_address = "leave@example.org"\n\n[site]')
    place.publish("One", "Two", "Three")
    place.run("23 06:30")
    place.run("23 07:00")
    (message,) = (place.folder / "data/mail").glob("*.eml")
    found = re.search(r"<mailto:([^?]+)\?subject=([^>]+)>", message.read_text(encoding="utf-8"))
    assert found
    return found[1], unquote(found[2])


@pytest.mark.parametrize("purpose", ["p", "b", "u:", "u:monthly"])
def test_a_token_for_another_purpose_changes_nothing(terminal: Terminal, place: Place, purpose: str) -> None:
    said = terminal.says("receive", stdin=mail(f"unsubscribe {token(place, purpose)}"))
    assert said == "stdin: nothing done: the token is damaged, or its digest does not exist\n"
    assert reads(terminal) == {"daily", "weekend"}


def test_a_message_that_is_not_a_request_changes_nothing_and_names_nobody(
    terminal: Terminal, place: Place
) -> None:
    good = f"unsubscribe {token(place)}"
    for request in (
        mail("hello"),
        mail(good, "Auto-Submitted: auto-replied\n"),
        mail(good, "Return-Path: <>\n"),
        mail(f"Re: {good}", "In-Reply-To: <1@example.org>\n"),
        mail(good, "X-Apple-Unsubscribe: true\nContent-Type: multipart/report; boundary=b\n"),
        mail(good, text="a" * 1_000_001),
        mail(f"unsubscribe {token(place, number=0)}"),
        "",
    ):
        said = terminal.says("receive", stdin=request)
        assert said.startswith("stdin: nothing ")
        assert said.count("\n") == 1
        assert "@" not in said
    assert reads(terminal) == {"daily", "weekend"}
    assert list((place.folder / "data").glob("mail/*")) == []


def test_files_are_read_one_by_one(terminal: Terminal, place: Place, tmp_path: Path) -> None:
    for name, purpose in (("a.eml", "u:daily"), ("b.eml", "p"), ("c.eml", "u:weekend")):
        (tmp_path / name).write_text(mail(f"unsubscribe {token(place, purpose)}"))
    said = terminal.says("receive", *(str(tmp_path / name) for name in ("a.eml", "b.eml", "c.eml")))
    assert [line.partition(":")[0] for line in said.splitlines()] == ["a.eml", "b.eml", "c.eml"]
    assert reads(terminal) == set()


def test_a_message_in_a_maildir_is_processed_once(terminal: Terminal, place: Place, tmp_path: Path) -> None:
    box = tmp_path / "Maildir"
    (box / "new").mkdir(parents=True)
    (box / "new/1.host").write_text(mail(f"unsubscribe {token(place)}"))
    assert terminal.says("receive", str(box)) == "1.host: unsubscribed from daily\n"
    assert [each.name for each in (box / "cur").iterdir()] == ["1.host:2,S"]
    place.subscribe("bo")
    assert terminal.says("receive", str(box)) == ""


def test_a_message_that_cannot_be_processed_now_is_kept_for_later(
    terminal: Terminal, place: Place, tmp_path: Path
) -> None:
    assert "is not a Maildir" in terminal.says("receive", str(tmp_path / "data"), fails=75)
    assert "cannot be read" in terminal.says("receive", str(tmp_path / "none.eml"), fails=75)
    box = tmp_path / "Maildir"
    (box / "new").mkdir(parents=True)
    (box / "new/1.host").write_text(mail(f"unsubscribe {token(place)}"))
    place.change("[site]", '[database]\nurl = "sqlite:///gazette.json/none.db"\n\n[site]')
    assert "digest: " in terminal.says("receive", str(box), fails=75)
    assert (box / "new/1.host").exists()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=300))
def test_no_message_makes_the_command_fail(terminal: Terminal, place: Place, data: bytes) -> None:
    words = ["--config", str(place.config_path), "receive"]
    result = CliRunner().invoke(program, words, input=b"Subject: " + data)
    assert result.exit_code == 0, result.exception
