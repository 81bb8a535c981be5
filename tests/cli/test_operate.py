from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.readers.signup import request_for, sign_up
from digest.readers.subscribers import requested
from subscribers.model import Format, Origin
from tests.cli.conftest import Terminal
from tests.scheduler.installation import Place, at

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


def test_a_time_far_from_the_clock_is_confirmed_if_mail_really_goes_out(terminal: Terminal) -> None:
    terminal.place.publish("Ferry")
    now = datetime.now(UTC)
    far, further = (f"{now + timedelta(days=days):%Y-%m-%dT07:00}" for days in (180, 181))
    terminal.place.subscribe("ada", now=now.replace(tzinfo=None).isoformat())
    terminal.says("run")
    assert terminal.says("collect", "--now", far)  # a folder takes the mail, so nothing is asked
    terminal.says("run")
    with terminal.place.config_path.open("a") as config:
        config.write('\n[mail]\ntransport = "smtp"\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\n')
    before = terminal.says("feeds")
    for words in (["run"], ["collect"], ["compose", "daily"]):
        said = terminal.says(*words, "--now", far, fails=2)
        assert "ahead of the clock, and this configuration mails by SMTP" in said
        assert "add --yes if this time is meant" in said
    assert terminal.says("feeds") == before
    assert terminal.says("collect", "--now", f"{now + timedelta(hours=20):%Y-%m-%dT%H:%M}")
    assert terminal.says("collect", "--now", far, "--yes")
    assert terminal.says("collect", "--now", further[:-5] + "06:00")  # the last run was near this time


def test_notices_are_listed_and_a_confirmation_is_sent_again(terminal: Terminal) -> None:
    place = terminal.place
    assert "nobody on the list" in terminal.says("subscribers", "resend", "ada@example.org", fails=1)
    _sign_up(place, "ada@example.org")
    [waiting] = terminal.facts("notices")
    assert (waiting["kind"], waiting["state"], waiting["address"]) == (
        "confirmation",
        "queued",
        "ada@example.org",
    )
    assert "notices: 1 accepted\n" in terminal.says("run", *MONDAY)
    assert "notices" not in terminal.says("run", *MONDAY)
    assert list(place.emails()) == ["ada"]
    said = terminal.says("subscribers", "resend", "ada@example.org", *MONDAY)
    assert said.startswith("confirmation accepted: 250 written to confirmation-")
    assert list(place.emails()) == ["ada"]
    said = terminal.says("notices", "--state", "accepted")
    assert said.count("ada@example.org") == 2
    assert terminal.facts("notices", "--state", "rejected") == []
    terminal.call("subscribers", "suppress", "ada@example.org", "--note", "asked by phone")
    assert "suppressed" in terminal.says("subscribers", "resend", "ada@example.org", *MONDAY, fails=1)
    place.subscribe("bob")
    assert "nothing waits" in terminal.says("subscribers", "resend", "bob@example.org", *MONDAY, fails=1)
    events = terminal.facts("subscribers", "history", "ada@example.org")["events"]
    found = [(event["what"], event["source"], event["detail"]) for event in events]
    assert [what for what, source, _ in found if source == "confirmation"] == ["notice accepted"] * 2
    assert ("suppressed", "operator", "asked by phone") in found
    terminal.call("subscribers", "suppress", "ada@example.org", "--lift")
    events = terminal.facts("subscribers", "history", "ada@example.org")["events"]
    assert events[-1]["what"] == "suppression lifted"
    assert "asked by phone" in events[-1]["detail"]


def test_run_erases_sign_ups_that_nobody_has_confirmed(terminal: Terminal) -> None:
    _sign_up(terminal.place, "ada@example.org")
    terminal.call("run", "--now", "2026-11-29T06:00")
    assert len(terminal.facts("subscribers", "list")) == 1
    terminal.call("run", "--now", "2026-11-30T06:01")
    assert terminal.facts("subscribers", "list") == []
    assert terminal.facts("notices") == []


def _sign_up(place: Place, address: str) -> None:
    with place.app() as app:
        asked = [requested("daily", topics="", hour="", zone="")]
        origin = Origin(source="form:daily")
        request = request_for(
            app.config, app.secret, address, asked, language="en", form=Format.HTML, origin=origin
        )
        sign_up(app, request, at("23 06:00"))
