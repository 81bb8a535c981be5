"""Send an edition from its first message to its last, when nothing fails."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from digest.message.build import NOTHING_CHOSEN, MessageBuilder
from digest.message.folder import FolderTransport
from digest.model.deliveries import Counts, DeliveryState, Recipient
from digest.model.editions import EditionState, StepCause
from digest.model.errors import NotFoundError, StateError
from digest.model.messages import Outcome
from digest.send.dry_run import dry_run_of
from digest.send.outbox import Outbox
from digest.send.send import send, send_one
from digest.storage.database import Database
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance
from digest.storage.ledger.outcomes import list_deliveries
from tests.send.world import (
    EDITION,
    NOW,
    SETTINGS,
    Clock,
    Recorder,
    add_edition,
    add_reader,
    add_readers,
    leave,
    outbox,
    pause,
    read,
    replies,
    run,
    suppress,
)

STATE = DeliveryState


def dump(database: Database) -> list[object]:
    with database.read() as connection:
        return [list_deliveries(connection, EDITION), load_edition(connection, EDITION)]


def test_everybody_gets_the_edition_once_and_it_is_sent(database: Database) -> None:
    add_edition(database)
    add_readers(database, 25)
    recorder = Recorder()
    sent = run(database, recorder)
    assert recorder.keys == list(range(1, 26))
    assert (sent.record.state, sent.next_at) == (EditionState.SENT, None)
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 25}


def test_each_reader_gets_the_topics_they_chose(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1, "space")
    add_reader(database, 2, "-space", form="text")
    recorder = Recorder()
    run(database, recorder)
    first, second = (read(message.data) for message in recorder.messages)
    assert first["Subject"] == "What space brings"
    assert (first["To"], second["To"]) == ("reader1@example.org", "reader2@example.org")
    assert second.get_content().splitlines()[:2] == ["What climate brings", "What sport brings"]


def test_a_second_run_sends_nothing_and_reports_that_the_edition_is_sent(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    run(database, Recorder())
    again = Recorder()
    assert run(database, again).record.state is EditionState.SENT
    assert again.messages == []


@pytest.mark.parametrize("state", [EditionState.DRAFT, EditionState.SKIPPED, EditionState.CANCELLED])
def test_an_edition_that_is_not_approved_is_not_sent(database: Database, state: EditionState) -> None:
    add_edition(database, approved=False)
    add_readers(database, 3)
    if state is not EditionState.DRAFT:
        with database.write() as connection:
            advance(connection, EDITION, state, StepCause(at=NOW))
    with pytest.raises(StateError):
        run(database, Recorder())
    assert replies(database) == {}


def test_an_edition_that_does_not_exist_is_not_found(sqlite: Database) -> None:
    with pytest.raises(NotFoundError):
        run(sqlite, Recorder())


def test_an_edition_without_readers_becomes_sent(sqlite: Database) -> None:
    add_edition(sqlite)
    assert run(sqlite, Recorder()).record.state is EditionState.SENT


def test_readers_who_may_not_be_mailed_get_no_message(database: Database) -> None:
    add_edition(database)
    add_readers(database, 6)
    leave(database, 1)
    suppress(database, 2)
    pause(database, 3, NOW + timedelta(hours=1))
    recorder = Recorder()
    run(database, recorder)
    assert recorder.keys == [4, 5, 6]


def test_a_reader_who_unsubscribes_while_it_goes_out_is_skipped_from_then_on(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder = Recorder()

    def unsubscribe() -> None:
        if len(recorder.messages) == 3:
            leave(database, 5)
            suppress(database, 8)

    recorder.before_answer = unsubscribe
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 3, 4, 6, 7, 9]
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 7, STATE.SKIPPED: 2}
    assert sent.record.state is EditionState.SENT


def test_a_reader_who_chose_none_of_its_topics_is_skipped_with_a_reason(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1, "politics")
    add_reader(database, 2, "-climate,-space,-sport")
    add_reader(database, 3, "politics,space")
    recorder = Recorder()
    run(database, recorder)
    assert recorder.keys == [3]
    assert replies(database)[1] == replies(database)[2] == (STATE.SKIPPED, NOTHING_CHOSEN)


def test_an_address_that_cannot_be_written_is_rejected_and_the_others_are_sent(database: Database) -> None:
    add_edition(database)
    add_readers(database, 4)
    add_reader(database, 5, address="evil@example.org\r\nBcc: all@example.org")
    recorder = Recorder()
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 3, 4]
    assert replies(database)[5] == (STATE.REJECTED, "the address cannot be written in an email")
    assert sent.record.state is EditionState.SENT


def test_progress_ends_with_everything_accounted_for(sqlite: Database) -> None:
    add_edition(sqlite)
    add_readers(sqlite, 7)
    add_reader(sqlite, 8, "politics")
    seen: list[Counts] = []
    send(sqlite, EDITION, outbox=outbox(Recorder()), clock=Clock(), progress=seen.append)
    assert [counts.total for counts in seen] == [8] * len(seen)
    assert [counts.of(STATE.ACCEPTED) for counts in seen] == [3, 6, 7]
    assert (seen[-1].open, seen[-1].of(STATE.SKIPPED)) == (0, 1)


def test_a_dry_run_counts_and_changes_nothing(database: Database) -> None:
    add_edition(database)
    add_readers(database, 8)
    add_reader(database, 9, "politics")
    add_reader(database, 10, "climate,food", form="text")
    before = dump(database)
    dry_run = dry_run_of(database, EDITION, message_settings=SETTINGS, now=NOW)
    assert dry_run.readers == (
        (("climate",), "html", 2),
        (("climate",), "text", 1),
        (("climate", "space"), "html", 2),
        (("climate", "space", "sport"), "html", 2),
        (("space",), "html", 2),
    )
    assert (dry_run.total, dry_run.skipped) == (9, 1)
    assert dump(database) == before


def test_a_dry_run_of_a_half_sent_edition_counts_the_readers_who_still_wait(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder = Recorder()

    def halfway() -> bool:
        return len(recorder.messages) >= 6

    send(database, EDITION, outbox=outbox(recorder), clock=Clock(), stop=halfway)
    assert dry_run_of(database, EDITION, message_settings=SETTINGS, now=NOW).total == 3


def test_a_preview_has_the_same_bytes_as_the_sent_message(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1, "space")
    with database.read() as connection:
        builder = MessageBuilder(load_edition(connection, EDITION), SETTINGS)
    preview = builder.message(Recipient(1, "reader1@example.org", "space"))
    recorder = Recorder()
    run(database, recorder)
    assert recorder.messages == [preview]


def test_a_test_email_goes_to_any_address_and_is_not_in_the_ledger(database: Database) -> None:
    add_edition(database)
    add_readers(database, 2)
    before = dump(database)
    with database.read() as connection:
        builder = MessageBuilder(load_edition(connection, EDITION), SETTINGS)
    message = builder.message(Recipient(0, "editor@example.org"))
    assert message
    assert send_one(Recorder(), message).outcome is Outcome.ACCEPTED
    assert dump(database) == before


def test_an_edition_can_go_into_a_folder(sqlite: Database, tmp_path: Path) -> None:
    add_edition(sqlite)
    add_readers(sqlite, 5)
    box = Outbox(transport=FolderTransport(tmp_path / "outbox"), message_settings=SETTINGS)
    sent = send(sqlite, EDITION, outbox=box, clock=Clock())
    messages = [read(path.read_bytes()) for path in (tmp_path / "outbox").iterdir()]
    assert sorted(str(message["To"]) for message in messages) == [
        f"reader{number}@example.org" for number in range(1, 6)
    ]
    assert sent.record.state is EditionState.SENT
