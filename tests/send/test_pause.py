"""An edition is held and let go from outside; and holds itself when every letter is refused alike."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from datetime import timedelta

import pytest

from digest.errors import StateError
from digest.model import DeliveryState, EditionState, Letter, Outcome, Receipt
from digest.send.refusals import ENOUGH
from digest.send.send import send
from digest.storage.database import Database, open_database
from digest.storage.editions import load_edition
from digest.storage.steps import advance, pause, resume
from tests.send.world import EDITION, NOW, Clock, Recorder, add_edition, add_readers, outbox, run


def pause_now(database: Database) -> None:
    with database.write() as connection:
        pause(connection, EDITION, NOW, reason="wrong lead?")


def resume_now(database: Database) -> None:
    with database.write() as connection:
        resume(connection, EDITION, NOW)


def test_a_paused_edition_takes_no_further_letter_from_that_commit_on(
    database_url: str, database: Database
) -> None:
    add_edition(database)
    add_readers(database, 30)
    transport, elsewhere = Recorder(), open_database(database_url)

    def pause_once() -> None:
        if len(transport.letters) == 6:
            pause_now(elsewhere)

    transport.before_answer = pause_once
    sent = run(database, transport)
    elsewhere.close()
    assert len(transport.letters) == 6
    assert (sent.record.state, sent.next_at) == (EditionState.SENDING, None)
    assert sent.counts.of(DeliveryState.QUEUED) == 24
    assert sent.outlook == f"paused (wrong lead?): `digest resume {EDITION}` lets it go on"


def test_a_resumed_edition_goes_to_everybody_who_has_not_had_it(database: Database) -> None:
    add_edition(database)
    add_readers(database, 30)
    transport = Recorder()
    transport.before_answer = lambda: pause_now(database) if len(transport.letters) == 9 else None
    run(database, transport)
    resume_now(database)
    sent = run(database, transport)
    assert sent.record.state is EditionState.SENT
    assert transport.keys == list(range(1, 31))
    assert (sent.record.reason, sent.record.paused_at) == ("", None)


@pytest.mark.parametrize("approved", [True, False])
def test_a_paused_edition_does_not_begin(database: Database, approved: bool) -> None:
    add_edition(database, approved=approved)
    add_readers(database, 3)
    pause_now(database)
    with pytest.raises(
        StateError, match=f"and paused and cannot be sent; let it go on with: digest resume {EDITION}"
    ):
        run(database, Recorder())


def test_an_approved_edition_resumed_late_counts_as_approved_then(database: Database) -> None:
    add_edition(database)
    pause_now(database)
    later = NOW + timedelta(hours=9)
    with database.write() as connection:
        assert resume(connection, EDITION, later).approved_at == later


def test_a_draft_is_still_a_draft_when_it_is_resumed(database: Database) -> None:
    add_edition(database, approved=False)
    pause_now(database)
    resume_now(database)
    with database.read() as connection:
        record = load_edition(connection, EDITION)
    assert (record.state, record.approved_at) == (EditionState.DRAFT, None)


def test_pausing_twice_and_resuming_what_is_not_paused_are_refused(database: Database) -> None:
    add_edition(database)
    with pytest.raises(StateError, match="is approved and cannot be resumed"):
        resume_now(database)
    pause_now(database)
    with pytest.raises(StateError, match="is approved and paused and cannot be paused"):
        pause_now(database)


def test_a_paused_edition_can_be_cancelled_and_then_is_not_paused_any_more(database: Database) -> None:
    add_edition(database)
    pause_now(database)
    with database.write() as connection:
        record = advance(connection, EDITION, EditionState.CANCELLED, NOW, reason="wrong lead")
    assert (record.state, record.paused_at, record.reason) == (EditionState.CANCELLED, None, "wrong lead")


def test_an_edition_whose_letters_are_all_refused_alike_pauses_itself(database: Database) -> None:
    add_edition(database)
    add_readers(database, 200)
    transport = Recorder(lambda _: Outcome.REJECTED)
    sent = run(database, transport)
    assert len(transport.letters) <= ENOUGH + 3
    assert sent.record.paused_at == NOW
    assert "51 letters in a row were refused with 550; the last answer: no such user" in sent.record.reason
    assert sent.counts.of(DeliveryState.QUEUED) == 200 - len(transport.letters)


def test_letters_put_off_alike_do_not_pause_it(database: Database) -> None:
    add_edition(database)
    add_readers(database, 200)
    sent = run(database, Recorder(lambda _: Outcome.DEFERRED))
    assert sent.record.paused_at is None
    assert sent.counts.of(DeliveryState.DEFERRED) == 200


def test_a_sender_told_to_stop_waits_no_longer_than_the_drain_for_a_silent_server(database: Database) -> None:
    add_edition(database)
    add_readers(database, 30)
    clock = Clock()
    transport = _Silent(clock)
    box = outbox(transport, drain=timedelta(seconds=20))
    sent = send(database, EDITION, outbox=box, clock=clock, stop=lambda: bool(transport.letters))
    assert clock.now == NOW + timedelta(seconds=20)
    assert sent.counts.of(DeliveryState.UNCERTAIN) == len(transport.letters) == 3
    assert sent.counts.of(DeliveryState.QUEUED) == 27


class _Silent(Recorder):
    """Takes letters and answers none; each second says that there is nothing yet."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def carry(self, groups: Iterator[Sequence[Letter]]) -> Generator[Sequence[Receipt], None, None]:
        for group in groups:
            self.letters += group
            yield []
        while True:
            self.clock.forward(timedelta(seconds=1))
            yield []
