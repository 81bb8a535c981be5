from __future__ import annotations

from datetime import timedelta

from digest.model.deliveries import AcceptedOverTime, Tally
from digest.model.editions import EditionState, StepCause
from digest.storage.database import Database
from digest.storage.editions.steps import advance, reopen
from digest.storage.ledger import tallies
from digest.storage.ledger.outcomes import counts, retry
from tests.send.world import EDITION, NOW, add_edition, add_reader
from tests.storage.ledger import LATER, STATE, accepted, addressed, late, rejected, step, taken


def _sent(database: Database) -> None:
    """Send to six readers at one domain and one at another: five accepted, one rejected, one accepted."""
    add_edition(database)
    for number in range(1, 8):
        add_reader(database, number, address=f"reader{number}@{'Post' if number < 7 else 'own'}.test")
    with database.write() as connection:
        advance(connection, EDITION, EditionState.SENDING, StepCause(at=NOW))
    addressed(database)
    results = [accepted(key) for key in (1, 2, 3, 4, 5, 7)]
    step(database, taken(database), *results, rejected(6), leaves=True)


def _tally(database: Database) -> Tally:
    with database.read() as connection:
        return Tally(
            counts=counts(connection, EDITION),
            answers=(),
            domains=tallies.by_domain(connection, EDITION),
            over_time=AcceptedOverTime(began_at=NOW, width=tallies.SLOT, counts=(6,)),
        )


def _keep(database: Database) -> Tally:
    tally = _tally(database)
    with database.write() as connection:
        tallies.keep_tally(connection, EDITION, tally)
    return tally


def test_deliveries_are_counted_by_domain_whatever_its_spelling(database: Database) -> None:
    _sent(database)
    (post,) = _tally(database).domains
    assert (post.domain, post.total, post.accepted, post.rejected) == ("post.test", 6, 5, 1)


def test_a_domain_that_can_be_one_person_is_not_named(database: Database) -> None:
    _sent(database)
    assert "own.test" not in [each.domain for each in _tally(database).domains]


def test_accepted_deliveries_are_counted_by_the_ten_seconds_of_their_answer(database: Database) -> None:
    _sent(database)
    with database.read() as connection:
        assert tallies.accepted_slots(connection, EDITION) == {NOW: 6}


def test_an_edition_has_a_tally_only_after_it_has_ended(database: Database) -> None:
    _sent(database)
    with database.write() as connection:
        assert tallies.ended_without_tally(connection, limit=9) == ()
        advance(connection, EDITION, EditionState.SENT, StepCause(at=NOW))
        assert tallies.ended_without_tally(connection, limit=9) == (EDITION,)
    kept = _keep(database)
    with database.read() as connection:
        assert tallies.kept_tally(connection, EDITION) == kept
        assert tallies.ended_without_tally(connection, limit=9) == ()
        assert tallies.accepted_since(connection, NOW - timedelta(days=1)) == ((EDITION, NOW, 6),)


def test_a_retry_makes_the_tally_void(database: Database) -> None:
    _sent(database)
    with database.write() as connection:
        advance(connection, EDITION, EditionState.SENT, StepCause(at=NOW))
    _keep(database)
    with database.write() as connection:
        assert retry(connection, EDITION, [STATE.REJECTED], now=NOW, only=5) == 0
        assert retry(connection, EDITION, [STATE.REJECTED], now=NOW, domain="POST.test", only=6) == 1
        reopen(connection, EDITION)
        assert tallies.kept_tally(connection, EDITION) is None


def test_a_late_answer_makes_the_tally_void(database: Database) -> None:
    add_edition(database)
    add_reader(database, 1)
    with database.write() as connection:
        advance(connection, EDITION, EditionState.SENDING, StepCause(at=NOW))
    addressed(database)
    step(database, taken(database), wire=[1])
    step(database, taken(database, "ben", now=LATER), leaves=True)
    with database.write() as connection:
        advance(connection, EDITION, EditionState.SENT, StepCause(at=LATER))
    assert _keep(database).counts.of(STATE.UNCERTAIN) == 1
    late(database, accepted(1))
    with database.read() as connection:
        assert tallies.kept_tally(connection, EDITION) is None
