"""A lost or exchanged key is noticed before it makes every link in earlier emails useless."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.cli.conftest import Terminal

OTHER = "0123456789abcdef" * 4


def secret_of(terminal: Terminal) -> Path:
    return terminal.place.folder / "data/secret"


def finding(terminal: Terminal, *, fails: int = 1) -> str:
    found = {each["subject"]: each["detail"] for each in terminal.facts("check", fails=fails)}
    return str(found["secret"])


def forget_fingerprint(terminal: Terminal) -> None:
    with sqlite3.connect(terminal.place.folder / "data/digest.db") as connection:
        connection.execute("DELETE FROM fingerprints")
    connection.close()


def test_a_new_installation_makes_its_key(terminal: Terminal) -> None:
    terminal.says("check")
    assert secret_of(terminal).exists()


def test_a_lost_key_is_an_error_and_no_other_key_is_made(terminal: Terminal) -> None:
    terminal.place.subscribe("ada")
    secret_of(terminal).unlink()
    said = terminal.says("run", fails=1)
    assert "data/secret: the key that signs readers' links is missing" in said
    assert "restore the file from the backup" in said
    assert "is missing" in finding(terminal)
    assert not secret_of(terminal).exists()


def test_another_key_is_an_error(terminal: Terminal) -> None:
    terminal.place.subscribe("ada")
    kept = secret_of(terminal).read_text()
    secret_of(terminal).write_text(OTHER)
    assert "is not the key that signed the links in earlier emails" in terminal.says("run", fails=1)
    assert "is not the key that signed the links in earlier emails" in finding(terminal)
    secret_of(terminal).write_text(kept)
    assert "keep it as long as the list" in finding(terminal, fails=0)


def test_another_key_in_the_environment_is_an_error(terminal: Terminal) -> None:
    terminal.place.subscribe("ada")
    terminal.environ["DIGEST_SECRET"] = OTHER
    assert "DIGEST_SECRET: this is not the key" in terminal.says("run", fails=1)
    assert "DIGEST_SECRET: this is not the key" in finding(terminal)


def test_the_first_start_on_an_older_database_records_its_key(terminal: Terminal) -> None:
    terminal.place.subscribe("ada")
    forget_fingerprint(terminal)
    terminal.says("run")
    secret_of(terminal).write_text(OTHER)
    terminal.says("run", fails=1)


def test_an_older_database_with_readers_does_not_get_a_new_key(terminal: Terminal) -> None:
    terminal.place.subscribe("ada")
    forget_fingerprint(terminal)
    secret_of(terminal).unlink()
    assert "is missing" in terminal.says("run", fails=1)
    assert not secret_of(terminal).exists()


def test_the_documented_way_to_a_new_key_works(terminal: Terminal) -> None:
    terminal.place.subscribe("ada")
    secret_of(terminal).write_text(OTHER)
    forget_fingerprint(terminal)
    terminal.says("run")
    assert "keep it as long as the list" in finding(terminal, fails=0)


def test_without_the_database_no_key_is_made(terminal: Terminal) -> None:
    (terminal.place.folder / "data/digest.db").write_text("This is a letter, not a database. " * 100)
    assert "cannot be compared" in finding(terminal)
    assert not secret_of(terminal).exists()
