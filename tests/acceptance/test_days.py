"""Days of a publication, replayed: every reader gets each edition once, whatever happens on the way."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.publication import Email, Publication, publishing, readers, subscribe, wanted
from tests.collect.servers import Answer
from tests.processes import ended

READERS = 48
START = "2026-11-20T12:00Z"
COMPOSED, SENT = "2026-11-21T05:30Z", "2026-11-21T06:00Z"  # the daily of Saturday


@pytest.fixture
def publication(database_url: str, tmp_path: Path) -> Iterator[Publication]:
    with publishing(tmp_path, database_url) as found:
        yield found


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Publication]:
    with publishing(tmp_path, f"sqlite:///{tmp_path / 'digest.db'}") as found:
        yield found


def test_three_digests_reach_every_reader_once_day_after_day(publication: Publication) -> None:
    chosen = readers(READERS)
    with publication.server():
        subscribe(publication, chosen, START)
        assert publication.run(START) == []
        assert publication.run(COMPOSED) == []
        check_edition(publication, publication.run(SENT), "daily-2026-11-21", chosen)
        assert publication.run(SENT) == []

        check_that_looking_changes_nothing(publication)

        everything = dict.fromkeys(chosen, "")
        check_edition(publication, publication.run("2026-11-21T18:00Z"), "found-2026-11-21", everything)
        assert publication.run("2026-11-22T06:00Z") == []  # nothing new, so no daily
        check_edition(publication, publication.run("2026-11-22T14:00Z"), "weekly-2026-11-22", everything)

        publish(publication, "A heron moves into the old lock", ["birds"])
        emails = publication.run("2026-11-23T06:00Z")
        assert publication.stories("daily") == [("outdoors", "https://lantern.example.org/1")]
        check_edition(publication, emails, "daily-2026-11-23", chosen)
        assert {str(mail.message["Subject"]) for mail in emails} == {"A heron moves into the old lock"}


def publish(publication: Publication, title: str, tags: list[str]) -> None:
    """Publish one post in a new feed."""
    item = {"id": "1", "url": "https://lantern.example.org/1", "title": title, "tags": tags}
    document = {"version": "https://jsonfeed.org/version/1.1", "title": "The Lantern", "items": [item]}
    publication.feed("The Lantern", "/lantern", Answer(body=json.dumps(document).encode()))


def check_edition(
    publication: Publication, emails: list[Email], edition: str, chosen: dict[str, str]
) -> None:
    """Compare the emails with the edition and with the topics that each reader chose."""
    stories = publication.stories(edition)
    links = [link for _, link in stories]
    expected = {reader: wanted(stories, topics) for reader, topics in chosen.items()}
    assert {mail.edition for mail in emails} == {edition}
    assert Counter(mail.reader for mail in emails) == Counter(each for each in chosen if expected[each])
    for mail in emails:
        in_html, in_text = mail.links_in_html(links), mail.links_in_text(links)
        assert set(in_html) == set(in_text) == expected[mail.reader]
        assert in_html == in_text


def check_that_looking_changes_nothing(publication: Publication) -> None:
    """Check that previews, a dry run and lists change no row."""
    before = publication.rows()
    for number in range(20):
        reader = f"reader{number:04}@example.org"
        publication.call("preview", "daily", "--subscriber", reader, "--out", str(publication.folder / "out"))
    publication.call("send", "daily", "--dry-run")
    for words in (["editions"], ["deliveries", "daily"], ["feeds"], ["posts"], ["check"], ["config"]):
        publication.call(*words)
    assert publication.rows() == before


def test_several_processes_at_once_mail_each_reader_once(publication: Publication) -> None:
    chosen = readers(READERS)
    with publication.server():
        subscribe(publication, chosen, START)
        publication.call("run", "--now", START)
        processes = [publication.start("run", "--now", SENT) for _ in range(3)]
        said = [process.communicate()[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0], said
        check_edition(publication, publication.take(), "daily-2026-11-21", chosen)


def test_a_sender_that_must_stop_finishes_messages_in_flight_and_the_next_sends_the_rest(
    on_sqlite: Publication,
) -> None:
    chosen = dict.fromkeys(readers(READERS), "")
    with on_sqlite.server():
        subscribe(on_sqlite, chosen, START)
        on_sqlite.call("run", "--now", START)
        on_sqlite.call("run", "--now", COMPOSED)
        assert interrupted(on_sqlite, signal.SIGTERM) == 0
        emails = on_sqlite.take()
        assert emails
        emails += on_sqlite.run("2026-11-21T06:01Z")
        check_edition(on_sqlite, emails, "daily-2026-11-21", chosen)


def test_a_killed_sender_leaves_uncertain_deliveries_but_nobody_is_mailed_twice(
    on_sqlite: Publication,
) -> None:
    chosen = dict.fromkeys(readers(400), "")  # so many that the signal comes long before the end
    with on_sqlite.server():
        subscribe(on_sqlite, chosen, START)
        on_sqlite.call("run", "--now", START)
        on_sqlite.call("run", "--now", COMPOSED)
        assert interrupted(on_sqlite, signal.SIGKILL) == -signal.SIGKILL
    with on_sqlite.server():
        on_sqlite.call("run", "--now", "2026-11-21T06:10Z")
    received = Counter(mail.reader for mail in on_sqlite.take())
    counts = on_sqlite.facts("deliveries", "daily", "--limit", "1")["counts"]
    assert counts["accepted"] + counts["uncertain"] == len(chosen)
    assert set(received.values()) == {1}
    assert len(received) >= counts["accepted"]


def test_a_deferred_message_is_sent_again_with_the_same_id(on_sqlite: Publication) -> None:
    chosen = dict.fromkeys(readers(20), "")
    subscribe(on_sqlite, chosen, START)
    with on_sqlite.server("-r", "."):  # it reads each message and answers "later"
        on_sqlite.call("run", "--now", START)
        refused = on_sqlite.run(SENT)
    assert on_sqlite.facts("deliveries", "daily", "--limit", "1")["counts"]["deferred"] == len(chosen)
    with on_sqlite.server():
        assert on_sqlite.run("2026-11-21T06:00:01Z") == []
        emails = on_sqlite.run("2026-11-21T08:00Z")
    check_edition(on_sqlite, emails, "daily-2026-11-21", chosen)
    assert message_ids(emails) == message_ids(refused)


def message_ids(emails: list[Email]) -> dict[str, str]:
    return {mail.reader: str(mail.message["Message-ID"]) for mail in emails}


def interrupted(publication: Publication, number: signal.Signals) -> int:
    """Start sending, and send a signal as soon as the server has a message; return the exit code."""
    with publication.start("run", "--now", SENT) as process:
        while not any(publication.dump.iterdir()) and not ended(process, 0.001):
            pass
        process.send_signal(number)
        process.communicate()
    return process.returncode
