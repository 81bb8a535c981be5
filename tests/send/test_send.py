from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from digest.errors import NotFoundError, StateError, TemplateError, TransportError
from digest.model import (
    Counts,
    DeliveryState,
    Edition,
    EditionState,
    Letter,
    Mail,
    Outcome,
    ReaderLinks,
    Receipt,
)
from digest.send.folder import FolderTransport
from digest.send.letters import NOTHING_CHOSEN, Press
from digest.send.message import Addressee
from digest.send.outbox import Outbox
from digest.send.rehearsal import rehearse
from digest.send.retries import Doubt, RetryRules
from digest.send.send import send, send_one
from digest.storage.database import Database, open_database
from digest.storage.editions import load_edition
from digest.storage.outcomes import list_deliveries, retry
from digest.storage.steps import advance, reopen
from tests.send.world import (
    EDITION,
    NOW,
    STATIONERY,
    Clock,
    Recorder,
    add_edition,
    add_reader,
    add_readers,
    leave,
    outbox,
    pause,
    read,
    run,
    suppress,
)

STATE = DeliveryState


def replies(database: Database) -> dict[int, tuple[DeliveryState, str]]:
    with database.read() as connection:
        rows = list_deliveries(connection, EDITION, limit=1000)
    return {row.subscriber_id: (row.state, row.reply) for row in rows}


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
    first, second = (read(letter.data) for letter in recorder.letters)
    assert first["Subject"] == "What space brings"
    assert (first["To"], second["To"]) == ("reader1@example.org", "reader2@example.org")
    assert second.get_content().splitlines()[:2] == ["What climate brings", "What sport brings"]


def test_a_second_run_sends_nothing_and_says_that_it_is_sent(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    run(database, Recorder())
    again = Recorder()
    assert run(database, again).record.state is EditionState.SENT
    assert again.letters == []


@pytest.mark.parametrize("state", [EditionState.DRAFT, EditionState.SKIPPED, EditionState.CANCELLED])
def test_an_edition_nobody_approved_is_not_sent(database: Database, state: EditionState) -> None:
    add_edition(database, approved=False)
    add_readers(database, 3)
    if state is not EditionState.DRAFT:
        with database.write() as connection:
            advance(connection, EDITION, state, NOW)
    with pytest.raises(StateError):
        run(database, Recorder())
    assert replies(database) == {}


def test_an_edition_that_does_not_exist_is_not_found(sqlite: Database) -> None:
    with pytest.raises(NotFoundError):
        run(sqlite, Recorder())


def test_an_edition_for_nobody_is_sent_to_nobody(sqlite: Database) -> None:
    add_edition(sqlite)
    assert run(sqlite, Recorder()).record.state is EditionState.SENT


def test_whoever_may_not_be_mailed_is_not(database: Database) -> None:
    add_edition(database)
    add_readers(database, 6)
    leave(database, 1)
    suppress(database, 2)
    pause(database, 3, NOW + timedelta(hours=1))
    recorder = Recorder()
    run(database, recorder)
    assert recorder.keys == [4, 5, 6]


def test_whoever_leaves_while_it_goes_out_is_skipped_from_that_moment(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder = Recorder()

    def goodbye() -> None:
        if len(recorder.letters) == 3:
            leave(database, 5)
            suppress(database, 8)

    recorder.before_answer = goodbye
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 3, 4, 6, 7, 9]
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 7, STATE.SKIPPED: 2}
    assert sent.record.state is EditionState.SENT


def test_whoever_chose_nothing_that_is_in_it_is_skipped_with_a_reason(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1, "politics")
    add_reader(database, 2, "-climate,-space,-sport")
    add_reader(database, 3, "politics,space")
    recorder = Recorder()
    run(database, recorder)
    assert recorder.keys == [3]
    assert replies(database)[1] == replies(database)[2] == (STATE.SKIPPED, NOTHING_CHOSEN)


def test_an_address_that_cannot_be_written_is_rejected_and_the_rest_goes(database: Database) -> None:
    add_edition(database)
    add_readers(database, 4)
    add_reader(database, 5, address="evil@example.org\r\nBcc: all@example.org")
    recorder = Recorder()
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 3, 4]
    assert replies(database)[5] == (STATE.REJECTED, "the address cannot be written in a mail")
    assert sent.record.state is EditionState.SENT


def test_a_deferred_letter_comes_back_with_the_same_bytes(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    clock, recorder = (
        Clock(),
        Recorder(lambda letter: Outcome.DEFERRED if letter.key == 2 else Outcome.ACCEPTED),
    )
    first = run(database, recorder, clock)
    assert (first.record.state, first.next_at) == (EditionState.SENDING, NOW + timedelta(minutes=5))
    recorder.answer = lambda _letter: Outcome.ACCEPTED
    clock.forward(timedelta(minutes=4))
    run(database, recorder, clock)
    clock.forward(timedelta(minutes=1))
    assert run(database, recorder, clock).record.state is EditionState.SENT
    assert recorder.keys == [1, 2, 2, 3]
    assert len({letter.data for letter in recorder.letters if letter.key == 2}) == 1


def test_it_is_tried_for_a_day_and_then_given_up(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1)
    clock, recorder = Clock(), Recorder(lambda _letter: Outcome.DEFERRED)
    sent = run(database, recorder, clock)
    while sent.next_at:
        clock.now = sent.next_at
        sent = run(database, recorder, clock)
    assert sent.record.state is EditionState.SENT
    assert replies(database)[1] == (STATE.REJECTED, f"gave up after {len(recorder.letters)} tries: try later")
    assert clock.now <= NOW + timedelta(hours=24)


def test_what_a_server_refuses_is_rejected_at_once(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    recorder = Recorder(lambda letter: Outcome.REJECTED if letter.key == 2 else Outcome.ACCEPTED)
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 3]
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 2, STATE.REJECTED: 1}


def test_what_never_reached_a_server_is_handed_over_again(database: Database) -> None:
    add_edition(database)
    add_readers(database, 4)
    recorder = Recorder()
    recorder.answer = lambda letter: (
        Outcome.UNSENT if recorder.keys.count(letter.key) < 2 else Outcome.ACCEPTED
    )
    sent = run(database, recorder)
    assert recorder.keys == [1, 1, 2, 2, 3, 3, 4, 4]
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 4}


def test_a_server_that_takes_nothing_does_not_keep_us_busy_for_ever(database: Database) -> None:
    add_edition(database)
    add_readers(database, 2)
    recorder = Recorder(lambda _letter: Outcome.UNSENT)
    sent = run(database, recorder)
    assert recorder.keys == [1, 1, 1, 2, 2, 2]
    assert sent.counts.of(STATE.DEFERRED) == 2


def test_a_doubt_is_held_and_does_not_keep_the_edition_open(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    recorder = Recorder(lambda letter: Outcome.UNCERTAIN if letter.key == 3 else Outcome.ACCEPTED)
    sent = run(database, recorder)
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 2, STATE.UNCERTAIN: 1}
    assert sent.record.state is EditionState.SENT


def test_or_it_is_sent_again_with_the_same_message_id(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1)
    clock, recorder = Clock(), Recorder(lambda _letter: Outcome.UNCERTAIN)
    rules = RetryRules(doubt=Doubt.RESEND)
    first = run(database, recorder, clock, rules=rules)
    recorder.answer = lambda _letter: Outcome.ACCEPTED
    clock.now = first.next_at or NOW
    assert run(database, recorder, clock, rules=rules).record.state is EditionState.SENT
    assert len(recorder.letters) == 2
    assert len({read(letter.data)["Message-ID"] for letter in recorder.letters}) == 1


def test_failed_deliveries_of_a_sent_edition_can_be_sent_again(database: Database) -> None:
    add_edition(database)
    add_readers(database, 3)
    recorder = Recorder(lambda letter: Outcome.REJECTED if letter.key == 2 else Outcome.ACCEPTED)
    run(database, recorder)
    with database.write() as connection:
        assert retry(connection, EDITION, [STATE.REJECTED], now=NOW) == 1
        reopen(connection, EDITION)
    recorder.answer = lambda _letter: Outcome.ACCEPTED
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 2, 3]
    assert (sent.record.state, sent.counts.of(STATE.ACCEPTED)) == (EditionState.SENT, 3)


def test_stop_finishes_what_is_on_the_wire_and_leaves_the_rest(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder = Recorder()
    sent = send(
        database,
        EDITION,
        outbox=outbox(recorder),
        clock=Clock(),
        stop=lambda: len(recorder.letters) >= 6,
    )
    assert dict(sent.counts.by_state) == {STATE.QUEUED: 3, STATE.ACCEPTED: 6}
    assert sent.record.state is EditionState.SENDING
    run(database, recorder)
    assert recorder.keys == list(range(1, 10))


def test_a_cancelled_edition_stops_where_it_is(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder = Recorder()

    def cancel() -> None:
        if len(recorder.letters) == 3:
            with database.write() as connection:
                advance(connection, EDITION, EditionState.CANCELLED, NOW)

    recorder.before_answer = cancel
    sent = run(database, recorder)
    assert recorder.keys == [1, 2, 3]
    assert sent.record.state is EditionState.CANCELLED
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 3, STATE.SKIPPED: 6}


class Refusing(Recorder):
    """Answer the first group, take the second, and then find that nothing can be sent."""

    def carry(self, groups: Iterator[Sequence[Letter]]) -> Generator[Sequence[Receipt], None, None]:
        first, second = next(groups), next(groups)
        self.letters += [*first, *second]
        yield [self.receipt(letter) for letter in first]
        yield [self.receipt(letter) for letter in second[:1]]
        raise TransportError("mail.example.org", "login refused")


def test_when_no_mail_can_be_sent_the_rest_waits_and_only_the_wire_is_in_doubt(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    with pytest.raises(TransportError, match="login refused"):
        run(database, Refusing())
    recorder = Recorder()
    sent = run(database, recorder)
    assert recorder.keys == [7, 8, 9]
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 7, STATE.UNCERTAIN: 2}


def test_a_fault_in_a_template_leaves_nothing_in_doubt(database: Database) -> None:
    def broken(_chosen: Edition, _links: ReaderLinks, _language: str) -> Mail:
        raise TemplateError("mail/edition.html", "no such name")

    add_edition(database)
    add_readers(database, 5)
    with pytest.raises(TemplateError):
        run(database, Recorder(), stationery=replace(STATIONERY, render=broken))
    recorder = Recorder()
    assert run(database, recorder).record.state is EditionState.SENT
    assert recorder.keys == [1, 2, 3, 4, 5]


class Mute(Recorder):
    """Take the first group and fall silent for as long as `sleep` makes the clock go on."""

    def __init__(self, clock: Clock, others: Recorder, database: Database) -> None:
        super().__init__()
        self.clock, self.others, self.database = clock, others, database

    def carry(self, groups: Iterator[Sequence[Letter]]) -> Generator[Sequence[Receipt], None, None]:
        first = next(groups, ())
        self.letters += first
        self.clock.forward(timedelta(hours=1))
        run(self.database, self.others, self.clock)
        yield [self.receipt(letter) for letter in first]
        yield from super().carry(groups)


def test_a_sender_that_slept_past_its_lease_repeats_nobody(database: Database) -> None:
    add_edition(database)
    add_readers(database, 8)
    clock, others = Clock(), Recorder()
    sleeper = Mute(clock, others, database)
    sent = run(database, sleeper, clock)
    assert (sleeper.keys, others.keys) == ([1, 2, 3], [4, 5, 6, 7, 8])
    assert dict(sent.counts.by_state) == {STATE.ACCEPTED: 8}


class Slow(Recorder):
    """Answers one letter after the other."""

    def carry(self, groups: Iterator[Sequence[Letter]]) -> Generator[Sequence[Receipt], None, None]:
        for group in groups:
            yield from super().carry([letter] for letter in group)


def test_a_sender_at_work_keeps_its_leases(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    clock, slow, others = Clock(), Slow(), Recorder()

    def slowly() -> None:
        clock.forward(timedelta(seconds=50))
        run(database, others, clock)

    slow.before_answer = slowly
    run(database, slow, clock, group=9)
    assert (slow.keys, others.keys) == (list(range(1, 10)), [])


def test_senders_share_what_is_due_a_group_at_a_time(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder, others = Recorder(), Recorder()

    def meanwhile() -> None:
        run(database, others)

    recorder.before_answer = meanwhile
    run(database, recorder)
    assert (recorder.keys, others.keys) == ([1, 2, 3], [4, 5, 6, 7, 8, 9])


def test_two_senders_share_an_edition_and_nobody_gets_it_twice(database_url: str, database: Database) -> None:
    add_edition(database)
    add_readers(database, 120)
    start = Barrier(3)

    def one(_number: int) -> Recorder:
        mine, recorder = open_database(database_url), Recorder()
        start.wait()
        send(mine, EDITION, outbox=outbox(recorder), clock=Clock())
        mine.close()
        return recorder

    with ThreadPoolExecutor(3) as pool:
        recorders = list(pool.map(one, range(3)))
    assert sorted(key for recorder in recorders for key in recorder.keys) == list(range(1, 121))
    with database.read() as connection:
        assert load_edition(connection, EDITION).state is EditionState.SENT


def test_progress_ends_with_everything_accounted_for(sqlite: Database) -> None:
    add_edition(sqlite)
    add_readers(sqlite, 7)
    add_reader(sqlite, 8, "politics")
    seen: list[Counts] = []
    send(sqlite, EDITION, outbox=outbox(Recorder()), clock=Clock(), progress=seen.append)
    assert [counts.total for counts in seen] == [8] * len(seen)
    assert [counts.of(STATE.ACCEPTED) for counts in seen] == [3, 6, 7]
    assert (seen[-1].open, seen[-1].of(STATE.SKIPPED)) == (0, 1)


def test_a_rehearsal_counts_and_changes_nothing(database: Database) -> None:
    add_edition(database)
    add_readers(database, 8)
    add_reader(database, 9, "politics")
    add_reader(database, 10, "climate,food", form="text")
    before = dump(database)
    rehearsal = rehearse(database, EDITION, stationery=STATIONERY, now=NOW)
    assert rehearsal.readers == (
        (("climate",), "html", 2),
        (("climate",), "text", 1),
        (("climate", "space"), "html", 2),
        (("climate", "space", "sport"), "html", 2),
        (("space",), "html", 2),
    )
    assert (rehearsal.total, rehearsal.skipped) == (9, 1)
    assert dump(database) == before


def test_a_rehearsal_of_an_edition_half_sent_counts_who_still_waits(database: Database) -> None:
    add_edition(database)
    add_readers(database, 9)
    recorder = Recorder()
    halfway = lambda: len(recorder.letters) >= 6  # noqa: E731  (one thought, used once)
    send(database, EDITION, outbox=outbox(recorder), clock=Clock(), stop=halfway)
    assert rehearse(database, EDITION, stationery=STATIONERY, now=NOW).total == 3


def test_a_preview_has_the_very_bytes_that_are_sent(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1, "space")
    with database.read() as connection:
        press = Press(load_edition(connection, EDITION), STATIONERY)
    preview = press.letter(Addressee(1, "reader1@example.org", "space"))
    recorder = Recorder()
    run(database, recorder)
    assert recorder.letters == [preview]


def test_a_test_mail_goes_to_any_address_and_stays_out_of_the_ledger(database: Database) -> None:
    add_edition(database)
    add_readers(database, 2)
    before = dump(database)
    with database.read() as connection:
        press = Press(load_edition(connection, EDITION), STATIONERY)
    letter = press.letter(Addressee(0, "editor@example.org"))
    assert letter
    assert send_one(Recorder(), letter).outcome is Outcome.ACCEPTED
    assert dump(database) == before


def test_an_edition_can_go_into_a_folder(sqlite: Database, tmp_path: Path) -> None:
    add_edition(sqlite)
    add_readers(sqlite, 5)
    box = Outbox(transport=FolderTransport(tmp_path / "outbox"), stationery=STATIONERY)
    sent = send(sqlite, EDITION, outbox=box, clock=Clock())
    mails = [read(path.read_bytes()) for path in (tmp_path / "outbox").iterdir()]
    assert sorted(str(mail["To"]) for mail in mails) == [
        f"reader{number}@example.org" for number in range(1, 6)
    ]
    assert sent.record.state is EditionState.SENT
