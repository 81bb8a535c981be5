"""`digest subscribers import` shows a dry run, asks, and imports the exports of other list managers."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal

GHOST = """\
email,subscribed_to_emails,created_at,deleted_at,labels
ada@example.org,true,2023-05-01T10:05:00.000Z,,Garden
bob@example.org,false,2023-05-01T10:05:00.000Z,,
nobody,true,,,
"""
PROGRAM = (sys.executable, "-c", "from digest.cli import main; main()")
IMPORT = ("subscribers", "import")
SOURCE = ("--source", "the old list")


@pytest.fixture
def ghost(tmp_path: Path) -> str:
    path = tmp_path / "members.csv"
    path.write_text(GHOST, encoding="utf-8")
    return str(path)


def test_without_anybody_to_ask_the_dry_run_is_shown_and_nothing_is_imported(
    terminal: Terminal, ghost: str
) -> None:
    result = terminal.call(*IMPORT, ghost, *SOURCE, fails=2)
    assert result.stdout.splitlines() == [
        "lines  outcome",
        "    1  would be active",
        "    1  unsubscribed: would not be mailed",
        "    1  cannot be read: would be left out",
    ]
    assert "line 1: the file is an export of Ghost" in result.stderr
    assert "line 4: address: the address has no @" in result.stderr
    assert "nothing was imported; add --yes to import without a question" in result.stderr
    assert terminal.facts("subscribers", "list") == []


def test_without_anybody_to_ask_a_plain_list_is_imported(terminal: Terminal) -> None:
    result = terminal.call(*IMPORT, "-", *SOURCE, stdin="email\nada@example.org\nnobody\n")
    assert result.stdout.splitlines()[-1] == "1 new, 1 line left out"
    assert "line 3: address: the address has no @" in result.stderr
    assert "cannot be read: would be left out" in result.stdout
    assert len(terminal.facts("subscribers", "list")) == 1


def test_the_dry_run_is_shown_as_json_too(terminal: Terminal, ghost: str) -> None:
    said = json.loads(terminal.call(*IMPORT, ghost, *SOURCE, "--json", fails=2).stdout)
    assert (said["dry_run"], said["outcomes"]) == (True, {"new": 1, "gone": 1})
    assert terminal.facts("subscribers", "list") == []
    said = terminal.facts(*IMPORT, ghost, *SOURCE, "--yes")
    assert (said.get("dry_run"), said["outcomes"]) == (None, {"new": 1, "gone": 1})


@pytest.mark.parametrize(("answer", "readers"), [("y", 2), ("n", 0)])
def test_the_command_asks_on_a_terminal(terminal: Terminal, ghost: str, answer: str, readers: int) -> None:
    ours, theirs = pty.openpty()
    words = ["--config", str(terminal.place.config_path), *IMPORT, ghost, *SOURCE]
    with subprocess.Popen(
        [*PROGRAM, *words], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        os.write(ours, f"{answer}\n".encode())
        out, error = (each.decode() for each in running.communicate(timeout=60))
    os.close(ours)
    os.close(theirs)
    assert "would be active" in out
    assert "Import these readers?" in out
    assert running.returncode == (0 if readers else 1), error
    assert ("1 new, 1 recorded as unsubscribed" in out) is bool(readers)
    assert len(terminal.facts("subscribers", "list")) == readers


def test_a_pipe_is_read_as_a_file_is(terminal: Terminal) -> None:
    terminal.call("feeds")
    words = ["--config", str(terminal.place.config_path), *IMPORT, "-", *SOURCE, "--yes", "--json"]
    done = subprocess.run(
        [*PROGRAM, *words],
        input=GHOST.encode("utf-16"),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["outcomes"] == {"new": 1, "gone": 1}


def test_a_column_that_is_not_understood_stops_the_import_until_it_is_ignored(terminal: Terminal) -> None:
    lines = "email,lead status\nada@example.org,hot\nbob@example.org,eve@example.org\n"
    said = terminal.says(*IMPORT, "-", *SOURCE, "--yes", fails=1, stdin=lines)
    assert "the column 'lead status' (values seen: hot) may say who must not be mailed" in said
    assert "--ignore 'lead status'" in said
    assert "@" not in said
    assert terminal.facts("subscribers", "list") == []
    said = terminal.says(*IMPORT, "-", *SOURCE, "--yes", "--ignore", "Lead_Status", stdin=lines)
    assert "2 new" in said


def test_bounced_and_complained_addresses_are_suppressed(terminal: Terminal) -> None:
    lines = "EMAIL,STATUS,CREATED\nada@example.org,1,\nbob@example.org,3,\n"
    lines += "eve@example.org,4,\nada@example.org,4,\n"
    said = terminal.facts(*IMPORT, "-", *SOURCE, "--yes", stdin=lines)
    assert said["outcomes"] == {"complained": 2, "bounced": 1, "suppressed": 1}
    again = terminal.facts(*IMPORT, "-", *SOURCE, "--yes", stdin="email\nada@example.org\nbob@example.org\n")
    assert again["outcomes"] == {"suppressed": 2}


def test_tags_of_the_file_become_topics(terminal: Terminal, ghost: str) -> None:
    terminal.call(*IMPORT, ghost, *SOURCE, "--yes", "--tag", "garden=daily:green")
    (ada,) = terminal.facts("subscribers", "list", "--begins", "ada")
    assert ada["digests"][0]["topics"] == "green"
    assert "no such topic" in terminal.says(*IMPORT, ghost, *SOURCE, "--tag", "x=daily:opera", fails=1)
    assert "no such digest" in terminal.says(*IMPORT, ghost, *SOURCE, "--tag", "x=dally:green", fails=1)
    assert "TAG=DIGEST:TOPIC" in terminal.says(*IMPORT, ghost, *SOURCE, "--tag", "x", fails=1)
