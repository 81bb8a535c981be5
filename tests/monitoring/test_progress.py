from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.editions.editions import cancel
from digest.editions.outlook.phases import Outlook
from digest.editions.send import try_again
from digest.model.deliveries import AcceptedOverTime, Counts
from digest.model.editions import EditionRecord, EditionState
from digest.model.messages import Message, Outcome
from digest.monitoring.progress import (
    RECENT,
    Progress,
    editions_going,
    headline,
    keep_tallies,
    over_time,
    rate,
    read_domains,
    read_progress,
)
from digest.storage.database import Database
from digest.storage.editions.records import load_edition
from digest.storage.ledger.tallies import SLOT, kept_tally
from tests.send.world import EDITION, NOW, Recorder, add_edition, add_readers, edition, run
from tests.storage.ledger import STATE, begin

SECOND = timedelta(seconds=1)
RECORD = EditionRecord(edition=edition(), hash="7c1e", state=EditionState.SENDING)


def _progress(rate: float = 0.0, **counts: int) -> Progress:
    by_state = tuple((STATE(name), count) for name, count in counts.items())
    none = AcceptedOverTime(began_at=NOW, width=SLOT)
    return Progress(counts=Counts(by_state=by_state), answers=(), over_time=none, rate=rate, counted_at=NOW)


def test_the_rate_is_that_of_the_last_minute() -> None:
    slots = {NOW - timedelta(minutes=5): 9_000, NOW - 30 * SECOND: 300, NOW - 20 * SECOND: 300}
    assert rate(slots, NOW - timedelta(minutes=6), NOW) == 20.0


def test_the_rate_of_an_edition_that_has_just_begun_counts_from_its_start() -> None:
    assert rate({NOW - 10 * SECOND: 100}, NOW - 5 * SECOND, NOW) == 20.0


def test_nothing_was_accepted_in_the_last_minute_so_the_time_left_is_unknown() -> None:
    assert rate({NOW - 2 * RECENT: 5}, NOW - 3 * RECENT, NOW) == 0.0
    assert _progress(queued=5).left is None


@given(st.dictionaries(st.integers(0, 400_000), st.integers(1, 1_000), max_size=30), st.integers(-100, 100))
def test_every_accepted_message_is_in_one_of_at_most_sixty_intervals(
    counts: dict[int, int], began: int
) -> None:
    slots = {NOW + SLOT * place: count for place, count in counts.items()}
    found = over_time(slots, NOW + SECOND * began)
    assert sum(found.counts) == sum(slots.values())
    assert len(found.counts) <= 60
    assert not slots or found.counts[-1] > 0


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (
            _progress(18, accepted=1_488, wire=32, queued=771, deferred=14, skipped=9),
            "Sending: 1,488 of 2,305 delivered, about 45 seconds left.",
        ),
        (_progress(accepted=5, deferred=2), "Sending: 5 of 7 delivered; 2 are tried again later."),
        (_progress(accepted=5, queued=2), "Sending: 5 of 7 delivered."),
    ],
)
def test_the_sentence_says_what_is_done_and_what_is_left(progress: Progress, text: str) -> None:
    assert headline(progress, Outlook(record=RECORD, digest=None), NOW) == text


def test_an_edition_in_another_state_has_its_own_sentence() -> None:
    skipped = replace(RECORD, state=EditionState.SKIPPED, reason="no post was new")
    found = headline(_progress(), Outlook(record=skipped, digest=None), NOW)
    assert found == "Skipped: no post was new."


def test_the_counts_are_kept_when_an_edition_has_ended_and_are_the_same_afterwards(
    database: Database,
) -> None:
    add_edition(database)
    add_readers(database, 12)
    assert run(database, Recorder(_some_refused)).record.finished_at
    with database.read() as connection:
        record = load_edition(connection, EDITION)
    before = read_progress(database, record, NOW), read_domains(database, record)
    assert keep_tallies(database, NOW) == 1
    assert keep_tallies(database, NOW) == 0
    after = read_progress(database, record, NOW), read_domains(database, record)
    assert after[0].counts == before[0].counts
    assert after[0].answers == before[0].answers
    assert (after[0].over_time, after[1]) == (before[0].over_time, before[1])


def _some_refused(message: Message) -> Outcome:
    return Outcome.REJECTED if message.key % 4 == 1 else Outcome.ACCEPTED


def test_a_retry_is_counted_again_when_it_has_ended(sqlite: Database) -> None:
    add_edition(sqlite)
    add_readers(sqlite, 4)
    run(sqlite, Recorder(_some_refused))
    keep_tallies(sqlite, NOW)
    assert try_again(sqlite, EDITION, [STATE.REJECTED], now=NOW, code=550) == 1
    assert [each.edition.id for each in editions_going(sqlite)] == [EDITION]
    assert keep_tallies(sqlite, NOW) == 0
    run(sqlite, Recorder())
    assert keep_tallies(sqlite, NOW) == 1
    with sqlite.read() as connection:
        kept = kept_tally(connection, EDITION)
    assert kept is not None
    assert kept.counts.of(STATE.REJECTED) == 0


def test_a_cancelled_edition_is_counted_once_nothing_of_it_is_open(sqlite: Database) -> None:
    begin(sqlite, readers=3)
    cancel(sqlite, EDITION, reason="a wrong headline", now=NOW)
    assert keep_tallies(sqlite, NOW) == 1
