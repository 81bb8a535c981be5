from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Terminal

DIGEST = Path(sys.executable).parent / "digest"
MONDAY = ("--now", "2026-11-23T07:00")


def test_run_does_what_is_due_and_reports_it(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    terminal.place.subscribe("ada")
    said = terminal.says("run", *MONDAY)
    assert "daily-2026-11-23: composed: 1 story" in said
    assert "daily-2026-11-23: sent: 1 accepted" in said
    assert "feeds: 2 fetched, 0 failed, 1 new post" in said


def test_run_says_nothing_if_nothing_happened(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    terminal.place.subscribe("ada")
    terminal.says("run", *MONDAY)
    assert terminal.says("run", *MONDAY) == ""
    assert terminal.says("run", "--now", "2026-11-23T09:00") == ""
    assert terminal.facts("run", *MONDAY)["next"] == {"daily": "2026-11-24T07:00:00+00:00"}


def test_run_reports_to_programs_too(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    terminal.place.subscribe("ada")
    facts = terminal.facts("run", *MONDAY)
    assert [each["kind"] for each in facts["happenings"]] == ["composed", "sent"]
    assert facts["happenings"][1]["deliveries"] == {"total": 1, "accepted": 1}
    assert facts["next"] == {"daily": "2026-11-24T07:00:00+00:00"}


def test_run_fails_if_something_must_be_fixed(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    terminal.place.subscribe("ada")
    (terminal.place.folder / "data/mail").write_text("not a folder")
    result = terminal.call("run", *MONDAY, fails=1)
    assert "daily-2026-11-23: failed: " in result.stderr


def test_two_processes_that_run_at_once_mail_each_reader_once(terminal: Terminal) -> None:
    place = terminal.place
    place.publish("Ferry")
    names = [f"reader{number}" for number in range(30)]
    place.subscribe(*names)
    command = [str(DIGEST), "--config", str(place.config_path), "run", *MONDAY]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
        for _ in range(3)
    ]
    said = "".join(process.communicate(timeout=120)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0, 0]
    assert said.count("composed: ") == 1
    place.run("23 07:01")
    assert set(place.emails()) == set(names)
    facts = terminal.facts("deliveries", "daily", "--limit", "0")
    assert {each["tries"] for each in facts["deliveries"]} == {1}
